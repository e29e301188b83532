//! Options of the audit dataset, as rows.

use audit::{
    AuditConfig, Backpressure, LoadRules, SocketType,
    document::Schema,
    rules::{FailureMode, PermCalls},
};
use config::rows::{Bounds::AboveZero, Kind::*, Known, Setting, handled, pointless, used};

/// The text with rules; read apart, as its lines are places of problems.
pub(super) const RULES: &str = "audit_rules";
/// The list of files with rules; read apart, as it is a list.
pub(super) const RULE_FILES: &str = "audit_rule_files";

/// Words for [`FailureMode`].
const FAILURE_MODES: &[&str] = &["silent", "log", "panic"];
/// Words for [`Schema`].
const SCHEMAS: &[&str] = &["ecs", "kernel"];

/// Keys of `module: auditd`.
#[rustfmt::skip]
pub(super) static ROWS: &[Setting<AuditConfig>] = &[
    used("socket_type", "auto", Choice(SocketType::NAMES, |c, v| c.socket_type = SocketType::from_name(v).unwrap_or_default()),
        "How events come: unicast as the one audit daemon, multicast beside another; auto takes what fits."),
    used("immutable", "false", Switch(|c, v| c.immutable = v),
        "Whether rules and settings are locked until the next boot once they are loaded."),
    used("resolve_ids", "true", Switch(|c, v| c.resolve_ids = v),
        "Whether numbers of users and groups get their names."),
    used("failure_mode", "silent", Choice(FAILURE_MODES, |c, v| c.failure_mode = failure_mode(v)),
        "What the kernel does when it must lose a record: nothing, a line in its log, or stop the machine."),
    used("backlog_limit", "8192", Count(0, u32::MAX, |c, v| c.backlog_limit = v),
        "Records that may wait in the kernel; 0 for no limit."),
    used("rate_limit", "0", Count(0, u32::MAX, |c, v| c.rate_limit = v),
        "Records a second, more are lost; 0 for no limit."),
    used("include_raw_message", "false", Switch(|c, v| c.include_raw_message = v),
        "Whether documents hold the text of their records."),
    used("include_warnings", "false", Switch(|c, v| c.include_warnings = v),
        "Whether documents tell what was strange about their records, with the text."),
    used("ignore_errors", "false", Switch(|c, v| c.ignore_errors = v),
        "Whether rules that are wrong are left out with a warning; otherwise none is loaded."),
    used("backpressure_strategy", "auto", Choice(Backpressure::NAMES, |c, v| c.backpressure = Backpressure::from_name(v).unwrap_or_default()),
        "What gives way when there are more events than can be written."),
    used("reassembler.max_in_flight", "50", Count(1, 1 << 20, |c, v| c.max_in_flight = v),
        "Events that may wait for the rest of their records."),
    used("reassembler.timeout", "2s", Duration(AboveZero, |c, v| c.timeout = v),
        "How long an event waits for the rest of its records."),
    used("reassembler.queue_size", "8192", Count(1, 1 << 24, |c, v| c.queue_size = v),
        "Records that may wait in the agent."),
    used("audit.schema", "ecs", Choice(SCHEMAS, |c, v| c.schema = if v == "kernel" { Schema::Kernel } else { Schema::Ecs }),
        "Form of the documents: ECS with auditd.*, or audit.kernel.* as the original metricset had it."),
    used("audit.restore_rules", "false", Switch(|c, v| c.restore_rules = v),
        "Whether rules and settings are put back as they were when the agent ends."),
    used("audit.load_rules", "auto", Choice(LoadRules::NAMES, |c, v| c.load_rules = LoadRules::from_name(v).unwrap_or_default()),
        "Whether the rules replace those of the kernel: auto unless another program owns the audit socket."),
    used("audit.perm_calls", "all", Choice(PermCalls::NAMES, |c, v| c.perm_calls = PermCalls::from_name(v).unwrap_or_default()),
        "Which calls a rule with -F perm and -F arch is about: all, or those that audit user space 4 lists."),
    used("audit.receive_buffer", "16MiB", PowerOfTwo(1 << 16, 1 << 30, |c, v| c.receive_buffer = v),
        "Size of the socket's buffer for records."),
];

/// Keys that are known by name.
#[rustfmt::skip]
pub(super) const KNOWN: &[Known] = &[
    handled(RULES, "Audit rules in auditctl's language, one a line."),
    handled(RULE_FILES, "List of files with audit rules; * and ? in a name stand for several, taken in order."),
    handled("kernel", "Former prefix of all these keys."),
    pointless("stream_buffer_consumers", "records of the kernel are taken by one thread, in order"),
];

fn failure_mode(name: &str) -> FailureMode {
    match name {
        "log" => FailureMode::Log,
        "panic" => FailureMode::Panic,
        _ => FailureMode::Silent,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn written_defaults_are_the_real_ones() {
        // Values that no row has as its default, so that a row without effect is noticed.
        let mut config = AuditConfig {
            socket_type: SocketType::Unicast,
            immutable: true,
            resolve_ids: false,
            failure_mode: FailureMode::Panic,
            backlog_limit: 1,
            rate_limit: 1,
            include_raw_message: true,
            include_warnings: true,
            rules: None,
            ignore_errors: true,
            backpressure: Backpressure::Both,
            max_in_flight: 1,
            timeout: Duration::ZERO,
            queue_size: 1,
            schema: Schema::Kernel,
            restore_rules: true,
            load_rules: LoadRules::Never,
            perm_calls: PermCalls::Listed,
            receive_buffer: 1,
        };
        for setting in ROWS.iter().filter(|setting| !setting.default.is_empty()) {
            let applied = setting.kind.apply(&mut config, setting.default);
            assert!(applied.is_ok(), "{} = {}", setting.key, setting.default);
        }
        assert_eq!(config, AuditConfig::default());
    }

    #[test]
    fn every_name_means_something_else() {
        let all: Vec<_> =
            SocketType::NAMES.iter().map(|name| SocketType::from_name(name)).collect();
        assert_eq!(all, [SocketType::Auto, SocketType::Unicast, SocketType::Multicast].map(Some));
        let all: Vec<_> = LoadRules::NAMES.iter().map(|name| LoadRules::from_name(name)).collect();
        assert_eq!(all, [LoadRules::Auto, LoadRules::Always, LoadRules::Never].map(Some));
        let all: Vec<_> = PermCalls::NAMES.iter().map(|name| PermCalls::from_name(name)).collect();
        assert_eq!(all, [PermCalls::All, PermCalls::Listed].map(Some));
        assert!(Backpressure::NAMES.iter().all(|name| Backpressure::from_name(name).is_some()));
        assert_eq!(FAILURE_MODES.iter().map(|name| failure_mode(name).number()).sum::<u32>(), 3);
    }
}
