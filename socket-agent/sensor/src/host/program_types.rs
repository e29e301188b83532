//! Check of the program types that can be loaded.

use super::{
    bpf::{AttachType, ProgramType, load},
    btf::KernelTypes,
    facility::Probe,
    trampolines,
};

/// Name, type, and what the verifier wants the smallest program to say.
const TYPES: [(&str, ProgramType, AttachType, i32); 8] = [
    ("socket_filter", ProgramType::SocketFilter, AttachType::None, 0),
    ("kprobe", ProgramType::Kprobe, AttachType::None, 0),
    ("tracepoint", ProgramType::Tracepoint, AttachType::None, 0),
    ("raw_tracepoint", ProgramType::RawTracepoint, AttachType::None, 0),
    ("cgroup_skb", ProgramType::CgroupSkb, AttachType::CgroupEgress, 1),
    ("cgroup_sock", ProgramType::CgroupSock, AttachType::CgroupSockCreate, 1),
    ("cgroup_sock_addr", ProgramType::CgroupSockAddr, AttachType::CgroupConnect4, 1),
    ("sock_ops", ProgramType::SockOps, AttachType::CgroupSockOps, 1),
];

pub(super) fn probe(types: &KernelTypes) -> Probe {
    let (mut loaded, mut refused, mut last) = (Vec::new(), Vec::new(), None);
    let plain =
        TYPES.iter().map(|(name, kind, attach, result)| (*name, load(*kind, *attach, 0, *result)));
    let tracing = trampolines::load_one(types)
        .map(|(_, program)| ("fentry", program))
        .or_else(|| Some(("fentry", load(ProgramType::Tracing, AttachType::Fentry, 0, 0))));
    for (name, result) in plain.chain(tracing) {
        match result {
            Ok(_) => loaded.push(name),
            Err(error) => {
                refused.push(name);
                last = Some(error);
            }
        }
    }
    match last {
        None => Probe::available(format!("all load: {}", loaded.join(" "))),
        Some(error) if loaded.is_empty() => Probe::failed(
            "loading any program",
            &error,
            "use a kernel with CONFIG_BPF_SYSCALL=y, and allow bpf(2) in the seccomp profile",
        ),
        Some(error) => Probe::missing(
            format!("{} load; not {} ({error})", loaded.join(" "), refused.join(" ")),
            "only hook sets that need them are out of reach, see below",
        ),
    }
}
