//! Which programs make up each hook set, and where they are attached.

use socket_common::CopiedHook;

use crate::HookSet;

/// Hook that a program is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Entry of a function, or return from it: the object says which.
    Kprobe(&'static str),
    /// As `Kprobe`, at the first of these that there is.
    KprobeAny(&'static [&'static str]),
    /// Tracepoint: its group and name.
    Tracepoint(&'static str, &'static str),
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
    /// Ports taken, and closes, of sockets of the root cgroup.
    CgroupSock,
    /// Socket operations, which report changes of TCP state, in the root cgroup.
    CgroupSockOps,
}

/// Condition under which a program is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Always; without it the set cannot run.
    Required,
    /// Always; without it something is less exact, which the text says.
    Wanted(&'static str),
    /// If it can be attached; another program takes its place where it cannot.
    Preferred,
    /// In place of the program of this name, where that could not be attached.
    InsteadOf(&'static str),
    /// As `Wanted`, where the program of this name is not attached, which does the same and more.
    Unless(&'static str, &'static str),
    /// Only where packets are counted in cgroup programs, which miss some.
    WithCgroup(&'static str),
    /// As `WithCgroup`, only where replies without a socket pass no cgroup program (kernel 6.13).
    RepliesHidden(&'static str),
    /// A second copy of the program of this name, where the kernel may put a task aside in the midst of
    /// it (7.0).
    Again(&'static str),
    /// Where the copies of a program may all be skipped (7.0): one of another kind, in the midst of which no task
    /// is put aside and which goes before them. They do without it.
    First,
    /// As `First`, of a kind that is never skipped.
    Ahead(&'static str),
    /// Where the copies of other programs may all be skipped (7.0): this one never is. Those that are there
    /// `Unless` it is are left out.
    Unskipped,
    /// Where the function has the number of arguments that the program was written for.
    Arguments(&'static str),
}

/// One program of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Name in the object.
    pub name: &'static str,
    /// Hook that the program is attached to.
    pub hook: Hook,
    /// Condition under which the program is loaded.
    pub when: When,
    /// The IPv6 function that the same program is attached to as well.
    pub also: Option<&'static str>,
    /// Whether the program is of no use without IPv6.
    pub ipv6: bool,
}

impl Program {
    const fn ipv6(self) -> Self {
        Self { ipv6: true, ..self }
    }

    /// Whether it reports processes, and nothing else.
    pub(super) fn is_of_processes(&self) -> bool {
        let base = COPIES.iter().find_map(|end| self.name.strip_suffix(end)).unwrap_or(self.name);
        ["_exec", "_fork", "_exit"].iter().any(|end| base.ends_with(end))
    }

    const fn also(self, function: &'static str) -> Self {
        Self { also: Some(function), ..self }
    }
}

const fn program(name: &'static str, hook: Hook, when: When) -> Program {
    Program { name, hook, when, also: None, ipv6: false }
}

use Hook::{Fentry, Fexit, Kprobe, KprobeAny, RawTracepoint, Tracepoint};
use When::{
    Again, Ahead, Arguments, First, InsteadOf, Preferred, RepliesHidden, Required, Unless,
    Unskipped, Wanted, WithCgroup,
};

const ACCEPT: &str = "the first to send or receive owns an accepted connection";
const BIND: &str = "UDP servers are known only once they answer";
const BOUND: &str = "UDP sockets that are bound are not reported as opened and closed";
const LATE: &str = "the last packets of closed connections (TIME_WAIT) are not counted";
const PROCESSES: &str = "short-lived processes are known by name only";
const RECEIVER: &str = "a process that only receives on a socket it was given is not its owner";
const RELEASE: &str = "UDP flows end by timeout, not when the socket is closed";
const REPLIES: &str = "replies sent without a socket (TIME_WAIT, resets) are not counted";
const SKIPPED_CHANGES: &str =
    "a state change that interrupts another may be missed; programs_missed counts it";

/// Attached before all others: what they deal with the copies behind them need not.
const FIRST: [Program; 3] = [
    program("event_fork", Tracepoint("sched", "sched_process_fork"), First),
    program("event_exec", Tracepoint("sched", "sched_process_exec"), First),
    program("event_exit", Tracepoint("sched", "sched_process_exit"), First),
];

/// Programs that every set uses.
///
/// The state hook is there twice: the kernel does not run a tracepoint program that interrupts
/// itself, and what the first copy misses the second sees. Handling a change twice changes nothing. From
/// 7.0 on the same happens to all when another task comes between, and all are there twice, those on
/// states and processes three times.
const SHARED: [Program; 16] = [
    program("tp_state_again", RawTracepoint("inet_sock_set_state"), Wanted(SKIPPED_CHANGES)),
    program("tp_state_third", RawTracepoint("inet_sock_set_state"), Again("tp_state")),
    program("cgroup_state", Hook::CgroupSockOps, Ahead("tp_state")),
    program("tp_dropped", RawTracepoint("kfree_skb"), Wanted(LATE)),
    program("tp_dropped_again", RawTracepoint("kfree_skb"), Again("tp_dropped")),
    program(
        "tp_tcp_received",
        RawTracepoint("tcp_rcv_space_adjust"),
        Unless("tp_received", RECEIVER),
    ),
    program(
        "tp_tcp_received_again",
        RawTracepoint("tcp_rcv_space_adjust"),
        Again("tp_tcp_received"),
    ),
    program("tp_exec", RawTracepoint("sched_process_exec"), Wanted(PROCESSES)),
    program("tp_exec_again", RawTracepoint("sched_process_exec"), Again("tp_exec")),
    program("tp_exec_third", RawTracepoint("sched_process_exec"), Again("tp_exec")),
    program("tp_fork", RawTracepoint("sched_process_fork"), Wanted(PROCESSES)),
    program("tp_fork_again", RawTracepoint("sched_process_fork"), Again("tp_fork")),
    program("tp_fork_third", RawTracepoint("sched_process_fork"), Again("tp_fork")),
    program("tp_exit", RawTracepoint("sched_process_exit"), Wanted(PROCESSES)),
    program("tp_exit_again", RawTracepoint("sched_process_exit"), Again("tp_exit")),
    program("tp_exit_third", RawTracepoint("sched_process_exit"), Again("tp_exit")),
];

/// What the names of the [`FIRST`] begin with: what they are skipped for the copies see.
pub(super) const EVENT: &str = "event_";

/// What the names of second and third copies end with.
pub(super) const COPIES: [&str; 2] = ["_again", "_third"];

/// Whether a program only finds out whose a socket is, which the next packet sent or receipt tells as well.
/// Of sockets that are bound `cgroup_bind4` tells it before; what is left are ports taken without that.
pub(super) fn only_finds_owner(name: &str, is_attached: impl Fn(&str) -> bool) -> bool {
    name.contains("_received")
        || name.contains("_accept")
        || (name.contains("_bind") && is_attached("cgroup_bind4"))
}

/// Hooks whose copies record for each other what they have dealt with.
pub(super) const COPIED_HOOKS: [(&str, CopiedHook); 6] = [
    ("tp_state", CopiedHook::State),
    ("tp_dropped", CopiedHook::Dropped),
    ("tp_reset", CopiedHook::Reset),
    ("tp_exec", CopiedHook::Exec),
    ("tp_fork", CopiedHook::Fork),
    ("tp_exit", CopiedHook::Exit),
];

/// Packets that cgroup programs do not see: SYN-ACKs over IPv6 on older kernels, replies without a
/// socket over IPv6 before 6.13 and of both families since.
const HIDDEN: [Program; 3] = [
    program("tp_transmit", RawTracepoint("net_dev_queue"), WithCgroup(REPLIES)),
    program("tp_reset", RawTracepoint("tcp_send_reset"), RepliesHidden(REPLIES)),
    program("tp_reset_again", RawTracepoint("tcp_send_reset"), Again("tp_reset")),
];

const CGROUP: [Program; 8] = [
    program("tp_state", RawTracepoint("inet_sock_set_state"), Required),
    program("cgroup_egress", Hook::CgroupEgress, Required),
    program("cgroup_ingress", Hook::CgroupIngress, Required),
    program("cgroup_bind4", Hook::CgroupSock, Wanted(BIND)),
    program("cgroup_bind6", Hook::CgroupSock, Wanted(BIND)).ipv6(),
    program("cgroup_release", Hook::CgroupSock, Wanted(RELEASE)),
    program("tp_received", RawTracepoint("sock_recv_length"), Wanted(RECEIVER)),
    program("tp_received_again", RawTracepoint("sock_recv_length"), Again("tp_received")),
];

/// Of all hooks on packets only the cgroup ones run when they interrupt themselves: a trampoline or
/// a kprobe program that a packet's interrupt finds running is skipped, and the packet with it. So
/// packets are counted there in every set, if there is a cgroup v2 hierarchy to attach to.
const FENTRY: [Program; 26] = [
    program("tp_state", RawTracepoint("inet_sock_set_state"), Required),
    program("cgroup_egress", Hook::CgroupEgress, Preferred),
    program("cgroup_ingress", Hook::CgroupIngress, Preferred),
    program("fentry_output4", Fentry("ip_output"), InsteadOf("cgroup_egress")),
    program("fentry_output4_multi", Fentry("ip_mc_output"), InsteadOf("cgroup_egress")),
    program("fentry_output6", Fentry("ip6_output"), InsteadOf("cgroup_egress")).ipv6(),
    program("fentry_input", Fentry("sk_filter_trim_cap"), InsteadOf("cgroup_ingress")),
    program("fexit_accept", Fexit("inet_csk_accept", 2), Arguments(ACCEPT)),
    program("fexit_accept_4", Fexit("inet_csk_accept", 4), Arguments(ACCEPT)),
    program("fentry_bind4", Fentry("udp_v4_get_port"), Wanted(BIND)),
    program("fentry_bind6", Fentry("udp_v6_get_port"), Wanted(BIND)).ipv6(),
    program("cgroup_bind4", Hook::CgroupSock, Wanted(BOUND)),
    program("cgroup_bind6", Hook::CgroupSock, Wanted(BOUND)).ipv6(),
    program("fentry_received4", Fentry("udp_recvmsg"), Wanted(RECEIVER)),
    program("fentry_received6", Fentry("udpv6_recvmsg"), Wanted(RECEIVER)).ipv6(),
    program("cgroup_release", Hook::CgroupSock, Unskipped),
    program("fentry_closed4", Fentry("udp_destroy_sock"), Unless("cgroup_release", RELEASE)),
    program("fentry_closed6", Fentry("udpv6_destroy_sock"), Unless("cgroup_release", RELEASE))
        .ipv6(),
    program("fexit_accept_again", Fexit("inet_csk_accept", 2), Again("fexit_accept")),
    program("fexit_accept_4_again", Fexit("inet_csk_accept", 4), Again("fexit_accept_4")),
    program("fentry_bind4_again", Fentry("udp_v4_get_port"), Again("fentry_bind4")),
    program("fentry_bind6_again", Fentry("udp_v6_get_port"), Again("fentry_bind6")).ipv6(),
    program("fentry_received4_again", Fentry("udp_recvmsg"), Again("fentry_received4")),
    program("fentry_received6_again", Fentry("udpv6_recvmsg"), Again("fentry_received6")).ipv6(),
    program("fentry_closed4_again", Fentry("udp_destroy_sock"), Again("fentry_closed4")),
    program("fentry_closed6_again", Fentry("udpv6_destroy_sock"), Again("fentry_closed6")).ipv6(),
];

const KPROBE: [Program; 16] = [
    program("tp_state", RawTracepoint("inet_sock_set_state"), Preferred),
    program("kprobe_state", Kprobe("tcp_set_state"), InsteadOf("tp_state")),
    program("kprobe_listen", Kprobe("inet_csk_listen_start"), InsteadOf("tp_state")),
    program("cgroup_egress", Hook::CgroupEgress, Preferred),
    program("cgroup_ingress", Hook::CgroupIngress, Preferred),
    program("kprobe_output4", Kprobe("ip_output"), InsteadOf("cgroup_egress")),
    program("kprobe_output4_multi", Kprobe("ip_mc_output"), InsteadOf("cgroup_egress")),
    program("kprobe_output6", Kprobe("ip6_output"), InsteadOf("cgroup_egress")).ipv6(),
    program("kprobe_input", Kprobe("sk_filter_trim_cap"), InsteadOf("cgroup_ingress")),
    program("kretprobe_accept", Kprobe("inet_csk_accept"), Wanted(ACCEPT)),
    program("kprobe_bind", Kprobe("udp_v4_get_port"), Wanted(BIND)).also("udp_v6_get_port"),
    program("cgroup_bind4", Hook::CgroupSock, Wanted(BOUND)),
    program("cgroup_bind6", Hook::CgroupSock, Wanted(BOUND)).ipv6(),
    program("kprobe_udp_received", Kprobe("udp_recvmsg"), Wanted(RECEIVER)).also("udpv6_recvmsg"),
    program("cgroup_release", Hook::CgroupSock, Unskipped),
    program("kprobe_closed", Kprobe("udp_destroy_sock"), Unless("cgroup_release", RELEASE))
        .also("udpv6_destroy_sock"),
];

/// The `kprobe` set on kernels without ring buffers: kprobes and tracepoints only, as programs on packets of
/// cgroups cannot read the kernel's memory there, and raw tracepoints are of 4.17.
const EARLY: [Program; 17] = [
    program("kprobe_opened", Kprobe("tcp_set_state"), Required),
    program("kprobe_established", Kprobe("tcp_set_state"), Required),
    program("kprobe_ended", Kprobe("tcp_set_state"), Required),
    program("kprobe_listen", Kprobe("inet_csk_listen_start"), Required),
    program("kprobe_output4", Kprobe("ip_output"), Required),
    program("kprobe_output4_multi", Kprobe("ip_mc_output"), Required),
    program("kprobe_output6", Kprobe("ip6_output"), Required).ipv6(),
    program("kprobe_input", Kprobe("sk_filter_trim_cap"), Required),
    program("kretprobe_accept", Kprobe("inet_csk_accept"), Wanted(ACCEPT)),
    program("kprobe_bind", Kprobe("udp_v4_get_port"), Wanted(BIND)).also("udp_v6_get_port"),
    program("kprobe_tcp_received", Kprobe("tcp_rcv_space_adjust"), Wanted(RECEIVER)),
    program("kprobe_udp_received", Kprobe("udp_recvmsg"), Wanted(RECEIVER)).also("udpv6_recvmsg"),
    program("kprobe_closed", Kprobe("udp_destroy_sock"), Wanted(RELEASE))
        .also("udpv6_destroy_sock"),
    // Renamed in 5.17 and 6.11.
    program(
        "kprobe_dropped",
        KprobeAny(&["sk_skb_reason_drop", "kfree_skb_reason", "kfree_skb"]),
        Wanted(LATE),
    ),
    program("early_exec", Tracepoint("sched", "sched_process_exec"), Wanted(PROCESSES)),
    program("early_fork", Kprobe("wake_up_new_task"), Wanted(PROCESSES)),
    program("early_exit", Tracepoint("sched", "sched_process_exit"), Wanted(PROCESSES)),
];

/// The programs of the `kprobe` set on kernels without ring buffers.
pub fn early() -> Vec<Program> {
    EARLY.to_vec()
}

/// The programs of a set, those that open tables first. `Auto` has none.
pub fn hooks(set: HookSet) -> Vec<Program> {
    let own: &[Program] = match set {
        HookSet::Auto | HookSet::Tracefs => return Vec::new(),
        HookSet::Fentry => &FENTRY,
        HookSet::Kprobe => &KPROBE,
        HookSet::Cgroup => &CGROUP,
    };
    [&FIRST, own, &SHARED, &HIDDEN].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Degraded;

    #[test]
    fn effects_say_whether_packets_are_missing() {
        let loses = |effect| {
            let (hook, reason) = (String::new(), String::new());
            Degraded { hook, reason, effect }.loses_packets()
        };
        assert!([LATE, REPLIES].into_iter().all(loses));
        assert!(
            ![ACCEPT, BIND, BOUND, PROCESSES, RECEIVER, RELEASE, SKIPPED_CHANGES]
                .into_iter()
                .any(loses)
        );
    }
}
