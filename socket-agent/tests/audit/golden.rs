//! Logs of real events, and the documents that they become; `UPDATE_GOLDEN=1` writes these anew.
//!
//! The logs of whole kernels are recorded by `cargo xtask vm --kernel NAME -- scenarios audit-record`.

use std::{env, fs, path::Path};

use serde_json::Value;
use socket_agent::audit::document::{Options, Schema};

use crate::{documents, shared::files};

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/audit"))
}

fn assert_golden(name: &str, documents: Vec<Value>) {
    let path = folder().join(name);
    if env::var_os("UPDATE_GOLDEN").is_some() {
        let text = if name.starts_with("kernel-") {
            // So many that each has a line of its own.
            let lines: Vec<String> = documents.iter().map(Value::to_string).collect();
            format!("[\n{}\n]\n", lines.join(",\n"))
        } else {
            format!("{:#}\n", Value::Array(documents))
        };
        fs::write(&path, text).unwrap();
        return;
    }
    let golden: Vec<Value> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (golden, document) in golden.iter().zip(&documents) {
        let place = path.display();
        assert!(
            golden == document,
            "{place} differs; UPDATE_GOLDEN=1 writes it anew\n{document:#}"
        );
    }
    assert_eq!(golden.len(), documents.len(), "{}", path.display());
}

#[test]
fn logs_become_these_documents() {
    for (name, path) in files(folder(), ".log") {
        let log = fs::read(&path).unwrap();
        let (documents, summary) = documents(&log, Options::default());
        assert_eq!(summary.counters.late, 0, "{name}");
        assert_eq!(summary.counters.duplicates, 0, "{name}");
        assert_eq!(documents.len() as u64, summary.counters.events, "{name}");
        assert_golden(&format!("{name}.json"), documents);
    }
}

/// One of everything was done on each kernel, and each reports all of it.
#[test]
fn every_kernel_tells_of_everything() {
    let mut kernels = 0;
    for (name, path) in files(folder(), ".log") {
        let Some(kernel) = name.strip_prefix("kernel-") else { continue };
        kernels += 1;
        let (documents, summary) = documents(&fs::read(&path).unwrap(), Options::default());
        assert_eq!((summary.bad_lines, summary.warnings), (0, 0), "{kernel}");
        for action in scenarios::audit::acts::ACTIONS {
            let has = documents.iter().any(|document| document["event"]["action"] == action);
            assert!(has, "{kernel}: {action}");
        }
        let fields = documents.iter().map(|document| document["auditd"]["message_type"].clone());
        for kind in ["syscall", "seccomp", "login", "anom_abend", "config_change"] {
            assert!(fields.clone().any(|reported| reported == *kind), "{kernel}: {kind}");
        }
    }
    assert_eq!(kernels, 4);
}

#[test]
fn the_original_shape_with_all_that_can_be_in_it() {
    let options =
        Options { schema: Schema::Kernel, include_raw_message: false, include_warnings: true };
    for name in ["users", "network"] {
        let log = fs::read(folder().join(format!("{name}.log"))).unwrap();
        assert_golden(&format!("{name}.kernel.json"), documents(&log, options).0);
    }
}

#[test]
fn raw_messages_and_warnings_come_if_asked_for() {
    let log =
        b"type=SYSCALL msg=audit(1.000:7): arch=c000003e syscall=2 success=yes exit=3 items=2\n\
                type=PATH msg=audit(1.000:7): item=0 name=\"/x\" nametype=NORMAL\n";
    let with = |include_raw_message, include_warnings| {
        let options = Options { include_raw_message, include_warnings, ..Options::default() };
        documents(log, options).0.remove(0)
    };
    let plain = with(false, false);
    assert_eq!((&plain["event"]["original"], &plain["error"]), (&Value::Null, &Value::Null));
    let raw = with(true, false);
    assert_eq!(
        raw["event"]["original"].as_str().unwrap(),
        std::str::from_utf8(log).unwrap().trim()
    );
    assert_eq!(raw["error"], Value::Null);
    let warned = with(false, true);
    assert_eq!(
        warned["error"]["message"],
        "no end was seen: records may be missing; 1 of 2 paths are there"
    );
    assert_eq!(warned["event"]["original"], raw["event"]["original"]);
}
