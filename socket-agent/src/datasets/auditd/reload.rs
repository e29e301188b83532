//! Which settings a running dataset takes over.

use std::os::fd::{AsFd, BorrowedFd};

use audit::{AuditConfig, live};

use crate::services::Updates;

/// Changed settings, for the thread that owns the audit socket.
pub(super) struct Changes(pub(super) Updates<AuditConfig>);

impl AsFd for Changes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl live::Updates for Changes {
    fn take(&self) -> Option<AuditConfig> {
        self.0.take()
    }
}

/// Settings that only a start takes into account and that differ, by key.
pub(super) fn needs_restart(before: &AuditConfig, after: &AuditConfig) -> Vec<&'static str> {
    // All named, so that a further one has to be thought of.
    let AuditConfig {
        socket_type,
        immutable,
        resolve_ids,
        failure_mode: _,
        backlog_limit: _,
        rate_limit: _,
        include_raw_message,
        include_warnings,
        rules,
        ignore_errors: _,
        backpressure,
        max_in_flight,
        timeout,
        queue_size,
        schema,
        restore_rules,
        load_rules,
        perm_calls: _,
        receive_buffer,
    } = after;
    let differences = [
        ("socket_type", before.socket_type != *socket_type),
        ("immutable", before.immutable != *immutable),
        ("resolve_ids", before.resolve_ids != *resolve_ids),
        ("include_raw_message", before.include_raw_message != *include_raw_message),
        ("include_warnings", before.include_warnings != *include_warnings),
        // Whether there are any decides how events come.
        ("audit_rules", before.rules.is_some() != rules.is_some()),
        ("backpressure_strategy", before.backpressure != *backpressure),
        ("reassembler.max_in_flight", before.max_in_flight != *max_in_flight),
        ("reassembler.timeout", before.timeout != *timeout),
        ("reassembler.queue_size", before.queue_size != *queue_size),
        ("audit.schema", before.schema != *schema),
        ("audit.restore_rules", before.restore_rules != *restore_rules),
        ("audit.load_rules", before.load_rules != *load_rules),
        ("audit.receive_buffer", before.receive_buffer != *receive_buffer),
    ];
    differences.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit::rules::{PermCalls, RuleSet, Source, System};

    #[test]
    fn rules_and_limits_change_while_it_runs() {
        let system = System::read().unwrap();
        let rules = |text: &str| {
            let source = Source { name: "f", first_line: 1, text: text.as_bytes() };
            Some(RuleSet::read([source], &system.host(PermCalls::All), false).unwrap())
        };
        let with = |text| AuditConfig { rules: rules(text), ..AuditConfig::default() };
        let before = with("-w /a -p w");
        let after = AuditConfig { backlog_limit: 7, ..with("-w /b -p w") };
        assert_eq!(needs_restart(&before, &after), [""; 0]);
        let without = AuditConfig { rules: None, queue_size: 9, ..after };
        assert_eq!(needs_restart(&before, &without), ["audit_rules", "reassembler.queue_size"]);
    }
}
