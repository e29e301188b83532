//! Small files under `/proc/sys`.

use std::fs;

use super::facility::Probe;

/// Content of `/proc/sys/NAME` without the line end.
pub(super) fn read(name: &str) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/sys/{name}")).ok()?.trim().to_owned())
}

/// Tells rather than judges: the agent does not rely on it.
pub(super) fn probe_unprivileged_bpf() -> Probe {
    Probe::available(match read("kernel/unprivileged_bpf_disabled").as_deref() {
        Some("0") => "allowed to everybody; kernel.unprivileged_bpf_disabled=2 is safer".to_owned(),
        Some("1") => "forbidden until the next boot".to_owned(),
        Some("2") => "forbidden".to_owned(),
        Some(other) => format!("kernel.unprivileged_bpf_disabled is {other}"),
        None => "no such setting in this kernel".to_owned(),
    })
}
