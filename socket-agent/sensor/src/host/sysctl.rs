//! Small files under `/proc/sys`.

use std::fs;

use linux::Kernel;

use super::facility::Probe;

/// Content of `/proc/sys/NAME` without the line end.
pub(super) fn read(name: &str) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/sys/{name}")).ok()?.trim().to_owned())
}

/// Tells rather than judges: the agent does not rely on it.
pub(super) fn probe_unprivileged_bpf() -> Probe {
    let setting = read("kernel/unprivileged_bpf_disabled");
    Probe::available(unprivileged_bpf(setting.as_deref(), Kernel::running().version()))
}

fn unprivileged_bpf(setting: Option<&str>, kernel: (u32, u32)) -> String {
    match setting {
        // Two, which can be taken back, is of 5.13.
        Some("0") if kernel < (5, 13) => {
            "allowed to everybody; kernel.unprivileged_bpf_disabled=1 is safer".to_owned()
        }
        Some("0") => "allowed to everybody; kernel.unprivileged_bpf_disabled=2 is safer".to_owned(),
        Some("1") => "forbidden until the next boot".to_owned(),
        Some("2") => "forbidden".to_owned(),
        Some(other) => format!("kernel.unprivileged_bpf_disabled is {other}"),
        None => "no such setting in this kernel".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_safer_is_what_the_kernel_knows() {
        assert!(unprivileged_bpf(Some("0"), (5, 10)).contains("disabled=1 "));
        assert!(unprivileged_bpf(Some("0"), (5, 13)).contains("disabled=2 "));
        assert_eq!(unprivileged_bpf(Some("2"), (6, 1)), "forbidden");
    }
}
