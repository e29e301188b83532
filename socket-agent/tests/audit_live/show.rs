//! `socket-agent show`, held against auditctl.

use crate::host::{Host, needs, run};

const AGENT: &str = env!("CARGO_BIN_EXE_socket-agent");

#[test]
fn rules_and_status_are_those_of_auditctl() {
    let host = or_skip!(Host::take());
    or_skip!(needs("auditctl", "install auditd"));
    assert_eq!(run(AGENT, &["show", "auditd-rules"]), "No rules\n");
    assert_eq!(run(AGENT, &["show", "auditd-rules", "-z"]), "");
    run("auditctl", &["-w", "/etc/passwd", "-p", "wa", "-k", "identity"]);
    run("auditctl", &["-a", "always,exit", "-F", "arch=b64", "-S", "openat", "-F", "uid=0"]);
    assert_eq!(run(AGENT, &["show", "auditd-rules", "-n"]), run("auditctl", &["-l"]));
    let named = run(AGENT, &["show", "auditd-rules"]);
    assert!(named.ends_with("-S openat -F uid=root\n"), "{named}");

    let theirs = run("auditctl", &["-s"]);
    let ours = run(AGENT, &["show", "auditd-status"]);
    let settings = ours.lines().filter(|line| !line.starts_with("features "));
    for line in settings {
        assert!(theirs.lines().any(|it| it == line), "{line}: {theirs}");
    }
    assert!(ours.lines().count() >= 8, "{ours}");
    let single = run(AGENT, &["show", "auditd-status", "-s"]);
    assert_eq!(single.trim_end(), ours.trim_end().replace('\n', " "));
    drop(host);
}
