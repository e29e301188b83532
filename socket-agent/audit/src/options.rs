//! Settings of the audit dataset.

use std::time::Duration;

use super::{
    document::Schema,
    rules::{FailureMode, PermCalls, RuleSet},
};

/// Kind of the netlink socket on which events come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SocketType {
    /// Unicast where the agent may own the audit socket and has rules to load, else multicast.
    #[default]
    Auto,
    /// As the one audit daemon of the host.
    Unicast,
    /// Beside a daemon, or without one; Linux 3.16.
    Multicast,
}

/// What gives way when documents are made more slowly than events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backpressure {
    /// `Kernel` where the kernel can, else `Userspace`.
    #[default]
    Auto,
    /// The kernel drops and counts what does not fit into its backlog, rather than hold up the
    /// audited process; Linux 3.14.
    Kernel,
    /// The agent drops and counts what does not fit into its own queue.
    Userspace,
    /// `Kernel` and `Userspace` together.
    Both,
    /// Neither: audited processes may have to wait.
    None,
}

/// When the rules of the configuration replace those of the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadRules {
    /// Unless another program owns the audit socket.
    #[default]
    Auto,
    /// They replace those of the kernel even if another program owns the audit socket.
    Always,
    /// They are checked, but not loaded.
    Never,
}

/// Settings of the audit dataset, the keys of `module: auditd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditConfig {
    /// `socket_type`.
    pub socket_type: SocketType,
    /// `immutable`: lock rules and settings until the next boot.
    pub immutable: bool,
    /// `resolve_ids`: add the names of users and groups.
    pub resolve_ids: bool,
    /// `failure_mode`.
    pub failure_mode: FailureMode,
    /// `backlog_limit`: records that may wait in the kernel.
    pub backlog_limit: u32,
    /// `rate_limit`: records a second; 0 for no limit.
    pub rate_limit: u32,
    /// `include_raw_message`.
    pub include_raw_message: bool,
    /// `include_warnings`.
    pub include_warnings: bool,
    /// `audit_rules`, then `audit_rule_files`; `None` if neither is there.
    pub rules: Option<RuleSet>,
    /// `ignore_errors`: go on with the rules that are right, and that the kernel takes.
    pub ignore_errors: bool,
    /// `backpressure_strategy`.
    pub backpressure: Backpressure,
    /// `reassembler.max_in_flight`: events that may wait for records.
    pub max_in_flight: u32,
    /// `reassembler.timeout`: how long they wait.
    pub timeout: Duration,
    /// `reassembler.queue_size`: records that may wait in the agent.
    pub queue_size: u32,
    /// `audit.schema`.
    pub schema: Schema,
    /// `audit.restore_rules`: when the agent ends, put rules and settings back as they were.
    pub restore_rules: bool,
    /// `audit.load_rules`.
    pub load_rules: LoadRules,
    /// `audit.perm_calls`: which calls a rule with `-F perm` and `-F arch` is about.
    pub perm_calls: PermCalls,
    /// `audit.receive_buffer`: bytes that may wait in the socket.
    pub receive_buffer: u32,
}

// === impl SocketType ===

impl SocketType {
    /// The names that [`SocketType::from_name`] knows.
    pub const NAMES: &'static [&'static str] = &["auto", "unicast", "multicast"];

    /// By its name in the configuration.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Auto, Self::Unicast, Self::Multicast];
        all.into_iter().zip(Self::NAMES).find(|(_, known)| **known == name).map(|(kind, _)| kind)
    }
}

// === impl Backpressure ===

impl Backpressure {
    /// The names that [`Backpressure::from_name`] knows; `user-space` is how Auditbeat writes it.
    pub const NAMES: &'static [&'static str] =
        &["auto", "kernel", "userspace", "user-space", "both", "none"];

    /// By its name in the configuration.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "auto" => Self::Auto,
            "kernel" => Self::Kernel,
            "userspace" | "user-space" => Self::Userspace,
            "both" => Self::Both,
            "none" => Self::None,
            _ => return None,
        })
    }
}

// === impl LoadRules ===

impl LoadRules {
    /// The names that [`LoadRules::from_name`] knows.
    pub const NAMES: &'static [&'static str] = &["auto", "always", "never"];

    /// By its name in the configuration.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Auto, Self::Always, Self::Never];
        all.into_iter().zip(Self::NAMES).find(|(_, known)| **known == name).map(|(kind, _)| kind)
    }
}

// === impl AuditConfig ===

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            socket_type: SocketType::Auto,
            immutable: false,
            resolve_ids: true,
            failure_mode: FailureMode::Silent,
            backlog_limit: 8192,
            rate_limit: 0,
            include_raw_message: false,
            include_warnings: false,
            rules: None,
            ignore_errors: false,
            backpressure: Backpressure::Auto,
            max_in_flight: 50,
            timeout: Duration::from_secs(2),
            queue_size: 8192,
            schema: Schema::Ecs,
            restore_rules: false,
            load_rules: LoadRules::Auto,
            perm_calls: PermCalls::All,
            receive_buffer: 16 << 20,
        }
    }
}
