//! What an event means does not depend on the order in which a log has its records.

use std::{
    collections::BTreeMap,
    fs,
    process::{Command, Stdio},
};

use serde_json::Value;
use socket_agent::audit::{
    document::Options,
    records::{Kind, parse_line},
};

use crate::{documents, shared::files};

fn folder() -> &'static std::path::Path {
    std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/audit"))
}

/// The lines of each event of a log, in their order.
fn events(log: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut events: BTreeMap<String, Vec<&[u8]>> = BTreeMap::new();
    for line in log.split(|byte| *byte == b'\n') {
        let Ok(record) = parse_line(line) else { continue };
        // No record of an event, but its end.
        if record.kind() != Kind::EOE {
            let node = String::from_utf8_lossy(record.node().unwrap_or_default()).into_owned();
            events.entry(format!("{} {node}", record.id())).or_default().push(line);
        }
    }
    events.into_values().collect()
}

/// As ausearch prints events, with the lines of each in an order of one's own.
fn printed(events: &[Vec<&[u8]>], mut order: impl FnMut(&mut Vec<&[u8]>)) -> Vec<u8> {
    let mut text = Vec::new();
    for event in events {
        text.extend_from_slice(b"----\ntime->Thu Nov 30 07:00:03 2023\n");
        let mut lines = event.clone();
        order(&mut lines);
        for line in lines {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
    }
    text
}

/// Documents by event; the names of hosts are theirs.
fn by_event(documents: Vec<Value>) -> BTreeMap<String, Value> {
    documents
        .into_iter()
        .map(|document| {
            let number = &document["auditd"]["sequence"];
            let host = &document["host"]["name"];
            (format!("{} {number} {host}", document["@timestamp"]), document)
        })
        .collect()
}

#[test]
fn events_from_the_last_record_to_the_first_give_the_same_documents() {
    let mut compared = 0;
    for (name, path) in files(folder(), ".log") {
        let log = fs::read(&path).unwrap();
        let events = events(&log);
        let forward = by_event(documents(&printed(&events, |_| ()), Options::default()).0);
        assert_eq!(forward, by_event(documents(&log, Options::default()).0), "{name}");
        let (backward, summary) =
            documents(&printed(&events, |lines| lines.reverse()), Options::default());
        assert_eq!((summary.counters.late, summary.counters.resumed), (0, 0), "{name}");
        for (event, document) in by_event(backward) {
            compared += 1;
            assert_eq!(Some(&document), forward.get(&event), "{name}: {event}");
        }
    }
    assert!(compared > 400, "{compared}");
}

/// Records of which several are in an event and which do not say which of them they are.
fn is_alike(line: &[u8]) -> bool {
    let kind = parse_line(line).unwrap().kind();
    ["NETFILTER_CFG", "OBJ_PID", "AVC", "MAC_OBJ_CONTEXTS", "MAC_TASK_CONTEXTS", "URINGOP"]
        .into_iter()
        .any(|name| Kind::of_name(name) == Some(kind))
}

#[test]
fn events_in_any_order_give_the_same_documents() {
    let mut random = fastrand::Rng::with_seed(17);
    let mut compared = 0;
    for (name, path) in files(folder(), ".log") {
        let log = fs::read(&path).unwrap();
        let mut events = events(&log);
        events.retain(|event| event.iter().filter(|line| is_alike(line)).count() < 2);
        // What several records say of the same thing is taken from the first.
        events.retain(|event| {
            event.iter().any(|line| parse_line(line).unwrap().kind() == Kind::SYSCALL)
        });
        if events.is_empty() {
            continue;
        }
        let forward = by_event(documents(&printed(&events, |_| ()), Options::default()).0);
        for _ in 0..5 {
            let text = printed(&events, |lines| random.shuffle(lines));
            for (event, document) in by_event(documents(&text, Options::default()).0) {
                compared += 1;
                assert_eq!(Some(&document), forward.get(&event), "{name}: {event}");
            }
        }
    }
    assert!(compared > 1_000, "{compared}");
}

/// What the real ausearch prints of a log gives the documents of the log.
#[test]
fn what_ausearch_prints_gives_the_same_documents() {
    let temporary = tempfile::tempdir().unwrap();
    for (name, path) in files(folder(), ".log") {
        // It leaves out the names that auditd has added.
        let log = fs::read(&path).unwrap();
        let lines = log.split(|byte| *byte == b'\n');
        let plain: Vec<&[u8]> =
            lines.map(|line| line.split(|byte| *byte == 0x1d).next().unwrap()).collect();
        let path = temporary.path().join(&name);
        fs::write(&path, plain.join(&b'\n')).unwrap();
        let output = Command::new("ausearch")
            .args(["-if", path.to_str().unwrap()])
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .output();
        let Ok(output) = output else {
            println!("skipped: ausearch cannot be run: install auditd");
            return;
        };
        let printed = by_event(documents(&output.stdout, Options::default()).0);
        let log = by_event(documents(&fs::read(&path).unwrap(), Options::default()).0);
        // It leaves out types that are newer than it.
        assert!(printed.len() * 10 > log.len() * 8, "{name}: {} of {}", printed.len(), log.len());
        for (event, document) in printed {
            assert_eq!(Some(&document), log.get(&event), "{name}: {event}");
        }
    }
}

/// Old kernels and some logs have what a call did behind it.
#[test]
fn what_a_call_did_decides_wherever_it_stands() {
    let call = "type=SYSCALL msg=audit(1.000:7): arch=c000003e syscall=257 success=no exit=-13 \
                a0=ffffff9c a1=7f a2=0 a3=0 items=1 pid=999 uid=48 comm=\"httpd\" exe=\"/httpd\"";
    let rest = "type=CWD msg=audit(1.000:7): cwd=\"/\"\n\
                type=PATH msg=audit(1.000:7): item=0 name=\"/etc/shadow\" nametype=NORMAL\n\
                type=PROCTITLE msg=audit(1.000:7): proctitle=\"httpd\"";
    for (deed, action) in [
        (
            "type=AVC msg=audit(1.000:7): avc:  denied  { read } for  pid=999 scontext=a:b:c:s0 \
             tcontext=d:e:f:s0 tclass=file",
            "violated-selinux-policy",
        ),
        ("type=LOGIN msg=audit(1.000:7): pid=999 old-auid=1 auid=2 res=1", "changed-login-id-to"),
        (
            "type=CONFIG_CHANGE msg=audit(1.000:7): op=add_rule key=\"x\" list=4 res=1",
            "changed-audit-configuration",
        ),
    ] {
        let before =
            documents(format!("{deed}\n{call}\n{rest}\n").as_bytes(), Options::default()).0;
        let behind =
            documents(format!("{call}\n{deed}\n{rest}\n").as_bytes(), Options::default()).0;
        assert_eq!(before[0]["event"]["action"], action);
        assert_eq!(before, behind, "{action}");
    }
}
