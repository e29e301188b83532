//! Kprobes with eBPF programs, on which the `kprobe` set rests.

use std::{fs, os::fd::AsFd};

use super::{
    bpf::{AttachType, ProgramType, load},
    facility::Probe,
    mounts::tracefs_mount,
};
use crate::perf;

const SWITCH: &str = "/sys/kernel/debug/kprobes/enabled";

pub(super) fn probe() -> Probe {
    if let Some(off) = switched_off() {
        return off;
    }
    let Some(source) = perf::kprobe_source() else { return through_tracefs() };
    let program = match load(ProgramType::Kprobe, AttachType::None, 0, 0) {
        Ok(program) => program,
        Err(error) => {
            let remedy = "use a kernel with CONFIG_BPF_EVENTS=y, not locked down";
            return Probe::failed("loading a program", &error, remedy);
        }
    };
    let attached = perf::open_kprobe(source, c"tcp_v4_connect")
        .and_then(|event| event.set_program(program.as_fd()));
    match attached {
        Ok(()) => Probe::available("attached to tcp_v4_connect"),
        Err(error) => Probe::failed(
            "attaching to tcp_v4_connect",
            &error,
            "use a kernel with CONFIG_KPROBE_EVENTS=y, not locked down to confidentiality",
        ),
    }
}

/// The answer where kprobes are there but switched off.
pub(super) fn switched_off() -> Option<Probe> {
    let off = fs::read_to_string(SWITCH).is_ok_and(|state| state.trim() == "0");
    off.then(|| Probe::missing(format!("{SWITCH} is 0"), format!("echo 1 > {SWITCH}")))
}

/// Before 4.17 the only way; it is not tried, because what it writes would outlive a crash.
fn through_tracefs() -> Probe {
    let events = tracefs_mount().map(|mount| mount.join("kprobe_events"));
    match events {
        Some(events) if events.exists() => {
            match load(ProgramType::Kprobe, AttachType::None, 0, 0) {
                Ok(_) => Probe::available(format!("through {}, not tried", events.display())),
                Err(error) => Probe::failed("loading a program", &error, "use kernel 4.9 or newer"),
            }
        }
        _ => Probe::missing(
            "this kernel has none: no perf event source and no kprobe_events in tracefs",
            "use a kernel with CONFIG_KPROBE_EVENTS=y; the cgroup set does without",
        ),
    }
}
