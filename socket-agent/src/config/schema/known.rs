//! Keys of Auditbeat that mean something there and nothing here yet: accepted with a warning.
//! What lies below them is not checked.

/// Top level, beside `modules`, `auditbeat` and `output`.
pub(in crate::config) static ROOT: &[&str] = &[
    "cloud",
    "features",
    "fields",
    "fields_under_root",
    "http",
    "instrumentation",
    "keystore",
    "management",
    "max_procs",
    "migration",
    "monitoring",
    "name",
    "path",
    "processors",
    "queue",
    "seccomp",
    "setup",
    "shutdown_timeout",
    "tags",
    "timestamp",
    "xpack",
];

/// Below `logging`, beside `metrics`.
pub(in crate::config) static LOGGING: &[&str] = &[
    "logging.event_data",
    "logging.files",
    "logging.json",
    "logging.level",
    "logging.selectors",
    "logging.to_eventlog",
    "logging.to_files",
    "logging.to_stderr",
    "logging.to_syslog",
];

/// Below `auditbeat`, beside `modules`.
pub(in crate::config) static AUDITBEAT: &[&str] =
    &["auditbeat.config", "auditbeat.max_start_delay", "auditbeat.autodiscover"];

/// Below `output`, beside `console` and `file`.
pub(in crate::config) static OUTPUTS: &[&str] =
    &["output.discard", "output.elasticsearch", "output.kafka", "output.logstash", "output.redis"];

/// In every module, beside `module`, `enabled` and `datasets`.
pub(in crate::config) static MODULE_KEYS: &[&str] = &[
    "fields",
    "fields_under_root",
    "index",
    "keep_null",
    "period",
    "pipeline",
    "processors",
    "service",
    "tags",
];

/// In the system module, for datasets that are still to come.
pub(in crate::config) static SYSTEM_KEYS: &[&str] = &[
    "host.state",
    "login.btmp_file_pattern",
    "login.state",
    "login.wtmp_file_pattern",
    "package.state",
    "process.hash",
    "process.state",
    "user.detect_password_changes",
    "user.state",
];

/// Datasets of the system module, beside `socket`.
pub(in crate::config) static SYSTEM_DATASETS: &[&str] =
    &["host", "login", "package", "process", "user"];

/// Modules beside `system` and `auditd`.
pub(in crate::config) static OTHER_MODULES: &[&str] = &["file_integrity"];
