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

    let theirs = settled(&run("auditctl", &["-s"]));
    let ours = run(AGENT, &["show", "auditd-status"]);
    let settings = settled(&ours);
    for line in settings.iter().filter(|line| !line.starts_with("features ")) {
        assert!(theirs.contains(line), "{line}: {theirs:?}");
    }
    assert!(settings.len() >= 8, "{ours}");
    let single = run(AGENT, &["show", "auditd-status", "-s"]);
    let words: Vec<_> = settings.iter().map(|line| line.split(' ').next().unwrap_or("")).collect();
    let found = words.iter().filter(|word| single.split(' ').any(|it| it == **word)).count();
    assert_eq!((single.lines().count(), found), (1, words.len()), "{single}");
    drop(host);
}

/// Lines of a status, without the values that change while nobody changes a setting.
fn settled(status: &str) -> Vec<String> {
    const MOVING: [&str; 3] = ["lost", "backlog", "backlog_wait_time_actual"];
    let line = |line: &str| match line.split_once(' ') {
        Some((name, _)) if MOVING.contains(&name) => name.to_owned(),
        _ => line.to_owned(),
    };
    status.lines().map(line).collect()
}
