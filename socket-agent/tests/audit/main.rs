//! Audit logs from end to end: those of this project, and the data of others where it is at hand.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests are tests

mod accounts;
mod arguments;
mod auparse;
mod categories;
mod coalesce;
mod command;
mod golden;
mod memory;
mod order;
mod reassembly;
mod shared;
mod words;

use scenarios::schema::Schema;
use serde_json::Value;
use socket_agent::audit::{
    document,
    normalise::{IdNames, NoNames},
    replay::{Options, Replay, Summary},
};

/// Documents of a log, each of which follows the schema, without names of this host.
fn documents(log: &[u8], document: document::Options) -> (Vec<Value>, Summary) {
    documents_with(log, document, Box::new(NoNames))
}

/// The one document of a log.
fn document(log: &str) -> Value {
    let (mut documents, _) = documents(log.as_bytes(), document::Options::default());
    assert_eq!(documents.len(), 1, "{documents:#?}");
    documents.remove(0)
}

/// As [`documents`], with names.
fn documents_with(
    log: &[u8],
    document: document::Options,
    names: Box<dyn IdNames + Send>,
) -> (Vec<Value>, Summary) {
    let mut out = Vec::new();
    let options = Options { document, ..Options::default() };
    let mut replay = Replay::new(options, names, &mut out);
    replay.read(log, |bad| panic!("line {}: {}", bad.number, bad.error)).unwrap();
    let summary = replay.finish().unwrap();
    let schema = Schema::load().unwrap();
    let documents: Vec<Value> = out
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    for document in &documents {
        let problems = schema.problems(document);
        assert!(problems.is_empty(), "{problems:#?}\nin {document:#}");
    }
    (documents, summary)
}
