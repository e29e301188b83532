//! Hits of probes that the kernel skipped, told from reads that failed.
//!
//! Before 5.14 the kernel counts among the misses of a probe each read of its that meets no memory, such as that of a
//! file behind a socket that has none. How many a sample has made its own pointers tell, so that what is left was
//! skipped. Some kernels try, and count, such a read twice. Probes of several agents on one function share what the kernel counts, so that a read that fails counts for
//! each of them; all agents read the same. Source: `kprobe_fault_handler` of those kernels.

use std::collections::HashMap;

use super::{decode::Values, group::Misses, probe::Field};

/// What is fetched of a socket. Where there is none, each of these reads fails.
const OF_SOCKET: [Field; 17] = [
    Field::State,
    Field::Family,
    Field::Num,
    Field::Dport,
    Field::Daddr,
    Field::Saddr,
    Field::Netns,
    Field::Daddr6,
    Field::Daddr6Low,
    Field::Saddr6,
    Field::Saddr6Low,
    Field::Protocol,
    Field::Kind,
    Field::Sport,
    Field::Owned,
    Field::Socket,
    Field::File,
];
/// Addresses below are those of user space, where nothing of the kernel's is.
const KERNEL: u64 = 1 << (usize::BITS - 1);
/// Pause between two looks at what the kernel has counted, nanoseconds.
const PERIOD: u64 = 1_000_000_000;

/// Counts of hits that were skipped, without reads that failed.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    /// How often the kernel counts a read that fails.
    per_read: u64,
    /// Reads of each probe that have failed, as far as records have been taken.
    failed: HashMap<&'static str, u64>,
    /// What these come to in what the kernel counts, as far as it was compared.
    explained: HashMap<String, Explained>,
    /// What the kernel had counted at a time that records have not come to yet.
    counted: Option<(u64, Vec<Misses>)>,
    /// Time of the last look at that, boottime nanoseconds.
    looked: u64,
    /// What was skipped, as far as it is certain.
    known: HashMap<String, u64>,
}

/// Failed reads of one probe.
#[derive(Debug, Default)]
struct Explained {
    /// Failed reads of this agent's probe.
    own: u64,
    /// With those of other agents'.
    all: u64,
    /// How many agents had the probe when that was looked at last.
    agents: u64,
}

impl Skipped {
    /// For a kernel that counts each failed read so often; `None` if it counts none, and there is nothing to distinguish.
    pub(super) fn distinguished(per_read: u64) -> Option<Self> {
        (per_read > 0).then(|| Self { per_read, ..Self::default() })
    }

    /// Whether it is time to look at what the kernel has counted.
    pub(super) fn is_due(&self, now: u64) -> bool {
        self.counted.is_none() && now.saturating_sub(self.looked) >= PERIOD
    }

    /// What the kernel has counted up to a time.
    pub(super) fn counted(&mut self, now: u64, misses: Vec<Misses>) {
        self.looked = now;
        self.counted = Some((now, misses));
    }

    /// Before a record of this time is taken: all that are older have been.
    pub(super) fn reached(&mut self, time: u64) {
        if self.counted.as_ref().is_none_or(|(counted, _)| time <= *counted) {
            return;
        }
        let misses = self.counted.take().map(|(_, misses)| misses).unwrap_or_default();
        for Misses { probe, count, agents } in misses {
            let failed = self.failed.get(probe.as_str()).copied().unwrap_or(0);
            let explained = self.explained.entry(probe.clone()).or_default();
            // An agent that came or went in the meantime may have shared any of these reads.
            let sharing = agents.max(explained.agents);
            explained.all += failed.saturating_sub(explained.own) * sharing;
            (explained.own, explained.agents) = (failed, agents);
            let known = self.known.entry(probe).or_default();
            *known = count.saturating_sub(explained.all).max(*known);
        }
    }

    /// A sample of a probe.
    pub(super) fn sample(&mut self, probe: &'static str, values: &Values<'_>) {
        let failed = failed_reads(values) * self.per_read;
        if failed > 0 {
            *self.failed.entry(probe).or_default() += failed;
        }
    }

    /// Skipped hits by probe.
    pub(super) fn known(&self) -> Vec<(String, u64)> {
        self.known.iter().map(|(probe, count)| (probe.clone(), *count)).collect()
    }
}

/// Reads of a sample that met no memory.
fn failed_reads(values: &Values<'_>) -> u64 {
    if !values.layout.has(Field::Sock) {
        return 0;
    }
    if values.get(Field::Sock) == 0 {
        return OF_SOCKET.iter().filter(|field| values.layout.has(**field)).count() as u64;
    }
    let has_path = values.layout.has(Field::Socket) && values.layout.has(Field::File);
    u64::from(has_path && values.get(Field::Socket) < KERNEL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracefs::{format::Layout, probe::Shapes};

    const OUTPUT: &str = "output4";

    /// A record of a probe that fetches a socket, its state, and the path to its file.
    fn record(sock: u64, socket: u64) -> (Layout, Vec<u8>) {
        let format = "\tfield:u64 sock;\toffset:0;\tsize:8;\tsigned:0;\n\
                      \tfield:u8 state;\toffset:8;\tsize:1;\tsigned:0;\n\
                      \tfield:u64 socket;\toffset:16;\tsize:8;\tsigned:0;\n\
                      \tfield:u64 file;\toffset:24;\tsize:8;\tsigned:0;\n";
        let words = [sock, 0, socket, 0];
        (Layout::parse(format, &[]), words.iter().flat_map(|word| word.to_ne_bytes()).collect())
    }

    fn failed(sock: u64, socket: u64) -> u64 {
        let ((layout, raw), shapes) = (record(sock, socket), Shapes::default());
        let receive = [[0; 2]; 2];
        failed_reads(&Values {
            layout: &layout,
            raw: &raw,
            shapes: &shapes,
            receive: &receive,
            netns: 0,
        })
    }

    const SOCK: u64 = 0xffff_8880_0000_1000;

    #[test]
    fn pointers_tell_which_reads_have_failed() {
        assert_eq!(failed(SOCK, SOCK + 64), 0);
        assert_eq!(failed(SOCK, 0), 1, "a socket that nobody has accepted");
        assert_eq!(failed(SOCK, 0x1234), 1, "what stands in a smaller structure in its place");
        assert_eq!(failed(0, SOCK), 3, "no socket: what is behind it is of an earlier record");
    }

    #[test]
    fn a_read_that_fails_counts_as_often_as_the_kernel_tries_it() {
        let (layout, raw) = record(SOCK, 0);
        let shapes = Shapes::default();
        let receive = [[0; 2]; 2];
        let values =
            Values { layout: &layout, raw: &raw, shapes: &shapes, receive: &receive, netns: 0 };
        let mut skipped = Skipped::distinguished(2).unwrap();
        skipped.sample(OUTPUT, &values);
        skipped.counted(100, misses(3, 1));
        skipped.reached(101);
        assert_eq!(skipped.known(), [(OUTPUT.to_owned(), 1)]);
        assert!(Skipped::distinguished(0).is_none());
    }

    #[test]
    fn what_reads_do_not_explain_was_skipped_and_never_becomes_less() {
        let mut skipped = Skipped::default();
        skipped.failed.insert(OUTPUT, 2);
        skipped.counted(100, misses(5, 1));
        skipped.reached(100);
        assert_eq!(skipped.known(), [], "records of that time may follow");
        // Failed before the kernel was asked, told after it.
        skipped.failed.insert(OUTPUT, 4);
        skipped.reached(101);
        assert_eq!(skipped.known(), [(OUTPUT.to_owned(), 1)]);
        skipped.failed.insert(OUTPUT, 9);
        skipped.counted(200, misses(9, 1));
        skipped.reached(201);
        assert_eq!(skipped.known(), [(OUTPUT.to_owned(), 1)]);
    }

    #[test]
    fn reads_of_other_agents_count_as_long_as_these_are_there() {
        let mut skipped = Skipped::default();
        let mut look = |time, failed, count, agents| {
            skipped.failed.insert(OUTPUT, failed);
            skipped.counted(time, misses(count, agents));
            skipped.reached(time + 1);
            skipped.known()[0].1
        };
        assert_eq!(look(100, 10, 10, 1), 0);
        assert_eq!(look(200, 20, 30, 2), 0, "both have failed ten times");
        assert_eq!(look(300, 30, 45, 1), 0, "the other one went in between");
        assert_eq!(look(400, 40, 63, 1), 3, "five may have been the other one's");
    }

    fn misses(count: u64, agents: u64) -> Vec<Misses> {
        vec![Misses { probe: OUTPUT.into(), count, agents }]
    }
}
