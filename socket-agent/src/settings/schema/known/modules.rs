//! Keys of modules.

use config::rows::{Group, handled, inactive, later, pointless};

/// Datasets of the system module that do not run yet.
pub(in crate::settings) static SYSTEM_DATASETS: &[&str] =
    &["host", "login", "package", "process", "user"];

/// Modules that do not run yet.
pub(in crate::settings) static OTHER_MODULES: &[&str] = &["file_integrity"];

const ASKS_A_SERVER: &str = "it is for modules of Metricbeat that ask a server";
const NAMES_THE_MODULE: &str = "it tells modules apart in metrics that Beats have of themselves";

/// Keys that every module may have.
#[rustfmt::skip]
pub(in crate::settings) const MODULE_KEYS: Group = Group { prefix: "", rows: &[
    handled("module", "Name of the module."),
    handled("enabled", "Whether the module runs."),
    handled("datasets", "Datasets that run; unset means all that there are."),
    handled("metricsets", "Former name of datasets."),
    pointless("period", "events are reported when they happen, nothing is polled"),
    pointless("keep_null", "documents have no fields without a value"),
    later("fields"),
    later("fields_under_root"),
    later("tags"),
    inactive("processors"),
    later("index"),
    later("pipeline"),
    later("service"),
    later("service.name"),
    later("publisher_pipeline.disable_host"),
    pointless("id", NAMES_THE_MODULE),
    pointless("name", NAMES_THE_MODULE),
    pointless("host", ASKS_A_SERVER),
    pointless("hosts", ASKS_A_SERVER),
    pointless("timeout", ASKS_A_SERVER),
    pointless("query", ASKS_A_SERVER),
    pointless("raw", "documents are ECS documents, there is no other form of them"),
] };

/// In the system module.
#[rustfmt::skip]
pub(in crate::settings) const SYSTEM_KNOWN: Group = Group { prefix: "", rows: &[
    later("host.state.period"),
    later("login.wtmp_file_pattern"),
    later("login.btmp_file_pattern"),
    later("login.state.period"),
    later("package.state.period"),
    later("package.rpm_drop_to_uid"),
    later("process.state.period"),
    later("process.backend"),
    later("process.hash"),
    later("user.state.period"),
    later("user.detect_password_changes"),
] };

/// In the file integrity module.
#[rustfmt::skip]
pub(in crate::settings) const FILE_INTEGRITY: Group = Group { prefix: "", rows: &[
    later("paths"),
    later("recursive"),
    later("exclude_files"),
    later("include_files"),
    later("backend"),
    later("scan_at_start"),
    later("scan_rate_per_sec"),
    later("max_file_size"),
    later("hash_types"),
    later("file_parsers"),
    later("force_backend"),
    later("flush_interval"),
] };
