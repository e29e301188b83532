//! The probes and tracepoints of the set.

/// Kind of event that a probe or tracepoint reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tracefs) enum Observation {
    /// A packet is sent.
    Sent,
    /// A packet is received by a socket.
    Received,
    /// A packet that ends a handshake goes to the new socket.
    Child,
    /// A packet is dropped.
    Dropped,
    /// A packet is dropped, as the tracepoint `kfree_skb` reports it: without its headers.
    DropTracepoint,
    /// A TCP socket changes its state.
    State,
    /// A TCP socket begins to listen.
    Listen,
    /// A connection is handed to a process.
    Accepted,
    /// A process takes TCP data.
    TcpTaken,
    /// A process takes UDP data.
    UdpTaken,
    /// A UDP socket takes a port.
    Bound,
    /// A UDP socket is closed.
    UdpClosed,
    /// A process or thread changes.
    Task(Task),
}

/// Kind of change of a process or thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tracefs) enum Task {
    /// A thread begins.
    Fork,
    /// A process has a new image.
    Exec,
    /// The path of the image that a process is about to have.
    ExecPath,
    /// A thread ends.
    Exit,
    /// A thread takes other credentials.
    Credentials,
    /// A process moves to another cgroup.
    Moved,
}

/// Consequence of a probe that cannot be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tracefs) enum Missing {
    /// The set cannot run.
    Fatal,
    /// Something is less exact, which the text says.
    Worse(&'static str),
}

/// One probe.
#[derive(Clone, Copy, Debug)]
pub(in crate::tracefs) struct Probe {
    /// Name of the probe in its group.
    pub(in crate::tracefs) event: &'static str,
    /// Functions it can be put on; the first that the kernel has is taken.
    pub(in crate::tracefs) functions: &'static [&'static str],
    /// On the return from the function.
    pub(in crate::tracefs) returns: bool,
    pub(in crate::tracefs) observation: Observation,
    pub(in crate::tracefs) missing: Missing,
    /// Whether the probe is of no use without IPv6.
    pub(in crate::tracefs) ipv6: bool,
}

/// A tracepoint that is used as it is.
#[derive(Clone, Copy, Debug)]
pub(in crate::tracefs) struct Tracepoint {
    /// Directory below `events`.
    pub(in crate::tracefs) path: &'static str,
    pub(in crate::tracefs) observation: Observation,
    pub(in crate::tracefs) effect: &'static str,
}

use Missing::{Fatal, Worse};

const ACCEPT: &str = "the first to send or receive owns an accepted connection";
const BIND: &str = "UDP servers are known only once they answer";
const CHILD: &str = "on kernels of about 4.4 the last packet of a handshake is not counted";
const LATE: &str = "the last packets of closed connections (TIME_WAIT) are not counted";
const LISTEN: &str = "accepted connections are owned by whoever accepts or uses them";
const MULTICAST: &str = "multicast and broadcast that is sent is not counted";
const PROCESSES: &str = "short-lived processes are known by name only";
const RECEIVER: &str = "a process that only receives on a socket it was given is not its owner";
const RELEASE: &str = "UDP flows end by timeout, not when the socket is closed";
const IDS: &str = "changes of user and group of a running process are not seen";
const CGROUPS: &str = "processes that move to another cgroup are shown in the old one";

const fn probe(
    event: &'static str,
    functions: &'static [&'static str],
    observation: Observation,
    missing: Missing,
) -> Probe {
    Probe { event, functions, returns: false, observation, missing, ipv6: false }
}

const fn ipv6(probe: Probe) -> Probe {
    Probe { ipv6: true, ..probe }
}

/// The probe on programs that are executed. It reads more than their arguments, and most often further
/// than there is memory.
pub(in crate::tracefs) const EXEC: &str = "exec";
/// The probe on packets that are dropped, of all kinds: most are none of the agent's, and have no device, whose
/// network namespace it reads.
pub(in crate::tracefs) const DROPPED: &str = "dropped";

/// All probes. The first alternative of each is that of the newest kernels.
pub(in crate::tracefs) const PROBES: [Probe; 20] = [
    probe("state", &["tcp_set_state"], Observation::State, Fatal),
    probe("listen", &["inet_csk_listen_start"], Observation::Listen, Worse(LISTEN)),
    probe("output4", &["ip_output"], Observation::Sent, Fatal),
    probe("output4_multi", &["ip_mc_output"], Observation::Sent, Worse(MULTICAST)),
    ipv6(probe(
        "output6",
        &["ip6_output"],
        Observation::Sent,
        Worse("IPv6 packets sent are not counted"),
    )),
    // Before 4.7 the filter is called by its old name.
    probe("input", &["sk_filter_trim_cap", "sk_filter"], Observation::Received, Fatal),
    // Kernels of about 4.4 do not ask the filter for these; older ones do, and are left without the probe.
    probe("child", &["tcp_child_process"], Observation::Child, Worse(CHILD)),
    Probe {
        returns: true,
        ..probe("accept", &["inet_csk_accept"], Observation::Accepted, Worse(ACCEPT))
    },
    probe("tcp_taken", &["tcp_rcv_space_adjust"], Observation::TcpTaken, Worse(RECEIVER)),
    probe("udp_taken4", &["udp_recvmsg"], Observation::UdpTaken, Worse(RECEIVER)),
    ipv6(probe("udp_taken6", &["udpv6_recvmsg"], Observation::UdpTaken, Worse(RECEIVER))),
    probe("bind4", &["udp_v4_get_port"], Observation::Bound, Worse(BIND)),
    ipv6(probe("bind6", &["udp_v6_get_port"], Observation::Bound, Worse(BIND))),
    probe("closed4", &["udp_destroy_sock"], Observation::UdpClosed, Worse(RELEASE)),
    ipv6(probe("closed6", &["udpv6_destroy_sock"], Observation::UdpClosed, Worse(RELEASE))),
    // Renamed in 6.11 and 5.17.
    probe(
        DROPPED,
        &["sk_skb_reason_drop", "kfree_skb_reason", "kfree_skb"],
        Observation::Dropped,
        Worse(LATE),
    ),
    probe("fork", &["wake_up_new_task"], Observation::Task(Task::Fork), Worse(PROCESSES)),
    probe(EXEC, &["proc_exec_connector"], Observation::Task(Task::Exec), Worse(PROCESSES)),
    probe("exit", &["taskstats_exit"], Observation::Task(Task::Exit), Worse(PROCESSES)),
    probe("creds", &["commit_creds"], Observation::Task(Task::Credentials), Worse(IDS)),
];

/// All tracepoints.
pub(in crate::tracefs) const TRACEPOINTS: [Tracepoint; 3] = [
    Tracepoint {
        path: "sched/sched_process_exec",
        observation: Observation::Task(Task::ExecPath),
        effect: PROCESSES,
    },
    Tracepoint {
        path: "cgroup/cgroup_attach_task",
        observation: Observation::Task(Task::Moved),
        effect: CGROUPS,
    },
    // Tells of the same as the probe on drops, and is never skipped.
    Tracepoint {
        path: "skb/kfree_skb",
        observation: Observation::DropTracepoint,
        effect: "programs_missed also counts drops of no connection that the probe on drops was skipped for, and before \
                 5.14 its reads that failed",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_names_of_their_own() {
        let mut names: Vec<_> = PROBES.iter().map(|probe| probe.event).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PROBES.len());
        assert!(PROBES.iter().all(|probe| !probe.functions.is_empty()));
    }
}
