//! What to do, from what the host is like. Nothing here touches it.

use std::{fmt, fs};

use crate::{
    AuditConfig, LoadRules, SocketType,
    netlink::{Control, Fault, RequestError, Status, Transport},
    rules::RuleSet,
};
use linux::Kernel;

/// The first kernel with multicast.
const MULTICAST: (u32, u32) = (3, 16);

/// The program that owns the audit socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// Process id.
    pub pid: u32,
    /// Name of the process, if it can be seen.
    pub name: String,
}

/// State of the host's audit framework at the start.
#[derive(Debug)]
pub struct Situation {
    /// What the kernel says of itself, or why it does not.
    pub status: Result<Status, RequestError>,
    /// Who owns the audit socket, if it lives.
    pub daemon: Option<Daemon>,
    /// Major and minor number of the kernel.
    pub kernel: (u32, u32),
}

/// Way in which records come from the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To this process, as the audit daemon.
    Unicast,
    /// To this process too.
    Multicast,
}

/// Decisions taken at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Way in which records come from the kernel.
    pub mode: Mode,
    /// Whether the rules of the configuration replace those of the kernel.
    pub load_rules: bool,
    /// Whether backlog, rate, failure mode and wait time are set.
    pub configure: bool,
    /// Whether auditing is switched on.
    pub enable: bool,
    /// Why records come that way.
    pub reason: String,
    /// What the user has asked for and does not get.
    pub warnings: Vec<String>,
}

/// Reasons for which a session cannot start.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The kernel does not answer.
    #[error(transparent)]
    Kernel(RequestError),
    /// The socket is another's.
    #[error(
        "socket_type: unicast, but {0} owns the audit socket; stop it, or use socket_type: \
         multicast or auto to listen beside it"
    )]
    Owned(Daemon),
}

// === impl Daemon ===

impl fmt::Display for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)
    }
}

// === impl Situation ===

impl Situation {
    /// Looks. Changes nothing.
    pub fn look<T: Transport>(control: &mut Control<T>) -> Self {
        let status = control.status();
        let daemon = status.as_ref().ok().and_then(|status| owner(status.pid));
        Self { status, daemon, kernel: Kernel::running().version() }
    }
}

/// The process of that id. The kernel notices the end of an owner only when it has a record for it.
fn owner(pid: u32) -> Option<Daemon> {
    if pid == 0 || pid == std::process::id() {
        return None;
    }
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(Daemon { pid, name: name.trim_end().to_owned() })
}

/// Decides how a session runs on this host.
///
/// # Errors
/// The kernel has no audit framework, or unicast was asked for and cannot be had.
pub fn decide(config: &AuditConfig, situation: Situation) -> Result<Plan, PlanError> {
    let Situation { status, daemon, kernel } = situation;
    let has_rules =
        config.rules.as_ref().is_some_and(|RuleSet { commands, .. }| !commands.is_empty());
    let wants_rules = has_rules && config.load_rules != LoadRules::Never;
    let status = match status {
        Ok(status) => status,
        Err(error) => return without_status(config, error, kernel, wants_rules),
    };
    let locked = status.is_locked();
    let has_multicast = kernel >= MULTICAST;
    let (mode, reason) = mode(config, daemon.as_ref(), has_multicast, locked, wants_rules)?;
    let mut warnings = Vec::new();
    let mut load_rules = wants_rules;
    if wants_rules && locked {
        load_rules = false;
        warnings.push(
            "the rules of the configuration are not loaded: those of the kernel are locked until \
             the next boot"
                .to_owned(),
        );
    } else if wants_rules
        && config.load_rules == LoadRules::Auto
        && let Some(daemon) = &daemon
    {
        load_rules = false;
        warnings.push(format!(
            "the rules of the configuration are not loaded: {daemon} owns the audit socket, and \
             its rules stay; stop it, or write audit.load_rules: always"
        ));
    }
    if config.immutable && daemon.is_some() {
        warnings.push(
            "immutable has no effect: another program owns the audit socket and its settings"
                .to_owned(),
        );
    }
    let may_change = !locked && daemon.is_none();
    if !may_change && status.enabled == 0 {
        warnings.push(
            "auditing is switched off, and its owner would have to switch it on: `auditctl -e 1`"
                .to_owned(),
        );
    }
    Ok(Plan {
        mode,
        load_rules,
        configure: mode == Mode::Unicast && may_change,
        enable: may_change,
        reason,
        warnings,
    })
}

/// The way in which records come, and the reason for it.
fn mode(
    config: &AuditConfig,
    daemon: Option<&Daemon>,
    has_multicast: bool,
    locked: bool,
    wants_rules: bool,
) -> Result<(Mode, String), PlanError> {
    Ok(match (config.socket_type, daemon) {
        (SocketType::Unicast, Some(daemon)) => return Err(PlanError::Owned(daemon.clone())),
        (SocketType::Unicast, None) => (Mode::Unicast, "socket_type: unicast".to_owned()),
        (_, Some(daemon)) => (Mode::Multicast, format!("{daemon} owns the audit socket")),
        (_, None) if !has_multicast => {
            (Mode::Unicast, "this kernel is older than 3.16 and has no multicast".to_owned())
        }
        (SocketType::Multicast, None) => (Mode::Multicast, "socket_type: multicast".to_owned()),
        (SocketType::Auto, None) if locked && !config.immutable => {
            (Mode::Multicast, "the audit settings are locked until the next boot".to_owned())
        }
        (SocketType::Auto, None) if wants_rules || config.immutable => {
            (Mode::Unicast, "nobody owns the audit socket".to_owned())
        }
        (SocketType::Auto, None) => (Mode::Multicast, "there are no rules to load".to_owned()),
    })
}

/// Without `CAP_AUDIT_CONTROL` there is still multicast.
fn without_status(
    config: &AuditConfig,
    error: RequestError,
    kernel: (u32, u32),
    wants_rules: bool,
) -> Result<Plan, PlanError> {
    let refused =
        matches!(&error.fault, Fault::Refused(_)) && error.fault.errno() == Some(libc::EPERM);
    if !refused || config.socket_type == SocketType::Unicast || kernel < MULTICAST {
        return Err(PlanError::Kernel(error));
    }
    let mut warnings = Vec::new();
    if wants_rules {
        warnings.push(
            "the rules of the configuration are not loaded: that needs CAP_AUDIT_CONTROL in the \
             initial user and pid namespace"
                .to_owned(),
        );
    }
    Ok(Plan {
        mode: Mode::Multicast,
        load_rules: false,
        configure: false,
        enable: false,
        reason: "without CAP_AUDIT_CONTROL".to_owned(),
        warnings,
    })
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
