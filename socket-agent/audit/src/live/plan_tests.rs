use std::io;

use super::*;
use crate::rules::{PermCalls, Source, System};

fn status(enabled: u32, pid: u32) -> Status {
    Status {
        enabled,
        failure: 1,
        pid,
        rate_limit: 0,
        backlog_limit: 64,
        lost: 0,
        backlog: 0,
        features: Some(0x7f),
        backlog_wait_time: Some(15_000),
        backlog_wait_time_actual: Some(0),
    }
}

fn free(enabled: u32) -> Situation {
    Situation { status: Ok(status(enabled, 0)), daemon: None, kernel: (6, 1) }
}

fn owned() -> Situation {
    let daemon = Daemon { pid: 7, name: "auditd".to_owned() };
    Situation { status: Ok(status(1, 7)), daemon: Some(daemon), kernel: (6, 1) }
}

fn refused(errno: i32) -> Situation {
    let fault = Fault::Refused(io::Error::from_raw_os_error(errno));
    let status = Err(RequestError { what: "asking for the status", fault });
    Situation { status, daemon: None, kernel: (6, 1) }
}

fn config(socket_type: SocketType, rules: &str) -> AuditConfig {
    let system = System::read().unwrap();
    let source = Source { name: "test", first_line: 1, text: rules.as_bytes() };
    let rules = RuleSet::read([source], &system.host(PermCalls::All), false).unwrap();
    AuditConfig { socket_type, rules: Some(rules), ..AuditConfig::default() }
}

const RULE: &str = "-w /etc/passwd -p wa";

#[test]
fn the_automatic_choice() {
    let auto = |rules, situation| decide(&config(SocketType::Auto, rules), situation).unwrap();
    let plan = auto(RULE, free(0));
    assert_eq!((plan.mode, plan.load_rules, plan.configure), (Mode::Unicast, true, true));
    assert!(plan.enable && plan.warnings.is_empty());
    let plan = auto("", free(0));
    assert_eq!((plan.mode, plan.load_rules, plan.configure), (Mode::Multicast, false, false));
    assert!(plan.enable && plan.warnings.is_empty());
    let plan = auto("", Situation { kernel: (3, 10), ..free(0) });
    assert_eq!(plan.mode, Mode::Unicast);
}

#[test]
fn a_daemon_is_left_alone() {
    let plan = decide(&config(SocketType::Auto, RULE), owned()).unwrap();
    assert_eq!(plan.mode, Mode::Multicast);
    assert!(!plan.load_rules && !plan.configure && !plan.enable);
    assert_eq!(plan.warnings.len(), 1);
    assert!(plan.warnings[0].contains("auditd (pid 7)"), "{:?}", plan.warnings);

    let explicit = decide(&config(SocketType::Multicast, RULE), owned()).unwrap();
    assert_eq!(Plan { reason: plan.reason.clone(), ..explicit }, plan);
    let owning = AuditConfig { load_rules: LoadRules::Always, ..config(SocketType::Auto, RULE) };
    let plan = decide(&owning, owned()).unwrap();
    assert!(plan.load_rules && !plan.configure && plan.warnings.is_empty());
    let error = decide(&config(SocketType::Unicast, RULE), owned()).unwrap_err().to_string();
    assert!(error.contains("auditd (pid 7) owns the audit socket; stop it"), "{error}");
}

#[test]
fn locked_rules_stay() {
    let plan = decide(&config(SocketType::Auto, RULE), free(2)).unwrap();
    assert_eq!((plan.mode, plan.warnings.len()), (Mode::Multicast, 1));
    assert!(!plan.load_rules && !plan.configure && !plan.enable);
    // What an earlier run of this agent has locked.
    let immutable = AuditConfig { immutable: true, ..config(SocketType::Auto, RULE) };
    let plan = decide(&immutable, free(2)).unwrap();
    assert_eq!((plan.mode, plan.load_rules, plan.warnings.len()), (Mode::Unicast, false, 1));
}

#[test]
fn with_the_right_to_read_alone() {
    let plan = decide(&config(SocketType::Auto, RULE), refused(libc::EPERM)).unwrap();
    assert_eq!((plan.mode, plan.load_rules, plan.warnings.len()), (Mode::Multicast, false, 1));
    let plan = decide(&config(SocketType::Multicast, ""), refused(libc::EPERM)).unwrap();
    assert!(plan.warnings.is_empty() && !plan.enable);
    let unicast = config(SocketType::Unicast, RULE);
    let error = decide(&unicast, refused(libc::EPERM)).unwrap_err().to_string();
    assert!(error.contains("grant CAP_AUDIT_CONTROL"), "{error}");
}

#[test]
fn a_kernel_without_audit_is_an_error() {
    for errno in [libc::ECONNREFUSED, libc::EPROTONOSUPPORT] {
        let error = decide(&config(SocketType::Auto, ""), refused(errno)).unwrap_err().to_string();
        for words in ["CONFIG_AUDIT=y", "audit=0", "audit=off"] {
            assert!(error.contains(words), "{error}");
        }
    }
}

#[test]
fn rules_may_be_there_to_be_checked_only() {
    let never = AuditConfig { load_rules: LoadRules::Never, ..config(SocketType::Auto, RULE) };
    let plan = decide(&never, free(1)).unwrap();
    assert_eq!((plan.mode, plan.load_rules, plan.warnings.len()), (Mode::Multicast, false, 0));
    let unicast = AuditConfig { socket_type: SocketType::Unicast, ..never };
    let plan = decide(&unicast, free(1)).unwrap();
    assert_eq!((plan.mode, plan.load_rules), (Mode::Unicast, false));
}

#[test]
fn an_owner_is_alive_and_another() {
    assert_eq!(owner(0), None);
    assert_eq!(owner(std::process::id()), None);
    // Larger than any process id can be.
    assert_eq!(owner(1 << 30), None);
    assert!(owner(1).is_some_and(|daemon| !daemon.name.is_empty()));
}
