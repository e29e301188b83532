//! Options of the socket dataset, as rows.

use config::rows::{
    Bounds::{AboveZero, ZeroToo},
    Kind::*,
    Known, Setting, pointless, used, without_meaning,
};
use sensor::{DnsType, HookSet, RecordBuffer, SocketConfig, SocketEvents};

/// Entries a table can be given; the largest takes some gigabytes.
const MOST: u32 = 1 << 24;

/// Keys of `socket.*`, as written in a module.
#[rustfmt::skip]
pub(super) static ROWS: &[Setting<SocketConfig>] = &[
    used("socket.hooks", "auto", Choice(HookSet::NAMES, |c, v| c.hooks = HookSet::from_name(v).unwrap_or_default()),
        "Programs that observe sockets; auto takes the best that this kernel can attach."),
    used("socket.btf", "", Path(|c, v| c.btf = Some(v)),
        "File with the kernel's type information, where the kernel itself has none."),
    used("socket.enable_ipv6", "", Switch(|c, v| c.enable_ipv6 = Some(v)),
        "Whether IPv6 is observed; unset means if the kernel has it."),
    used("socket.flow_inactive_timeout", "30s", Duration(AboveZero, |c, v| c.flow_inactive_timeout = v),
        "A flow without packets for this long is reported and ends."),
    used("socket.flow_termination_timeout", "5s", Duration(ZeroToo, |c, v| c.flow_termination_timeout = v),
        "Packets that arrive this long after the socket closed still belong to its flow."),
    used("socket.socket_inactive_timeout", "1m", Duration(AboveZero, |c, v| c.socket_inactive_timeout = v),
        "A socket without packets for this long is forgotten."),
    used("socket.flow_report_period", "5m", Duration(ZeroToo, |c, v| c.flow_report_period = v),
        "Pause between two reports of a flow that goes on; 0 turns them off."),
    used("socket.clock_sync_period", "10s", Duration(AboveZero, |c, v| (c.clock_sync_period, c.tracefs.clock_sync_period) = (v, v)),
        "Pause between two comparisons of the kernel's clock with the wall clock."),
    used("socket.clock_max_drift", "100ms", Duration(AboveZero, |c, v| (c.clock_max_drift, c.tracefs.clock_max_drift) = (v, v)),
        "A larger change between two comparisons is logged and counted as a step of the wall clock."),

    used("socket.events", "listeners", Choice(SocketEvents::NAMES, |c, v| c.events = SocketEvents::from_name(v).unwrap_or_default()),
        "Sockets that are reported when they open and close: off, listeners, or all, with TCP connections."),
    used("state.period", "12h", Duration(ZeroToo, |c, v| c.module_state_period = v),
        "Pause between two reports of all that exists, of every dataset of the module; 0s for none."),
    used("socket.state.period", "", Duration(ZeroToo, |c, v| c.own_state_period = Some(v)),
        "The same for open sockets alone."),

    used("socket.tables.flows", "131072", Count(1, MOST, |c, v| c.tables.flows = v),
        "Sockets with traffic at one time."),
    used("socket.tables.peers", "65536", Count(1, MOST, |c, v| c.tables.peers = v),
        "Peers of UDP sockets beyond the first of each."),
    used("socket.tables.owners", "32768", Count(1, MOST, |c, v| c.tables.owners = v),
        "Listening and bound sockets."),
    used("socket.tables.pending", "65536", Count(1, MOST, |c, v| c.tables.pending = v),
        "TCP handshakes under way."),
    used("socket.tables.late", "65536", Count(1, MOST, |c, v| c.tables.late = v),
        "Closed connections whose last packets are awaited."),
    used("socket.tables.spill", "65536", Count(1, MOST, |c, v| c.tables.spill = v),
        "Closed flows that wait while the ring is full."),
    used("socket.tables.ring", "4MiB", PowerOfTwo(4096, 1 << 30, |c, v| c.tables.ring = v),
        "Size of the ring through which closed flows leave the kernel."),
    used("socket.record_buffer", "auto", Choice(RecordBuffer::NAMES, |c, v| c.buffer = RecordBuffer::from_name(v).unwrap_or_default()),
        "How records leave the kernel: by a ring buffer (5.8), by the perf rings of each CPU, which only kprobe can, or auto, the first that can be had."),

    used("socket.dns.enabled", "true", Switch(|c, v| c.dns.enabled = v),
        "Whether names come from DNS traffic."),
    used("socket.dns.type", "auto", Choice(DnsType::NAMES, |c, v| c.dns.kind = DnsType::from_name(v).unwrap_or_default()),
        "How DNS traffic is seen: at sockets by cgroup programs, at interfaces by af_packet, or auto, the first that can be had."),
    used("socket.dns.names", "65536", Count(1, MOST, |c, v| c.dns.names = v),
        "Names that are kept, one for each address and process that asked."),
    used("socket.dns.minimum_ttl", "5m", Duration(ZeroToo, |c, v| c.dns.minimum_ttl = v),
        "A name is kept this long, even if its time to live is shorter."),
    used("socket.dns.af_packet.interface", "any", Text(|c, v| v.clone_into(&mut c.dns.interface)),
        "Interface on which DNS traffic is seen, in every network namespace that has it."),
    used("socket.dns.af_packet.snaplen", "", Count(128, 262_144, |c, v| c.dns.snaplen = Some(v)),
        "Bytes kept of a DNS packet, from its IP header on; unset, 4280 of what programs hand over and 1024 of what packet sockets see."),
    used("socket.dns.af_packet.ring", "4MiB", PowerOfTwo(65_536, 1 << 30, |c, v| c.dns.ring = v),
        "Packets on their way to the agent; network namespaces other than its own have a sixteenth of it."),
    used("socket.dns.af_packet.namespaces", "128", Count(1, 65_536, |c, v| c.dns.namespaces = v),
        "Network namespaces in which DNS traffic is seen."),

    used("socket.tracefs_path", "", Path(|c, v| c.tracefs.path = Some(v)), "Where tracefs is mounted."),
    without_meaning("socket.include_localhost", "false", Switch(|_, _| ()), "loopback traffic is always reported"),
    used("socket.perf_queue_size", "4096", Count(1, u32::MAX, |c, v| c.tracefs.perf_queue_size = v), "Samples that may wait."),
    used("socket.lost_queue_size", "128", Count(1, u32::MAX, |c, v| c.tracefs.lost_queue_size = v), "Notices of lost samples that may wait."),
    without_meaning("socket.err_queue_size", "1", Count(1, u32::MAX, |_, _| ()), "errors are counted at once, none waits"),
    used("socket.ring_size_exponent", "7", Count(1, 18, |c, v| c.tracefs.ring_size_exponent = v), "Pages of each CPU's ring, as a power of two."),
    used("socket.guess_timeout", "15s", Duration(AboveZero, |c, v| c.tracefs.guess_timeout = v), "Time one guess of an offset may take."),
];

/// Keys that are known by name.
pub(super) const KNOWN: &[Known] =
    &[pointless("socket.development_mode", "it adds checks to kernel probes of Auditbeat's own")];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use sensor::DnsConfig;

    #[test]
    fn written_defaults_are_the_real_ones() {
        let mut config = SocketConfig::default();
        // Values that no row has as its default, so that a row without effect is noticed.
        config.tables.flows = 1;
        config.tables.peers = 1;
        config.tables.owners = 1;
        config.tables.pending = 1;
        config.tables.late = 1;
        config.tables.spill = 1;
        config.tables.ring = 1;
        config.flow_inactive_timeout = Duration::ZERO;
        config.flow_termination_timeout = Duration::ZERO;
        config.socket_inactive_timeout = Duration::ZERO;
        config.flow_report_period = Duration::ZERO;
        config.clock_sync_period = Duration::ZERO;
        config.clock_max_drift = Duration::ZERO;
        config.hooks = HookSet::Kprobe;
        config.dns = DnsConfig {
            enabled: false,
            kind: DnsType::Cgroup,
            names: 1,
            minimum_ttl: Duration::ZERO,
            interface: String::new(),
            snaplen: None,
            ring: 1,
            namespaces: 1,
        };
        config.events = SocketEvents::Off;
        config.module_state_period = Duration::ZERO;
        for setting in ROWS.iter().filter(|setting| !setting.default.is_empty()) {
            let applied = setting.kind.apply(&mut config, setting.default);
            assert!(applied.is_ok(), "{} = {}", setting.key, setting.default);
        }
        assert_eq!(config, SocketConfig::default());
    }
}
