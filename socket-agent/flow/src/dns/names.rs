//! Names by address: who asked for which, and until when it holds.

use std::{net::IpAddr, sync::Arc};

use lru::LruCache;

use super::{
    claims::{Answer, Asker, Claim, is_shared},
    networks::{NamespaceRef, Networks, is_same_host},
};

/// Entries that one address may have.
const PER_ADDRESS: usize = 64;
/// No name is kept longer than this, whatever its time to live. Nanoseconds.
const LONGEST: u64 = 24 * 3600 * 1_000_000_000;

/// Way in which a name was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Another process of this host asked for it.
    Host,
    /// An ancestor asked for it, before the process was forked.
    Inherited,
    /// The process itself asked for it.
    Asked,
}

/// A name and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// The name that was asked for.
    pub name: Arc<str>,
    /// Way in which the name was found.
    pub source: Source,
}

/// Bounds of the cache.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Names that are kept, counted once for each address and process that asked.
    pub names: usize,
    /// A name is kept for at least this long, nanoseconds.
    pub minimum_ttl: u64,
}

#[derive(Debug)]
struct NameEntry {
    name: Arc<str>,
    claim: Claim,
    /// When the first and the last answer came, and until when they hold.
    first: u64,
    last: u64,
    expires: u64,
}

/// What one looks up: an address as a process sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'l> {
    pub(super) address: IpAddr,
    pub(super) netns: u32,
    /// The process, then its ancestors, with the time up to which each one's names are known to it.
    pub(super) line: &'l [(Asker, u64)],
    /// Start of the flow, boottime nanoseconds.
    pub(super) time: u64,
}

#[derive(Debug)]
pub(super) struct Names {
    limits: Limits,
    entries: LruCache<IpAddr, Vec<NameEntry>>,
    total: usize,
    /// Names that gave way to others before they had expired.
    pub(super) evicted: u64,
}

impl Names {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, entries: LruCache::unbounded(), total: 0, evicted: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.total == 0
    }

    pub(super) fn len(&self) -> usize {
        self.total
    }

    /// Enters the addresses of an answer, and who asked.
    pub(super) fn insert(&mut self, answer: &Answer, claim: Claim) {
        for &(address, ttl) in &answer.addresses {
            let ttl = (u64::from(ttl) * 1_000_000_000).max(self.limits.minimum_ttl).min(LONGEST);
            let expires = answer.time.saturating_add(ttl);
            let name = Arc::clone(&answer.name);
            self.enter(
                address,
                NameEntry { name, claim, first: answer.time, last: answer.time, expires },
            );
        }
        while self.total > self.limits.names.max(1) {
            let Some((_, entries)) = self.entries.pop_lru() else { break };
            self.total -= entries.len();
            self.evicted += entries.len() as u64;
        }
    }

    fn enter(&mut self, address: IpAddr, entry: NameEntry) {
        let entries = self.entries.get_or_insert_mut(address, Vec::new);
        let same = |other: &&mut NameEntry| other.name == entry.name && other.claim == entry.claim;
        if let Some(known) = entries.iter_mut().find(same) {
            known.first = known.first.min(entry.first);
            known.last = known.last.max(entry.last);
            known.expires = known.expires.max(entry.expires);
            return;
        }
        entries.push(entry);
        if entries.len() > PER_ADDRESS {
            let oldest = entries.remove(0);
            // The name is still found, though as somebody else's.
            let known = entries.iter().any(|entry| entry.name == oldest.name);
            self.evicted += u64::from(!known);
        } else {
            self.total += 1;
        }
    }

    /// The name that a process knows an address by.
    ///
    /// What it asked itself comes before what it inherited, and that before what others asked. Of
    /// several, the last before the flow began; one asked for later only if there is no other. What
    /// comes from another network namespace counts where `networks` know that the address means the
    /// same host there.
    pub(super) fn find(&self, wanted: &Wanted<'_>, networks: &mut dyn Networks) -> Option<Domain> {
        let entries = self.entries.peek(&wanted.address)?;
        // Namespaces where it is another host.
        let mut others: Vec<u32> = Vec::new();
        loop {
            let (rank, entry) = entries
                .iter()
                .filter_map(|entry| Some((rank(entry, wanted)?, entry)))
                .filter(|(rank, entry)| {
                    rank.source == Source::Asked || !others.contains(&entry.claim.netns)
                })
                .max_by_key(|(rank, _)| *rank)?;
            if rank.source == Source::Asked || same_host(entry, wanted, networks) {
                return Some(Domain { name: Arc::clone(&entry.name), source: rank.source });
            }
            others.push(entry.claim.netns);
        }
    }

    /// Forgets names that hold no longer.
    pub(super) fn expire(&mut self, now: u64) {
        let mut empty = Vec::new();
        for (address, entries) in self.entries.iter_mut() {
            let before = entries.len();
            entries.retain(|entry| entry.expires > now);
            self.total -= before - entries.len();
            if entries.is_empty() {
                empty.push(*address);
            } else if entries.capacity() > 4 * entries.len() {
                entries.shrink_to_fit();
            }
        }
        let many = empty.len() > self.entries.len() / 2;
        for address in empty {
            self.entries.pop(&address);
        }
        if many {
            // Gives back the memory of what is gone.
            let mut entries = LruCache::unbounded();
            while let Some((address, known)) = self.entries.pop_lru() {
                entries.put(address, known);
            }
            self.entries = entries;
        }
    }
}

/// Whether who asked for a name meant the host by its address that is wanted.
fn same_host(entry: &NameEntry, wanted: &Wanted<'_>, networks: &mut dyn Networks) -> bool {
    let there = NamespaceRef {
        netns: entry.claim.netns,
        pid: entry.claim.asker.map_or(0, |asker| asker.pid),
    };
    let here = NamespaceRef {
        netns: wanted.netns,
        pid: wanted.line.first().map_or(0, |(own, _)| own.pid),
    };
    is_same_host(networks, wanted.address, [there, here])
}

/// Whether an address means one host, whoever uses it. Else a name that leads there says something of the
/// process that asked for it alone: a blocked name of an advertiser is at `0.0.0.0`, a developer's at
/// `127.0.0.1`, and both are everybody's.
fn is_of_one_host(address: IpAddr) -> bool {
    let nobody = match address {
        IpAddr::V4(address) => address.octets()[0] == 0 || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unspecified(),
    };
    is_shared(address) && !nobody && !address.is_multicast()
}

/// The higher, the better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    source: Source,
    /// The nearer ancestor.
    nearness: i32,
    same_netns: bool,
    /// The last before the flow began, else the first after.
    before: bool,
    time: i128,
}

fn rank(entry: &NameEntry, wanted: &Wanted<'_>) -> Option<Rank> {
    let mine = entry.claim.asker.and_then(|asker| {
        let at = wanted.line.iter().position(|(process, _)| *process == asker)?;
        let (_, until) = *wanted.line.get(at)?;
        (entry.first <= until).then_some(at)
    });
    let same_netns = entry.claim.netns == wanted.netns;
    let before = entry.first <= wanted.time;
    let time = match (before, entry.last <= wanted.time) {
        (true, true) => i128::from(entry.last),
        (true, false) => i128::from(entry.first),
        (false, _) => -i128::from(entry.first),
    };
    let (source, nearness) = match mine {
        Some(0) => (Source::Asked, 0),
        Some(at) => (Source::Inherited, -i32::try_from(at).unwrap_or(i32::MAX)),
        // Of others only what can have been known, and addresses that mean the same to them.
        None if before && is_of_one_host(wanted.address) => (Source::Host, 0),
        None => return None,
    };
    Some(Rank { source, nearness, same_netns, before, time })
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
