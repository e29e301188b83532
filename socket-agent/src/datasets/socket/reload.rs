//! Which settings a running dataset takes over.

use sensor::SocketConfig;

/// Settings that only a start takes into account and that differ, by key.
pub(super) fn needs_restart(before: &SocketConfig, after: &SocketConfig) -> Vec<&'static str> {
    // All named, so that a further one has to be thought of.
    let SocketConfig {
        hooks,
        btf,
        enable_ipv6,
        flow_inactive_timeout: _,
        flow_termination_timeout: _,
        socket_inactive_timeout: _,
        flow_report_period: _,
        clock_sync_period,
        clock_max_drift,
        events,
        module_state_period: _,
        own_state_period: _,
        tables,
        buffer,
        tracefs,
        dns,
    } = after;
    let differences = [
        ("socket.hooks", before.hooks != *hooks),
        ("socket.btf", before.btf != *btf),
        ("socket.enable_ipv6", before.enable_ipv6 != *enable_ipv6),
        ("socket.clock_sync_period", before.clock_sync_period != *clock_sync_period),
        ("socket.clock_max_drift", before.clock_max_drift != *clock_max_drift),
        ("socket.events", before.events != *events),
        ("socket.tables", before.tables != *tables),
        ("socket.record_buffer", before.buffer != *buffer),
        ("options of the set tracefs", before.tracefs != *tracefs),
        ("socket.dns", before.dns != *dns),
    ];
    differences.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use sensor::HookSet;

    #[test]
    fn times_of_reports_change_while_it_runs_and_hooks_do_not() {
        let before = SocketConfig::default();
        let second = Duration::from_secs(1);
        let after = SocketConfig {
            flow_inactive_timeout: second,
            flow_termination_timeout: second,
            socket_inactive_timeout: second,
            flow_report_period: second,
            own_state_period: Some(second),
            ..before.clone()
        };
        assert_eq!(needs_restart(&before, &after), [""; 0]);
        let mut other = SocketConfig { hooks: HookSet::Kprobe, ..after };
        other.tables.late = 5;
        assert_eq!(needs_restart(&before, &other), ["socket.hooks", "socket.tables"]);
    }
}
