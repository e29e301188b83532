//! Sources of DNS packets.
//!
//! | from | needs | sees |
//! |---|---|---|
//! | [`DnsRing`] | cgroup programs | what sockets of this host ask and are told, in any network namespace |
//! | [`Capture`] | packet sockets | what passes interfaces, forwarded packets included |

mod capture;
mod filter;
mod ring;

use std::{io, os::fd::OwnedFd};

pub use self::capture::{Capture, CaptureCounters, CaptureError};
use super::{Source, ebpf::DnsRing};
use crate::{DnsConfig, DnsType};
use flow::dns::Packet;

/// A source of DNS packets.
pub enum Channel {
    /// Programs hand them over.
    Sockets(DnsRing),
    /// Packet sockets.
    Interfaces(Box<Capture>),
}

// === impl Channel ===

impl Channel {
    /// Takes what the sensor hands over, if it does and that is wanted, or else opens packet sockets.
    ///
    /// # Errors
    ///
    /// Neither can be had.
    pub fn open(config: &DnsConfig, source: &mut dyn Source) -> Result<Self, CaptureError> {
        if let Some(ring) = source.take_dns() {
            return Ok(Self::Sockets(ring));
        }
        if config.kind == DnsType::Cgroup {
            return Err(CaptureError::no_programs());
        }
        Capture::start(config).map(|capture| Self::Interfaces(Box::new(capture)))
    }

    /// Description of the source for the log.
    pub fn describe(&self) -> String {
        match self {
            Self::Sockets(_) => "from the sockets of all network namespaces".to_owned(),
            Self::Interfaces(capture) => {
                format!("from interfaces in {} network namespaces", capture.namespaces())
            }
        }
    }

    /// A descriptor that becomes readable when packets have arrived: of packet sockets each, of a ring
    /// only when much is waiting.
    ///
    /// # Errors
    ///
    /// No more descriptors.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Sockets(ring) => ring.descriptor(),
            Self::Interfaces(capture) => capture.descriptor(),
        }
    }

    /// Calls `each` for the packets that wait.
    pub fn read(&mut self, each: impl FnMut(&Packet<'_>)) {
        match self {
            Self::Sockets(ring) => ring.read(each),
            Self::Interfaces(capture) => capture.read(each),
        }
    }

    /// A process runs a new program: it may have entered a network namespace before.
    pub fn executed(&mut self, pid: u32) {
        if let Self::Interfaces(capture) = self {
            capture.executed(pid);
        }
    }

    /// A process is gone.
    pub fn exited(&mut self, pid: u32) {
        if let Self::Interfaces(capture) = self {
            capture.exited(pid);
        }
    }

    /// What is to be done regularly; cheap if nothing is due.
    pub fn tick(&mut self) {
        if let Self::Interfaces(capture) = self {
            capture.tick();
        }
    }

    /// What was not captured. Packets that found the programs' ring full are the sensor's to count.
    pub fn counters(&mut self) -> CaptureCounters {
        match self {
            Self::Sockets(_) => CaptureCounters::default(),
            Self::Interfaces(capture) => capture.counters(),
        }
    }
}
