//! How network namespaces reach addresses: asked of the kernel's routes and devices (rtnetlink), and
//! remembered for a while.

mod routes;

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use lru::LruCache;

use flow::dns::{NamespaceRef, Networks, Reach};
use linux::netns::{self, Namespace};

/// Time for which an answer is valid.
const KNOWN: Duration = Duration::from_secs(10);
/// Answers that are remembered.
const ANSWERS_MAX: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
/// How often `/proc` is searched for a way into a namespace at most.
const SEARCH: Duration = Duration::from_secs(10);
/// Looks take at most one part in so many of the time,
const SHARE: u32 = 20;
/// or, after a pause, this at once.
const CREDIT: Duration = Duration::from_millis(100);

/// The networks of this host, with answers that are remembered for a while.
#[derive(Debug)]
pub struct HostNetworks {
    answers: LruCache<(u32, IpAddr), Answer>,
    namespaces: HashMap<u32, Namespace>,
    searched: Option<Instant>,
    /// Time that may be spent, and up to when it has been granted.
    credit: Duration,
    granted: Instant,
    unknown: u64,
}

#[derive(Clone, Debug)]
struct Answer {
    reach: Option<Reach>,
    time: Instant,
}

// === impl HostNetworks ===

impl Default for HostNetworks {
    fn default() -> Self {
        Self {
            answers: LruCache::new(ANSWERS_MAX),
            namespaces: HashMap::new(),
            searched: None,
            credit: CREDIT,
            granted: Instant::now(),
            unknown: 0,
        }
    }
}

impl Networks for HostNetworks {
    fn reach(&mut self, origin: NamespaceRef, address: IpAddr) -> Option<Reach> {
        let key = (origin.netns, address);
        let now = Instant::now();
        if let Some(answer) = self.answers.get(&key)
            && now.duration_since(answer.time) < KNOWN
        {
            return answer.reach.clone();
        }
        self.credit = (self.credit + now.duration_since(self.granted) / SHARE).min(CREDIT);
        self.granted = now;
        if self.credit.is_zero() {
            self.unknown += 1;
            return None;
        }
        let found = self.look(origin, address);
        self.credit = self.credit.saturating_sub(now.elapsed());
        let reach = found.unwrap_or_else(|error| {
            log::debug!(target: "dns", "{address} from network namespace {}: {error}", origin.netns);
            self.unknown += 1;
            None
        });
        self.answers.put(key, Answer { reach: reach.clone(), time: now });
        reach
    }

    fn unknown(&self) -> u64 {
        self.unknown
    }
}

impl HostNetworks {
    fn look(&mut self, origin: NamespaceRef, address: IpAddr) -> io::Result<Option<Reach>> {
        let ask = || routes::reach(address);
        if origin.pid != 0
            && let Ok(reach) = Namespace::of_process(origin.pid, origin.netns).inside(ask)
        {
            return Ok(reach);
        }
        // That process is gone, or elsewhere by now.
        if self.searched.is_none_or(|searched| searched.elapsed() >= SEARCH) {
            self.searched = Some(Instant::now());
            let all = netns::all()?.into_iter();
            self.namespaces = all.map(|namespace| (namespace.inode, namespace)).collect();
        }
        let namespace = self.namespaces.get(&origin.netns).ok_or(io::ErrorKind::NotFound)?;
        namespace.inside(ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_that_is_gone_is_unknown_and_counted() {
        let mut networks = HostNetworks::default();
        // No namespace has this inode number: the first thousands are those of the initial ones.
        let gone = NamespaceRef { netns: 1, pid: std::process::id() };
        for address in [[10, 0, 0, 1], [10, 0, 0, 1], [10, 0, 0, 2]] {
            assert_eq!(networks.reach(gone, address.into()), None);
        }
        assert_eq!(networks.unknown(), 2, "once for each address");
    }

    #[test]
    fn looks_that_take_long_wait_for_their_share_of_the_time() {
        let mut networks = HostNetworks { credit: Duration::ZERO, ..HostNetworks::default() };
        networks.granted = Instant::now() + Duration::from_secs(60);
        let own = NamespaceRef { netns: netns::own().unwrap(), pid: std::process::id() };
        assert_eq!(networks.reach(own, [127, 0, 0, 1].into()), None);
        assert_eq!((networks.unknown(), networks.answers.len()), (1, 0));
    }
}
