//! BTF trampolines, on which the `fentry` set rests.
//!
//! Some kernels load such programs and then refuse to attach them, so the attach is what counts.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use super::{
    bpf::{AttachType, ProgramType, load, open_raw_tracepoint},
    btf::KernelTypes,
    facility::Probe,
};

/// Functions to try: the first is there for tests (`net/bpf/test_run.c`) and never called
/// otherwise, the second seldom.
const HARMLESS: [&str; 2] = ["bpf_fentry_test1", "tcp_v4_connect"];

pub(super) fn probe(types: &KernelTypes) -> Probe {
    let Some((function, program)) = load_one(types) else {
        return Probe::missing(
            "needs the kernel's own BTF",
            "use a kernel with CONFIG_DEBUG_INFO_BTF=y, 5.5 or newer",
        );
    };
    let program = match program {
        Ok(program) => program,
        Err(error) => {
            let what = format!("loading a program for {function}");
            return Probe::failed(&what, &error, "use kernel 5.5 or newer, arm64 6.4 or newer");
        }
    };
    match open_raw_tracepoint(None, program.as_fd()) {
        Ok(_) => Probe::available(format!("attached to {function}")),
        Err(error) => Probe::failed(
            &format!("loads, but attaching to {function} is refused"),
            &error,
            "use a kernel with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS=y, on arm64 6.4 or newer; \
             the kprobe and cgroup sets do without",
        ),
    }
}

/// Loads a program for the first function that the kernel knows; `None` if it knows none.
pub(super) fn load_one(types: &KernelTypes) -> Option<(&'static str, io::Result<OwnedFd>)> {
    let (function, id) =
        HARMLESS.into_iter().find_map(|name| types.function(name).map(|id| (name, id)))?;
    Some((function, load(ProgramType::Tracing, AttachType::Fentry, id, 0)))
}
