//! A running auditd is left alone, and tells the same events.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use nix::errno::Errno;
use serde_json::Value;
use socket_agent::audit::records::{Kind, Record, parse_line};

use crate::{
    agent::{Agent, module, text},
    auditd::Auditd,
    host::{Host, run},
};

/// Events by their numbers: the records of each.
fn events(text: &str) -> BTreeMap<u32, Vec<Record>> {
    let mut events: BTreeMap<u32, Vec<Record>> = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("type=")) {
        let record = parse_line(line.as_bytes()).unwrap();
        events.entry(record.id().sequence).or_default().push(record);
    }
    events
}

#[test]
fn its_pid_its_rules_and_its_events_stay_and_the_agent_tells_the_same() {
    let mut host = or_skip!(Host::take());
    let daemon = or_skip!(Auditd::start(&mut host));
    // Of the programs of this test only: others may be busy on this machine.
    let own = format!("ppid={}", std::process::id());
    let rule = |rest: &[&str]| {
        run("auditctl", &[&["-a", "always,exit"], rest, &["-F", &own, "-k", "theirs"]].concat());
    };
    rule(&["-F", "path=/etc/passwd", "-F", "perm=r"]);
    rule(&["-F", "arch=b64", "-S", "execve"]);
    let (rules, settings) = (host.rules(), host.settings());
    assert_eq!(settings.pid, daemon.pid());

    let agent = Agent::start(&module("-w /etc/group -p wa -k ours", "include_raw_message: true"));
    assert_eq!((host.rules(), host.settings()), (rules.clone(), settings));
    for number in 0..20 {
        run("cat", &["/etc/passwd"]);
        run("true", &["with", &format!("argument {number}"), "ünïcode"]);
    }
    // Who asks for the socket itself is refused, and changes nothing.
    let command = Command::new(env!("CARGO_BIN_EXE_socket-agent"));
    let said = Agent::refused(command, &module("-w /etc/group -p wa", "socket_type: unicast"));
    assert!(said.contains("auditd (pid") && said.contains("owns the audit socket"), "{said}");
    assert_eq!((host.rules(), host.settings()), (rules.clone(), settings));

    let own_pid = agent.pid();
    let stopped = agent.stop();
    stopped.assert_nothing_lost();
    let warned =
        |line: &String| line.contains("WARN") && line.contains("are not loaded: auditd (pid");
    assert!(stopped.log.iter().any(warned), "{:#?}", stopped.log);
    assert_eq!((host.rules(), host.settings()), (rules, settings));

    let mut theirs = events(&daemon.search("theirs", &mut host));
    // The agent reads /etc/passwd to name users. It does not report itself. That rules were loaded
    // may be told so late that the agent hears it, too.
    theirs.retain(|_, records| {
        let call = records.iter().find(|record| record.kind() == Kind::SYSCALL);
        call.is_none_or(|call| {
            text_of(call, "pid") != own_pid.to_string() && text_of(call, "comm") != "auditctl"
        })
    });
    let is_theirs =
        |it: &Value| text(it, "/tags/0") == "theirs" && text(it, "/process/name") != "auditctl";
    let ours: BTreeMap<u32, &Value> = stopped
        .find(is_theirs)
        .into_iter()
        .map(|it| (it["event"]["sequence"].as_u64().unwrap() as u32, it))
        .collect();
    // The agent came later than the rules, and went before the daemon.
    let (first, last) = (*ours.keys().next().unwrap(), *ours.keys().last().unwrap());
    let common: BTreeSet<u32> =
        theirs.keys().copied().filter(|number| (first..=last).contains(number)).collect();
    if let Some(number) = common.iter().find(|number| !ours.contains_key(number)) {
        let records: Vec<_> = theirs[number].iter().map(Record::raw).collect();
        let all = stopped.find(|it| it["event"]["sequence"] == *number);
        panic!("the agent does not tell of {records:#?}, but {all:#?}");
    }
    assert_eq!(ours.keys().copied().collect::<BTreeSet<_>>(), common);
    assert!(common.len() >= 60, "{} events of 20 times three", common.len());
    for (number, document) in ours {
        same(document, &theirs[&number]);
    }
}

fn text_of(record: &Record, field: &str) -> String {
    record.find(field).unwrap_or_else(|| panic!("no {field}: {}", record.raw())).text().to_string()
}

/// A document says what the records of auditd say.
fn same(document: &Value, records: &[Record]) {
    let call = records.iter().find(|record| record.kind() == Kind::SYSCALL).unwrap();
    for (field, path) in [
        ("pid", "/process/pid"),
        ("ppid", "/process/parent/pid"),
        ("comm", "/process/name"),
        ("exe", "/process/executable"),
        ("uid", "/user/id"),
        ("euid", "/user/effective/id"),
        ("gid", "/user/group/id"),
        ("tty", "/auditd/data/tty"),
        ("exit", "/auditd/data/exit"),
        ("key", "/tags/0"),
    ] {
        let theirs = match text_of(call, field) {
            // Documents name the error.
            code if field == "exit" && code.starts_with('-') => {
                format!("{:?}", Errno::from_raw(-code.parse::<i32>().unwrap()))
            }
            other => other,
        };
        let ours = document.pointer(path).unwrap_or_else(|| panic!("no {path}: {document}"));
        let ours = ours.as_str().map_or_else(|| ours.to_string(), str::to_owned);
        assert_eq!(ours, theirs, "{field}: {document}");
    }
    let success = text_of(call, "success");
    let outcome = if success == "yes" { "success" } else { "failure" };
    assert_eq!(text(document, "/event/outcome"), outcome);
    let paths = records.iter().filter(|record| record.kind() == Kind::PATH);
    let theirs: Vec<_> = paths.map(|record| text_of(record, "name")).collect();
    let ours: Vec<_> = document["auditd"]["paths"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| text(it, "/name"))
        .collect();
    assert_eq!(ours, theirs);
    // The kernel's text is the same to the letter; auditd has added names behind it.
    let bare = |record: &Record| {
        let raw = record.raw().into_owned();
        raw.split('\u{1d}').next().unwrap_or_default().trim_end().to_owned()
    };
    let theirs: BTreeSet<String> =
        records.iter().filter(|it| it.kind() != Kind::EOE).map(bare).collect();
    let ours: BTreeSet<String> = text(document, "/event/original")
        .lines()
        .map(|line| line.split_once("msg=").unwrap().1.trim_end().to_owned())
        .collect();
    assert_eq!(ours, theirs);
}

#[test]
fn told_to_the_agent_loads_its_rules_beside_it_and_puts_them_back() {
    let mut host = or_skip!(Host::take());
    let daemon = or_skip!(Auditd::start(&mut host));
    run("auditctl", &["-w", "/etc/hosts", "-p", "wa", "-k", "theirs"]);
    let (rules, settings) = (host.rules(), host.settings());
    let options = "audit.load_rules: always\naudit.restore_rules: true";
    let agent = Agent::start(&module("-w /etc/passwd -p r -k ours", options));
    assert_eq!(host.rule_texts()[1..], ["-w /etc/passwd -p r -k ours"]);
    assert_eq!((host.settings(), host.settings().pid), (settings, daemon.pid()));
    run("cat", &["/etc/passwd"]);
    let stopped = agent.stop();
    stopped.one("the file read", |it| {
        text(it, "/tags/0") == "ours" && text(it, "/auditd/message_type") == "syscall"
    });
    assert_eq!((host.rules(), host.settings()), (rules, settings));
}
