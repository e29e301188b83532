//! Metrics of the counters of the programs.

use metrics::Metric;

use crate::{COUNTERS, Counter};

metrics::metrics! {
    /// Those of the programs, in the order of [`Counter`].
    pub METRICS;
    FLOW_TABLE_FULL = Loss {
        name: "flow_table_full",
        unit: "packets",
        counts: "packets of sockets for which the flow table had no room, those of the handshake \
            included",
        missing: "those packets",
        remedy: "raise `socket.tables.flows`, lower `socket.socket_inactive_timeout`",
    };
    PEER_TABLE_FULL = Loss {
        name: "peer_table_full",
        unit: "packets",
        counts: "packets with further peers of UDP sockets for which the peer table had no room",
        missing: "those packets",
        remedy: "raise `socket.tables.peers`",
    };
    CLOSED_LOST = Loss {
        name: "closed_lost",
        unit: "flows",
        counts: "closed flows that found ring and spill table full; by perf rings there is no \
            spill table",
        missing: "those flows",
        remedy: "raise `socket.tables.ring` and `socket.tables.spill`; give the agent more CPU",
    };
    SPILLED = Notice {
        name: "spilled",
        unit: "flows",
        counts: "closed flows that found the ring full and took the spill table",
        missing: "nothing",
        remedy: "raise `socket.tables.ring` if it grows steadily",
    };
    PROCESS_LOST = Loss {
        name: "process_lost",
        unit: "records",
        counts: "exec, fork and exit records that found the ring full",
        missing: "arguments, executable or exit of short-lived processes; no flow",
        remedy: "raise `socket.tables.ring`",
    };
    OWNER_TABLE_FULL = Loss {
        name: "owner_table_full",
        unit: "sockets",
        counts: "listeners and bound UDP sockets that found the table full",
        missing: "the owner of what comes in through them, unless a process sends or receives",
        remedy: "raise `socket.tables.owners`",
    };
    PENDING_MISSED = Loss {
        name: "pending_missed",
        unit: "connections",
        counts: "connections accepted whose handshake is not in the table: it found no room \
            there, or was given up as abandoned",
        missing: "up to three packets (more with retransmissions) and the listener as owner",
        remedy: "raise `socket.tables.pending`",
    };
    LATE_UNMATCHED = Notice {
        name: "late_unmatched",
        unit: "packets",
        counts: "packets without a live socket that belong to no held flow",
        missing: "packets for ports nobody listens on, or later than the termination timeout; \
            also SYN-ACKs and resets whose address was rewritten without connection tracking \
            (docs/counting.md#address-translation-on-this-host)",
        remedy: "raise `socket.flow_termination_timeout` if the last packets matter",
    };
    LATE_TABLE_FULL = Loss {
        name: "late_table_full",
        unit: "connections",
        counts: "closed connections whose late packets cannot be kept",
        missing: "their last packets",
        remedy: "raise `socket.tables.late`, lower `socket.flow_termination_timeout`",
    };
    UNPARSED = Loss {
        name: "unparsed",
        unit: "packets",
        counts: "packets behind more than four IPv6 extension headers, or whose IP version is \
            neither 4 nor 6, at each hook that sees them",
        missing: "those packets",
        remedy: "report it if it grows",
    };
    MIDWAY = Notice {
        name: "midway",
        unit: "flows",
        counts: "flows that began without the socket's beginning having been seen",
        missing: "what came before; expected for sockets older than the agent, and after a pause \
            longer than `socket.socket_inactive_timeout`",
        remedy: "raise that timeout if pauses are common",
    };
    LATE_LOST = Loss {
        name: "late_lost",
        unit: "packets",
        counts: "late packets whose place was needed for a new connection between the same ends, \
            with the ring full",
        missing: "those packets",
        remedy: "raise `socket.tables.ring`",
    };
    CLOSED_LOST_PACKETS = Loss {
        name: "closed_lost_packets",
        unit: "packets",
        counts: "packets of closed flows that found ring and spill table full",
        missing: "those packets",
        remedy: "raise `socket.tables.ring` and `socket.tables.spill`; give the agent more CPU",
    };
    OPEN_TABLE_FULL = Loss {
        name: "open_table_full",
        unit: "connections",
        counts: "connects, accepted connections, and connections found at the start, that found \
            the flow table full",
        missing: "the beginning: if there is room later, the flow is `midway`",
        remedy: "raise `socket.tables.flows`, lower `socket.socket_inactive_timeout`",
    };
    SOCKET_LOST = Loss {
        name: "socket_lost",
        unit: "records",
        counts: "opened and closed sockets that found the ring full",
        missing: "those documents; no flow",
        remedy: "raise `socket.tables.ring`",
    };
    DNS_DROPPED = Loss {
        name: "dns_dropped",
        unit: "packets",
        counts: "DNS packets that found a ring full",
        missing: "the names of those answers",
        remedy: "raise `socket.dns.af_packet.ring`; give the agent more CPU",
    };
    PENDING_FULL = Loss {
        name: "pending_full",
        unit: "handshakes",
        counts: "SYNs that found the table of handshakes full; with `tracefs`, handshakes that \
            gave way to others there",
        missing: "nothing if they come to nothing, as those of a flood; else what \
            `pending_missed` tells, or, where a repeated SYN found room, what came before it",
        remedy: "raise `socket.tables.pending`",
    };
}

impl Counter {
    /// All of them.
    pub const ALL: [Self; COUNTERS as usize] = [
        Self::FlowTableFull,
        Self::PeerTableFull,
        Self::ClosedLost,
        Self::Spilled,
        Self::ProcessLost,
        Self::OwnerTableFull,
        Self::PendingMissed,
        Self::LateUnmatched,
        Self::LateTableFull,
        Self::Unparsed,
        Self::Midway,
        Self::LateLost,
        Self::ClosedLostPackets,
        Self::OpenTableFull,
        Self::SocketLost,
        Self::DnsDropped,
        Self::PendingFull,
    ];

    /// Metric of the counter.
    pub const fn metric(self) -> &'static Metric {
        &METRICS[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::{format, string::String};

    use super::*;

    #[test]
    fn each_counter_has_the_metric_of_its_name() {
        for (index, counter) in Counter::ALL.into_iter().enumerate() {
            assert_eq!(counter as usize, index);
            let mut name = String::new();
            for letter in format!("{counter:?}").chars() {
                if letter.is_ascii_uppercase() && !name.is_empty() {
                    name.push('_');
                }
                name.push(letter.to_ascii_lowercase());
            }
            assert_eq!(counter.metric().name, name);
        }
    }
}
