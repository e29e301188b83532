//! Audit logs from end to end: those of this project, and the data of others where it is at hand.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests are tests

mod arguments;
mod auparse;
mod coalesce;
mod command;
mod golden;
mod memory;
mod order;
mod reassembly;
mod shared;

use scenarios::schema::Schema;
use serde_json::Value;
use socket_agent::audit::{
    document,
    normalise::NoNames,
    replay::{Options, Replay, Summary},
};

/// Documents of a log, each of which follows the schema, without names of this host.
fn documents(log: &[u8], document: document::Options) -> (Vec<Value>, Summary) {
    let mut out = Vec::new();
    let options = Options { document, ..Options::default() };
    let mut replay = Replay::new(options, Box::new(NoNames), &mut out);
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
