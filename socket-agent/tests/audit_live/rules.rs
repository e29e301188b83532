//! Rules loaded by the agent and by auditctl.

use std::{fs, os::unix::fs::PermissionsExt as _};

use socket_agent::audit::rules::Rule;

use crate::{
    agent::{Agent, module},
    host::{Host, needs, run},
};

const FILES: [&str; 5] = [
    include_str!("../audit_rules/data/watches.rules"),
    include_str!("../audit_rules/data/calls.rules"),
    include_str!("../audit_rules/data/fields.rules"),
    include_str!("../audit_rules/data/compare.rules"),
    include_str!("../audit_rules/data/lists.rules"),
];

/// From version 4 on, auditctl adds calls to rules with an architecture and `perm`.
fn comparable(text: &str) -> String {
    let varies = |line: &&str| line.contains("arch=") && line.contains("perm=");
    text.lines().filter(|line| !varies(line)).flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn the_kernel_has_the_same_bytes_whoever_loads_a_file() {
    let mut host = or_skip!(Host::take());
    or_skip!(needs("auditctl", "install auditd"));
    if cfg!(not(target_arch = "x86_64")) {
        println!("skipped: the rule files name calls of x86_64");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (number, rules) in FILES.iter().enumerate() {
        let path = folder.path().join(format!("{number}.rules"));
        fs::write(&path, comparable(rules)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        run("auditctl", &["-R", path.to_str().unwrap()]);
        let theirs = host.rules();
        run("auditctl", &["-D"]);

        let file = format!("audit_rule_files: [{}]\naudit.restore_rules: true", path.display());
        let agent = Agent::start(&module("", &file));
        let own = format!("-a never,exit -S all -F pid={}", agent.pid());
        let mut ours = host.rules();
        let before = ours.len();
        ours.retain(|rule| Rule::decode(rule).unwrap().to_text(None) != own);
        assert_eq!(ours.len() + 1, before, "the agent does not exclude itself");
        let words = |rules: &[Vec<u8>]| -> Vec<String> {
            rules.iter().map(|it| Rule::decode(it).unwrap().to_text(None)).collect()
        };
        assert_eq!(words(&ours), words(&theirs), "{rules}");
        assert!(ours == theirs, "the same words in other bytes: {rules}");
        assert!(agent.stop().status.success());
        assert_eq!(host.rule_texts(), [""; 0]);
    }
}

#[test]
fn a_wrong_rule_loads_nothing() {
    let mut host = or_skip!(Host::take());
    or_skip!(needs("auditctl", "install auditd"));
    run("auditctl", &["-w", "/etc/hosts", "-p", "wa", "-k", "before"]);
    run("auditctl", &["-a", "always,exit", "-S", "acct", "-k", "before"]);
    let (rules, settings) = (host.rules(), host.settings());
    let agent = || std::process::Command::new(env!("CARGO_BIN_EXE_socket-agent"));

    // By its words.
    let said = Agent::refused(agent(), &module("-w /etc -p wa\n-w relative\n-a always", ""));
    assert!(said.contains("agent.yml:5:8: ") && said.contains("agent.yml:6:"), "{said}");
    assert_eq!((host.rules(), host.settings()), (rules.clone(), settings));

    // By the kernel, which has loaded the first already: its folder is not there.
    let refused = "-w /etc/passwd -p wa\n-w /nonexistent/folder/file -p wa";
    let said = Agent::refused(agent(), &module(refused, "backlog_limit: 77\nfailure_mode: log"));
    assert!(said.contains("agent.yml:5:5: `-w /nonexistent/folder/file -p wa`"), "{said}");
    assert!(said.contains("the rules that were there are back"), "{said}");
    assert_eq!((host.rules(), host.settings()), (rules.clone(), settings));

    // With errors ignored, the right ones are loaded.
    let options = "ignore_errors: true\naudit.restore_rules: true";
    let agent = Agent::start(&module(refused, options));
    let own = format!("-a never,exit -S all -F pid={}", agent.pid());
    assert_eq!(host.rule_texts(), [own.as_str(), "-w /etc/passwd -p wa"]);
    let stopped = agent.stop();
    assert_eq!(stopped.counters()["audit_rules_refused"], 1);
    assert!(stopped.log.iter().any(|it| it.contains("WARN") && it.contains("/nonexistent")));
    assert_eq!(host.rules(), rules);
}

#[test]
fn all_that_the_kernel_refuses_is_told_at_once() {
    let mut host = or_skip!(Host::take());
    let (rules, settings) = (host.rules(), host.settings());
    let refused = "-w /nonexistent/folder/file -p wa\n-w /etc/passwd -p wa\n\
                   -a always,exit -F dir=/nonexistent/directory -F perm=wa\n\
                   --backlog_wait_time 600000";
    let agent = std::process::Command::new(env!("CARGO_BIN_EXE_socket-agent"));
    let said = Agent::refused(agent, &module(refused, ""));
    let errors: Vec<&str> = said.lines().filter(|line| line.contains("ERROR audit: ")).collect();
    for (place, words) in [
        ("agent.yml:4:", "there is no directory /nonexistent: create it"),
        ("agent.yml:6:", "there is no directory /nonexistent: create it"),
    ] {
        let mentions = |line: &&&str| line.contains(place) && line.contains(words);
        assert_eq!(errors.iter().filter(mentions).count(), 1, "{place} {said}");
    }
    // Kernels with a thousand ticks a second take it.
    let ticks = errors.iter().find(|line| line.contains("agent.yml:7:"));
    assert!(
        ticks.is_none_or(|line| line.contains("the kernel takes at most ten minutes")),
        "{said}"
    );
    assert!(said.contains("rules are refused; the rules that were there are back"), "{said}");
    assert_eq!((host.rules(), host.settings()), (rules, settings));
}

#[test]
fn rule_files_set_more_than_rules() {
    let mut host = or_skip!(Host::take());
    let rules = "-D\n-b 333\n-f 1\n-r 44\n-w /etc/hosts -p wa -k keep\n\
                 -a always,exit -S acct -k gone\n-D -k gone";
    let agent = Agent::start(&module(rules, ""));
    let settings = host.settings();
    assert_eq!(
        (settings.backlog_limit, settings.failure, settings.rate_limit, settings.enabled),
        (333, 1, 44, 1)
    );
    assert_eq!(settings.pid, agent.pid());
    assert_eq!(host.rule_texts()[1..], ["-w /etc/hosts -p wa -k keep"]);
    agent.stop();
    // Without restore_rules they stay, but for the agent's own.
    assert_eq!(host.rule_texts(), ["-w /etc/hosts -p wa -k keep"]);
    assert_eq!((host.settings().pid, host.settings().backlog_limit), (0, 333));
}
