//! Which programs make up each hook set, and where they are attached.

use crate::config::HookSet;

/// Where a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Entry of the first of these functions that can be probed.
    Kprobe(&'static [&'static str]),
    /// Return from the first of these functions that can be probed.
    Kretprobe(&'static [&'static str]),
    /// Trampoline at the entry of a function.
    Fentry(&'static str),
    /// Trampoline at the return from a function with this many arguments.
    Fexit(&'static str, usize),
    /// Raw tracepoint.
    RawTracepoint(&'static str),
    /// Packets leaving sockets of the root cgroup.
    CgroupEgress,
    /// Packets arriving at sockets of the root cgroup.
    CgroupIngress,
    /// Socket operations in the root cgroup.
    CgroupSock,
}

/// When a program is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Always; without it the set cannot run.
    Required,
    /// Always; without it something is less exact, which the text says.
    Wanted(&'static str),
    /// Only where replies without a socket pass no cgroup program (kernel 6.13).
    RepliesHidden(&'static str),
    /// Only with IPv6.
    Ipv6,
    /// Where the function has the number of arguments that the program was written for.
    Arguments,
}

/// One program of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Name in the object.
    pub name: &'static str,
    /// Where it goes.
    pub hook: Hook,
    /// When it is wanted.
    pub when: When,
    /// Attached a second time elsewhere under the same name.
    pub also: Option<&'static str>,
}

const fn program(name: &'static str, hook: Hook, when: When) -> Program {
    Program { name, hook, when, also: None }
}

const LATE: &str = "the last packets of closed connections (TIME_WAIT) are not counted";
const REPLIES: &str = "replies sent without a socket (TIME_WAIT, resets) are not counted";
const RECEIVER: &str = "a process that only receives on a socket it was given is not its owner";
const PROCESSES: &str = "short-lived processes are known by name only";

/// Programs that every set uses.
const SHARED: [Program; 4] = [
    program("tp_dropped", Hook::RawTracepoint("kfree_skb"), When::Wanted(LATE)),
    program("tp_exec", Hook::RawTracepoint("sched_process_exec"), When::Wanted(PROCESSES)),
    program("tp_fork", Hook::RawTracepoint("sched_process_fork"), When::Wanted(PROCESSES)),
    program("tp_exit", Hook::RawTracepoint("sched_process_exit"), When::Wanted(PROCESSES)),
];

const CGROUP: [Program; 9] = [
    program("tp_state", Hook::RawTracepoint("inet_sock_set_state"), When::Required),
    program("cgroup_egress", Hook::CgroupEgress, When::Required),
    program("cgroup_ingress", Hook::CgroupIngress, When::Required),
    program(
        "cgroup_bind4",
        Hook::CgroupSock,
        When::Wanted("UDP servers are known only once they answer"),
    ),
    program(
        "cgroup_bind6",
        Hook::CgroupSock,
        When::Wanted("UDP servers are known only once they answer"),
    ),
    program(
        "cgroup_release",
        Hook::CgroupSock,
        When::Wanted("UDP flows end by timeout, not when the socket is closed"),
    ),
    program("tp_tcp_received", Hook::RawTracepoint("tcp_rcv_space_adjust"), When::Wanted(RECEIVER)),
    program("tp_transmit", Hook::RawTracepoint("net_dev_queue"), When::RepliesHidden(REPLIES)),
    program("tp_reset", Hook::RawTracepoint("tcp_send_reset"), When::RepliesHidden(REPLIES)),
];

const CGROUP_NEWER: Program = program(
    "tp_received",
    Hook::RawTracepoint("sock_recv_length"),
    When::Wanted("a process that only receives UDP on a socket it was given is not its owner"),
);

const FENTRY: [Program; 14] = [
    program("tp_state", Hook::RawTracepoint("inet_sock_set_state"), When::Required),
    program("fentry_output4", Hook::Fentry("ip_output"), When::Required),
    program(
        "fentry_output4_multi",
        Hook::Fentry("ip_mc_output"),
        When::Wanted("multicast sent is not counted"),
    ),
    program("fentry_output6", Hook::Fentry("ip6_output"), When::Ipv6),
    program("fentry_input", Hook::Fentry("sk_filter_trim_cap"), When::Required),
    program("fexit_accept", Hook::Fexit("inet_csk_accept", 2), When::Arguments),
    program("fexit_accept_4", Hook::Fexit("inet_csk_accept", 4), When::Arguments),
    program(
        "fentry_bind4",
        Hook::Fentry("udp_v4_get_port"),
        When::Wanted("UDP servers are known only once they answer"),
    ),
    program("fentry_bind6", Hook::Fentry("udp_v6_get_port"), When::Ipv6),
    program("fentry_received4", Hook::Fentry("udp_recvmsg"), When::Wanted(RECEIVER)),
    program("fentry_received6", Hook::Fentry("udpv6_recvmsg"), When::Ipv6),
    program(
        "fentry_closed4",
        Hook::Fentry("udp_destroy_sock"),
        When::Wanted("UDP flows end by timeout, not when the socket is closed"),
    ),
    program("fentry_closed6", Hook::Fentry("udpv6_destroy_sock"), When::Ipv6),
    program("tp_tcp_received", Hook::RawTracepoint("tcp_rcv_space_adjust"), When::Wanted(RECEIVER)),
];

const fn both(name: &'static str, hook: Hook, when: When, also: &'static str) -> Program {
    Program { name, hook, when, also: Some(also) }
}

const KPROBE: [Program; 11] = [
    program("kprobe_state", Hook::Kprobe(&["tcp_set_state"]), When::Required),
    program(
        "kprobe_listen",
        Hook::Kprobe(&["inet_csk_listen_start"]),
        When::Wanted("listeners have no owner"),
    ),
    program("kprobe_output4", Hook::Kprobe(&["ip_output"]), When::Required),
    program(
        "kprobe_output4_multi",
        Hook::Kprobe(&["ip_mc_output"]),
        When::Wanted("multicast sent is not counted"),
    ),
    program("kprobe_output6", Hook::Kprobe(&["ip6_output"]), When::Ipv6),
    program("kprobe_input", Hook::Kprobe(&["sk_filter_trim_cap"]), When::Required),
    program(
        "kretprobe_accept",
        Hook::Kretprobe(&["inet_csk_accept"]),
        When::Wanted("the first to send or receive owns an accepted connection"),
    ),
    both(
        "kprobe_bind",
        Hook::Kprobe(&["udp_v4_get_port"]),
        When::Wanted("UDP servers are known only once they answer"),
        "udp_v6_get_port",
    ),
    both(
        "kprobe_udp_received",
        Hook::Kprobe(&["udp_recvmsg"]),
        When::Wanted(RECEIVER),
        "udpv6_recvmsg",
    ),
    both(
        "kprobe_closed",
        Hook::Kprobe(&["udp_destroy_sock"]),
        When::Wanted("UDP flows end by timeout, not when the socket is closed"),
        "udpv6_destroy_sock",
    ),
    program("kprobe_tcp_received", Hook::Kprobe(&["tcp_rcv_space_adjust"]), When::Wanted(RECEIVER)),
];

/// The programs of a set, those that open tables first. `Auto` has none.
pub fn hooks(set: HookSet) -> Vec<Program> {
    let mut programs = match set {
        HookSet::Auto => return Vec::new(),
        HookSet::Fentry => FENTRY.to_vec(),
        HookSet::Kprobe => KPROBE.to_vec(),
        HookSet::Cgroup => {
            let mut programs = CGROUP.to_vec();
            programs.push(CGROUP_NEWER);
            programs
        }
    };
    programs.extend(SHARED);
    programs
}
