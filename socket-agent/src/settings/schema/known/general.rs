//! Top level, beside modules and outputs.

use config::rows::{Group, Known, handled, inactive, later, pointless};

const GO: &str = "it is about the Go runtime, which this agent does not have";
const WINDOWS: &str = "it is about Windows";
const AUDITBEAT_TRACES: &str = "it reports how Auditbeat's own code runs to an APM server";
const ELASTIC_AGENT: &str = "it is for a Beat that Elastic Agent has started";

/// Keys of general settings with nothing in common.
#[rustfmt::skip]
pub(in crate::settings) const GENERAL_KNOWN: Group = Group { prefix: "", rows: &[
    handled("modules", "List of modules; each has its own settings below."),
    handled("auditbeat.modules", "The same, as Auditbeat writes it."),
    later("auditbeat.autodiscover"),
    pointless("auditbeat.max_start_delay", "it spreads the first polls of datasets; nothing here waits to start"),
    later("name"),
    later("tags"),
    later("fields"),
    later("fields_under_root"),
    later("timestamp.precision"),
    later("timeseries.enabled"),
    handled("processors", "List of processors, which every document goes through in this order; those that there are follow below. Any other, and one with a condition (`when`), ends the start."),
    inactive("cloud.id"),
    later("cloud.auth"),
    later("shutdown_timeout"),
    later("hostname"),
    pointless("max_procs", GO),
    pointless("gc_percent", GO),
    handled("path.home", "Folder that the other three begin with; unset means that of the program."),
    handled("path.config", "Folder of files that belong to the configuration; unset means path.home if that is set, else the folder of the configuration file."),
    handled("path.data", "Folder for what is kept; unset means data in path.home."),
    handled("path.logs", "Folder for logs; unset means logs in path.home."),
    later("keystore.path"),
    later("features.fqdn.enabled"),
    later("seccomp"),
    later("seccomp.enabled"),
    later("http.enabled"),
    later("http.host"),
    later("http.port"),
    later("http.buffer.enabled"),
    pointless("http.named_pipe.user", WINDOWS),
    pointless("http.named_pipe.security_descriptor", WINDOWS),
    pointless("http.pprof.enabled", GO),
    pointless("http.pprof.block_profile_rate", GO),
    pointless("http.pprof.mem_profile_rate", GO),
    pointless("http.pprof.mutex_profile_rate", GO),
    pointless("http.debug.state_inspector.enabled", "it shows states of inputs, which Auditbeat has none of"),
    later("logging.level"),
    later("logging.selectors"),
    later("logging.to_stderr"),
    later("logging.to_syslog"),
    later("logging.to_files"),
    later("logging.event_data.to_files"),
    pointless("logging.to_eventlog", WINDOWS),
    pointless("logging.json", "Beats 8 have one form of log only, and no longer read it"),
    later("logging.ecs"),
    pointless("logging.metrics.namespaces", "counters of this agent are not divided into namespaces"),
    pointless("management", ELASTIC_AGENT),
    pointless("migration.6_to_7.enabled", "it is about indices of version 6"),
    pointless("xpack", "settings below it moved to monitoring in version 7"),
] };

/// Below `queue`, which an output can have too.
#[rustfmt::skip]
pub(in crate::settings) static QUEUE: &[Known] = &[
    later("mem.events"),
    later("mem.flush.min_events"),
    later("mem.flush.timeout"),
    later("disk.path"),
    later("disk.max_size"),
    later("disk.segment_size"),
    later("disk.read_ahead"),
    later("disk.write_ahead"),
    later("disk.retry_interval"),
    later("disk.max_retry_interval"),
    pointless("spool.file.path", SPOOL),
    pointless("spool.file.permissions", SPOOL),
    pointless("spool.file.size", SPOOL),
    pointless("spool.file.page_size", SPOOL),
    pointless("spool.file.prealloc", SPOOL),
    pointless("spool.write.buffer_size", SPOOL),
    pointless("spool.write.flush.timeout", SPOOL),
    pointless("spool.write.flush.events", SPOOL),
    pointless("spool.write.codec", SPOOL),
    pointless("spool.read.flush.timeout", SPOOL),
];

const SPOOL: &str = "Beats gave up this queue in version 8; queue.disk is its successor";

/// Files of a log, below `logging.files` and `logging.event_data`.
#[rustfmt::skip]
pub(in crate::settings) static LOG_FILES: &[Known] = &[
    later("path"),
    later("name"),
    later("rotateeverybytes"),
    later("keepfiles"),
    later("permissions"),
    later("interval"),
    later("rotateonstartup"),
    later("redirect_stderr"),
];

/// Below `instrumentation`.
#[rustfmt::skip]
pub(in crate::settings) static INSTRUMENTATION: &[Known] = &[
    pointless("enabled", AUDITBEAT_TRACES),
    pointless("environment", AUDITBEAT_TRACES),
    pointless("hosts", AUDITBEAT_TRACES),
    pointless("api_key", AUDITBEAT_TRACES),
    pointless("secret_token", AUDITBEAT_TRACES),
    pointless("profiling.cpu.enabled", GO),
    pointless("profiling.cpu.interval", GO),
    pointless("profiling.cpu.duration", GO),
    pointless("profiling.heap.enabled", GO),
    pointless("profiling.heap.interval", GO),
];
