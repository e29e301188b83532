//! Logs of interleaved events: which records go together.

use std::fs;

use socket_agent::audit::{
    reassembly::{Options, Reassembler},
    records::parse_line,
};

use crate::shared::{files, folder};

/// Sequence numbers and how many records each event has.
const EVENTS: [(u32, usize); 5] = [(58, 2), (59, 5), (60, 5), (61, 4), (62, 1)];

#[test]
fn groups_and_losses() {
    let Some(folder) = folder("reassembly") else { return };
    for (name, path) in files(&folder, ".log") {
        let mut reassembler = Reassembler::new(Options::default());
        let mut events = Vec::new();
        let now = std::time::Duration::ZERO;
        for line in fs::read(&path).unwrap().split(|byte| *byte == b'\n') {
            if !line.is_empty() {
                let record = parse_line(line).unwrap();
                reassembler.push(record, now, |event| events.push(event));
            }
        }
        reassembler.flush(|event| events.push(event));
        let groups: Vec<_> =
            events.iter().map(|event| (event.id.sequence, event.records.len())).collect();
        assert_eq!(groups, EVENTS, "{name}");
        let counters = reassembler.counters();
        let losses = (counters.lost, counters.late, counters.duplicates, counters.evicted);
        assert_eq!(losses, (0, 0, 0, 0), "{name}");
    }
}
