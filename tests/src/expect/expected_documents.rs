//! Which documents there have to be, and how many of each.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use super::Side;
use crate::{agent::Doc, capture::Transport};

/// A conversation, whichever end reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Pair {
    transport: Transport,
    low: SocketAddr,
    high: SocketAddr,
}

impl Pair {
    pub(super) fn new(transport: Transport, one: SocketAddr, two: SocketAddr) -> Self {
        Self { transport, low: one.min(two), high: one.max(two) }
    }

    /// `None` for a document that reports no flow.
    pub(super) fn of(doc: &Doc) -> Option<Self> {
        if doc.text("event.action") != "network_flow" {
            return None;
        }
        let transport = match doc.text("network.transport").as_str() {
            "tcp" => Transport::Tcp,
            "udp" => Transport::Udp,
            _ => return None,
        };
        Some(Self::new(transport, doc.end("source")?, doc.end("destination")?))
    }
}

/// Documents by conversation and process.
#[derive(Debug, Default)]
pub(super) struct ExpectedDocuments {
    entries: Mutex<HashMap<Pair, ExpectedCount>>,
    /// Processes whose further documents nobody expects and nobody minds.
    foreign_processes: Mutex<HashSet<u64>>,
}

#[derive(Clone, Debug, Default)]
struct ExpectedCount {
    scenario: String,
    by_pid: HashMap<u64, usize>,
    forgiven: bool,
}

impl ExpectedDocuments {
    /// One more document has to be there.
    pub(super) fn add(&self, scenario: &str, side: &Side) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry =
            entries.entry(Pair::new(side.transport, side.local, side.remote)).or_insert_with(
                || ExpectedCount { scenario: scenario.to_owned(), ..ExpectedCount::default() },
            );
        *entry.by_pid.entry(u64::from(side.pid)).or_default() += 1;
    }

    /// What this scenario expects is not looked at.
    pub(super) fn forgive(&self, scenario: &str) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in entries.values_mut().filter(|entry| entry.scenario == scenario) {
            entry.forgiven = true;
        }
    }

    /// What further documents say of these processes is not looked at.
    pub(super) fn disown(&self, pids: impl IntoIterator<Item = u64>) {
        self.foreign_processes.lock().unwrap_or_else(PoisonError::into_inner).extend(pids);
    }

    /// What is missing, there twice, or should not be there at all; by scenario.
    ///
    /// `ours` tells whether a document is of a process that a scenario started.
    pub(super) fn differences(
        &self,
        documents: &[Doc],
        ours: impl Fn(&Doc) -> bool,
    ) -> Vec<String> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let foreign_processes =
            self.foreign_processes.lock().unwrap_or_else(PoisonError::into_inner);
        let is_foreign = |pid: Option<u64>| pid.is_some_and(|pid| foreign_processes.contains(&pid));
        let mut found: HashMap<Pair, HashMap<u64, usize>> = HashMap::new();
        let mut wrong = Vec::new();
        for doc in documents {
            let Some(pair) = Pair::of(doc) else { continue };
            if doc.text("flow.final") == "false" && entries.contains_key(&pair) {
                // One that is final follows.
                continue;
            }
            if entries.contains_key(&pair) {
                let pid = doc.number("process.pid").unwrap_or_default();
                *found.entry(pair).or_default().entry(pid).or_default() += 1;
            } else if ours(doc) && !is_foreign(doc.number("process.pid")) {
                wrong.push(format!("a document that no scenario expects: {}", brief(doc)));
            }
        }
        for (pair, entry) in entries.iter() {
            let got = found.remove(pair).unwrap_or_default();
            if got != entry.by_pid && !entry.forgiven {
                wrong.push(format!(
                    "{}: {} {}: documents by pid: expected {:?}, got {got:?}",
                    entry.scenario, pair.low, pair.high, entry.by_pid
                ));
            }
        }
        wrong.sort();
        wrong
    }
}

/// A document in one line.
pub(super) fn brief(doc: &Doc) -> String {
    format!(
        "[{} {} {}:{} -> {}:{} pid={} ({}) packets={}/{} bytes={}/{} began={} ended={}]",
        doc.text("network.transport"),
        doc.text("network.direction"),
        doc.text("source.ip"),
        doc.text("source.port"),
        doc.text("destination.ip"),
        doc.text("destination.port"),
        doc.text("process.pid"),
        doc.text("process.name"),
        doc.text("source.packets"),
        doc.text("destination.packets"),
        doc.text("source.bytes"),
        doc.text("destination.bytes"),
        doc.text("system.audit.socket.began"),
        doc.text("system.audit.socket.ended"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::expect::Direction;

    fn doc(pid: u32, port: u16) -> Doc {
        Doc::from(json!({
            "event": {"action": "network_flow"},
            "network": {"transport": "udp"},
            "source": {"ip": "127.0.0.1", "port": port},
            "destination": {"ip": "127.0.0.2", "port": 53},
            "process": {"pid": pid},
        }))
    }

    fn side(pid: u32) -> Side {
        Side {
            executable: None,
            transport: Transport::Udp,
            local: SocketAddr::from(([127, 0, 0, 2], 53)),
            remote: SocketAddr::from(([127, 0, 0, 1], 999)),
            direction: Direction::Ingress,
            pid,
            arguments: Vec::new(),
            uid: 0,
            effective: None,
            gid: 0,
            began: None,
            ended: None,
            outcome: "success",
            complete: None,
            is_final: true,
            counts_retransmits: true,
        }
    }

    #[test]
    fn settles_when_each_document_came_once() {
        let expected_documents = ExpectedDocuments::default();
        expected_documents.add("one", &side(7));
        assert_eq!(expected_documents.differences(&[doc(7, 999)], |_| true), Vec::<String>::new());
    }

    #[test]
    fn forgives_what_failed_anyway() {
        let expected_documents = ExpectedDocuments::default();
        expected_documents.add("one", &side(7));
        expected_documents.forgive("two");
        assert_eq!(expected_documents.differences(&[], |_| true).len(), 1);
        expected_documents.forgive("one");
        assert_eq!(expected_documents.differences(&[], |_| true).len(), 0);
    }

    #[test]
    fn names_what_is_missing_doubled_misattributed_and_unexpected() {
        let expected_documents = ExpectedDocuments::default();
        expected_documents.add("one", &side(7));
        assert_eq!(expected_documents.differences(&[], |_| true).len(), 1);
        assert_eq!(expected_documents.differences(&[doc(7, 999), doc(7, 999)], |_| true).len(), 1);
        assert_eq!(expected_documents.differences(&[doc(8, 999)], |_| false).len(), 1);
        assert_eq!(expected_documents.differences(&[doc(7, 999), doc(7, 998)], |_| true).len(), 1);
        assert_eq!(expected_documents.differences(&[doc(7, 999), doc(7, 998)], |_| false).len(), 0);
    }
}
