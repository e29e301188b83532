//! State of the kernel after the agent.

use socket_agent::audit::{
    netlink::Setting,
    rules::{Enabled, FailureMode},
};

use crate::{
    agent::{Agent, module},
    host::{Host, needs, run},
};

#[test]
fn rules_and_settings_come_back_when_that_is_asked_for() {
    let mut host = or_skip!(Host::take());
    or_skip!(needs("auditctl", "install auditd"));
    run("auditctl", &["-w", "/etc/hosts", "-p", "wa", "-k", "one"]);
    run("auditctl", &["-w", "/etc", "-p", "wa", "-k", "two"]);
    run("auditctl", &["-a", "never,exclude", "-F", "msgtype=CWD"]);
    for setting in [
        Setting::BacklogLimit(99),
        Setting::Failure(FailureMode::Log),
        Setting::RateLimit(1000),
        Setting::BacklogWaitTime(123),
        Setting::Enabled(Enabled::Off),
    ] {
        host.control.set(setting).unwrap();
    }
    let (rules, settings) = (host.rules(), host.settings());
    let agent = Agent::start(&module("-w /etc/passwd -p wa", "audit.restore_rules: true"));
    let own = format!("-a never,exit -S all -F pid={}", agent.pid());
    assert_eq!(host.rule_texts(), [own.as_str(), "-w /etc/passwd -p wa"]);
    let now = host.settings();
    assert_eq!((now.enabled, now.failure, now.rate_limit, now.backlog_limit), (1, 0, 0, 8192));
    assert_eq!((now.backlog_wait_time, now.pid), (Some(0), agent.pid()));
    agent.stop().assert_nothing_lost();
    assert_eq!(host.rules(), rules);
    assert_eq!(host.settings(), settings);
}

#[test]
fn after_a_kill_the_next_agent_takes_over_and_what_was_there_stays() {
    let mut host = or_skip!(Host::take());
    let options = "audit.restore_rules: true";
    let agent = Agent::start(&module("-w /etc/passwd -p wa -k first", options));
    let own = format!("-a never,exit -S all -F pid={}", agent.pid());
    agent.kill();
    assert_eq!(host.rule_texts(), [own.as_str(), "-w /etc/passwd -p wa -k first"]);
    let settings = host.settings();
    assert_eq!((settings.enabled, settings.backlog_limit), (1, 8192));

    let agent = Agent::start(&module("-w /etc/group -p r -k second", options));
    let pid = agent.pid();
    assert_eq!(host.rule_texts()[1..], ["-w /etc/group -p r -k second"]);
    assert_eq!(host.settings().pid, pid, "a dead daemon owns nothing");
    run("cat", &["/etc/group"]);
    let stopped = agent.stop();
    stopped.assert_nothing_lost();
    stopped.one("the file read", |it| {
        it["file"]["path"] == "/etc/group" && it["process"]["name"] == "cat"
    });
    // Without the rule of the process that is no more: another may get its id.
    assert_eq!(host.rule_texts(), ["-w /etc/passwd -p wa -k first"]);
}

#[test]
fn without_rules_those_of_the_kernel_stay() {
    let mut host = or_skip!(Host::take());
    or_skip!(needs("auditctl", "install auditd"));
    run("auditctl", &["-w", "/etc/passwd", "-p", "r", "-k", "before"]);
    let rules = host.rules();
    let mut agent = Agent::start(&module("", ""));
    assert_eq!(host.settings().pid, 0, "multicast owns nothing");
    run("cat", &["/etc/passwd"]);
    assert_eq!(host.rules(), rules);
    // Another starts as the daemon meanwhile; multicast goes on.
    let other = Agent::start(&module("", "socket_type: unicast"));
    assert_eq!(host.settings().pid, other.pid());
    run("cat", &["/etc/passwd"]);
    agent.terminate();
    agent.wait_for_line(std::time::Duration::from_secs(20), "stopping");
    let (one, two) = (agent.wait(), other.stop());
    assert!(one.status.success());
    let reads = |it: &&serde_json::Value| {
        it["file"]["path"] == "/etc/passwd" && it["process"]["name"] == "cat"
    };
    assert_eq!(one.documents.iter().filter(reads).count(), 2);
    assert_eq!(two.documents.iter().filter(reads).count(), 1);
    assert_eq!(host.rules(), rules);
}
