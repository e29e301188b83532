//! Tracepoints without the detour through perf.

use std::os::fd::AsFd;

use super::{
    bpf::{AttachType, ProgramType, load, open_raw_tracepoint},
    btf::KernelTypes,
    facility::Probe,
};

/// Hit once per thread that leaves, which is seldom enough for the moment it is attached.
const TRACEPOINT: &str = "sched_process_exit";

pub(super) fn probe_raw() -> Probe {
    let attached = load(ProgramType::RawTracepoint, AttachType::None, 0, 0)
        .and_then(|program| open_raw_tracepoint(Some(c"sched_process_exit"), program.as_fd()));
    match attached {
        Ok(_) => Probe::available(format!("attached to {TRACEPOINT}")),
        Err(error) => Probe::failed(
            &format!("attaching to {TRACEPOINT}"),
            &error,
            "use a kernel with CONFIG_BPF_EVENTS=y, 4.17 or newer",
        ),
    }
}

pub(super) fn probe_btf(types: &KernelTypes) -> Probe {
    let Some(id) = types.tracepoint(TRACEPOINT) else {
        return Probe::missing(
            "needs the kernel's own BTF",
            "use a kernel with CONFIG_DEBUG_INFO_BTF=y, 5.5 or newer",
        );
    };
    let attached = load(ProgramType::Tracing, AttachType::RawTracepoint, id, 0)
        .and_then(|program| open_raw_tracepoint(None, program.as_fd()));
    match attached {
        Ok(_) => Probe::available(format!("attached to {TRACEPOINT}")),
        Err(error) => Probe::failed(
            &format!("attaching to {TRACEPOINT}"),
            &error,
            "use a kernel with CONFIG_BPF_EVENTS=y, 5.5 or newer",
        ),
    }
}
