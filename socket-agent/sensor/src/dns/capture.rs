//! DNS packets from interfaces: a ring in every network namespace that a process lives in.
//!
//! A ring keeps its namespace alive, so it is closed soon after the last process has left.

use std::{
    collections::{BTreeMap, HashSet},
    io,
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use libc::sock_filter;
use metrics::Metric;
use nix::{
    errno::Errno,
    sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
};
use socket_common::Counter;
use thiserror::Error;

use super::{
    filter,
    ring::{Ring, Shape},
};
use crate::{DnsConfig, metrics::DNS_NAMESPACES_MISSED};
use flow::dns::Packet;
use linux::{
    clock::Clock,
    netns::{self, Namespace},
};

/// How often `/proc` is searched for namespaces.
const SEARCH: Duration = Duration::from_secs(10);
/// The same, when one was seen to come or to go.
const SOON: Duration = Duration::from_secs(1);
/// How often an interface that is meant by its name is looked up.
const FOLLOW: Duration = Duration::from_secs(1);
/// A packet is not further from now than this, nanoseconds: else the clock was set meanwhile.
const WAIT: u64 = 10_000_000_000;

/// Bytes that are kept of a packet if nothing else is set. More would cost: each frame of a ring is as long.
const SNAPLEN: u32 = 1024;

/// Why no DNS packet can be seen.
#[derive(Debug, Error)]
#[error("{what}: {source}; {remedy}")]
pub struct CaptureError {
    what: String,
    source: io::Error,
    remedy: &'static str,
}

/// Counters of packets and namespaces that were not captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureCounters {
    /// Packets that found a ring full.
    pub dropped: u64,
    /// Network namespaces without a ring: beyond the limit, or not to be entered.
    pub namespaces_missed: u64,
}

impl CaptureCounters {
    /// The counters with their metrics.
    pub fn values(&self) -> [(&'static Metric, u64); 2] {
        let Self { dropped, namespaces_missed } = *self;
        [
            // Also counted by programs, where these hand packets over.
            (Counter::DnsDropped.metric(), dropped),
            (&DNS_NAMESPACES_MISSED, namespaces_missed),
        ]
    }
}

/// Rings in all network namespaces.
#[derive(Debug)]
pub struct Capture {
    config: DnsConfig,
    filter: Vec<sock_filter>,
    own: u32,
    rings: BTreeMap<u32, NamespaceRing>,
    ready: Epoll,
    /// Namespaces that could not be entered, which are not tried again.
    refused: HashSet<u32>,
    /// Namespaces beyond the limit, each counted once while it lasts.
    beyond: HashSet<u32>,
    searched: Instant,
    followed: Instant,
    urgent: bool,
    counters: CaptureCounters,
}

/// The ring of a network namespace.
#[derive(Debug)]
struct NamespaceRing {
    ring: Ring,
    /// A process in that namespace.
    witness: u32,
}

// === impl CaptureError ===

impl CaptureError {
    /// The hook set does without cgroup programs, and nothing else is wanted.
    pub(super) fn no_programs() -> Self {
        Self {
            what: "socket.dns.type: cgroup".to_owned(),
            source: io::Error::other("the hook set counts packets without cgroup programs"),
            remedy: "mount cgroup2 and use a hook set other than tracefs; or set it to auto",
        }
    }
}

fn snaplen(config: &DnsConfig) -> u32 {
    config.snaplen.unwrap_or(SNAPLEN)
}

// === impl Capture ===

impl Capture {
    /// Opens a ring in the agent's own namespace, then in those of all processes.
    ///
    /// # Errors
    ///
    /// The first cannot be opened.
    pub fn start(config: &DnsConfig) -> Result<Self, CaptureError> {
        let failed = |what: &str, remedy| {
            let what = what.to_owned();
            move |source| CaptureError { what, source, remedy }
        };
        let own = netns::own().map_err(failed("/proc/self/ns/net", "mount /proc"))?;
        let ready = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
            .map_err(|error| failed("epoll", "raise the limit of open files")(error.into()))?;
        let mut capture = Self {
            filter: filter::program(snaplen(config)),
            config: config.clone(),
            own,
            rings: BTreeMap::new(),
            ready,
            refused: HashSet::new(),
            beyond: HashSet::new(),
            searched: Instant::now(),
            followed: Instant::now(),
            urgent: false,
            counters: CaptureCounters::default(),
        };
        let remedy = "names from DNS need CONFIG_PACKET and CAP_NET_RAW; \
                      or set socket.dns.enabled: false";
        capture
            .open(own, std::process::id())
            .map_err(failed("a packet ring in the agent's network namespace", remedy))?;
        capture.search();
        Ok(capture)
    }

    /// A descriptor that becomes readable when a packet arrives in any ring.
    ///
    /// # Errors
    ///
    /// No more descriptors.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.ready.0.as_fd().try_clone_to_owned()
    }

    /// Calls `each` for all packets that wait.
    pub fn read(&mut self, mut each: impl FnMut(&Packet<'_>)) {
        let mut events = [EpollEvent::empty(); 64];
        // Each round reads every ring in turn; a flood is left to the next call.
        for _ in 0..16 {
            let count = match self.ready.wait(&mut events, EpollTimeout::ZERO) {
                Ok(0) | Err(_) => return,
                Ok(count) => count,
            };
            // The distance of the clocks, whatever time passes between these lines.
            let distance = i128::from(Clock::now().wall(0).as_nanos());
            let now = Clock::boottime();
            let mut more = false;
            for event in events.iter().take(count) {
                let netns = event.data() as u32;
                let Some(ring_of) = self.rings.get_mut(&netns) else { continue };
                more |= ring_of.ring.read(|frame| {
                    let time = u64::try_from(frame.time - distance).unwrap_or(0);
                    each(&Packet {
                        netns,
                        ethertype: frame.ethertype,
                        time: time.clamp(now.saturating_sub(WAIT), now + WAIT),
                        ends: None,
                        bytes: frame.bytes,
                    });
                });
            }
            if !more && count < events.len() {
                return;
            }
        }
    }

    /// A process runs a new program: it may have entered a namespace before.
    pub fn executed(&mut self, pid: u32) {
        let Some(inode) = netns::of(pid) else { return };
        if !self.rings.contains_key(&inode) {
            self.add(inode, pid);
        }
    }

    /// A process is gone.
    pub fn exited(&mut self, pid: u32) {
        self.urgent |= self.rings.values().any(|ring_of| ring_of.witness == pid);
    }

    /// What is to be done regularly; cheap if nothing is due.
    pub fn tick(&mut self) {
        let pause = if self.urgent { SOON } else { SEARCH };
        if self.searched.elapsed() >= pause {
            self.search();
        }
        if self.config.interface != DnsConfig::ANY && self.followed.elapsed() >= FOLLOW {
            self.followed = Instant::now();
            for (netns, ring_of) in &mut self.rings {
                if let Err(error) = ring_of.ring.follow(&self.config.interface) {
                    log::warn!(
                        target: "dns",
                        "socket.dns.af_packet.interface: {} in network namespace {netns}: {error}",
                        self.config.interface
                    );
                }
            }
        }
    }

    /// Counters so far.
    pub fn counters(&mut self) -> CaptureCounters {
        let dropped: u64 = self.rings.values_mut().map(|ring_of| ring_of.ring.drops()).sum();
        CaptureCounters { dropped: self.counters.dropped + dropped, ..self.counters }
    }

    /// Namespaces that have a ring.
    pub fn namespaces(&self) -> usize {
        self.rings.len()
    }

    /// Opens rings where processes have come, and closes those where none is left.
    fn search(&mut self) {
        self.searched = Instant::now();
        self.urgent = false;
        let found = match netns::of_processes() {
            Ok(found) => found,
            Err(error) => {
                log::warn!(target: "dns", "/proc: {error}; new network namespaces are not found");
                return;
            }
        };
        self.refused.retain(|netns| found.contains_key(netns));
        self.beyond.retain(|netns| found.contains_key(netns));
        let gone: Vec<u32> = self
            .rings
            .keys()
            .filter(|netns| **netns != self.own && !found.contains_key(netns))
            .copied()
            .collect();
        for netns in gone {
            self.close(netns);
        }
        for (netns, pid) in found {
            match self.rings.get_mut(&netns) {
                Some(ring_of) => ring_of.witness = pid,
                None => self.add(netns, pid),
            }
        }
    }

    /// Opens a ring in a namespace if there may be one more.
    fn add(&mut self, netns: u32, pid: u32) {
        if self.refused.contains(&netns) {
            return;
        }
        if self.rings.len() >= self.config.namespaces as usize {
            if self.beyond.insert(netns) {
                self.missed();
            }
            return;
        }
        match self.open(netns, pid) {
            Ok(()) => {
                self.beyond.remove(&netns);
            }
            // The process has gone, or moved on: another search finds what is left of it.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    || error.raw_os_error() == Some(libc::ESRCH) =>
            {
                self.urgent = true;
            }
            Err(error) => {
                self.refused.insert(netns);
                self.missed();
                log::warn!(
                    target: "dns",
                    "network namespace {netns} of process {pid}: {error}; its DNS answers are not \
                     seen, unless they pass the host's"
                );
            }
        }
    }

    fn missed(&mut self) {
        self.counters.namespaces_missed += 1;
    }

    fn open(&mut self, netns: u32, pid: u32) -> io::Result<()> {
        // The host's takes most; a container asks for few names.
        let size = if netns == self.own { self.config.ring } else { self.config.ring / 16 };
        let shape = Shape { snaplen: snaplen(&self.config), size };
        let filter = &mut self.filter;
        let mut ring = if netns == self.own {
            Ring::open(shape, filter)?
        } else {
            // A socket sees the packets of the namespace it was made in, wherever its owner is.
            Namespace::of_process(pid, netns).inside(|| Ring::open(shape, filter).map(Movable))?.0
        };
        if self.config.interface == DnsConfig::ANY {
            ring.listen(0)?;
        } else {
            ring.follow(&self.config.interface)?;
        }
        let event = EpollEvent::new(EpollFlags::EPOLLIN, u64::from(netns));
        self.ready.add(&ring, event).map_err(io::Error::from)?;
        self.rings.insert(netns, NamespaceRing { ring, witness: pid });
        Ok(())
    }

    fn close(&mut self, netns: u32) {
        let Some(mut ring_of) = self.rings.remove(&netns) else { return };
        self.counters.dropped += ring_of.ring.drops();
        match self.ready.delete(&ring_of.ring) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(error) => log::warn!(target: "dns", "epoll: {error}"),
        }
    }
}

/// A ring on its way out of the thread that opened it.
struct Movable(Ring);

// SAFETY: the ring owns its mapping, which any thread may use, one at a time.
unsafe impl Send for Movable {}
