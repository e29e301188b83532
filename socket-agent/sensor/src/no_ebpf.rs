//! In place of the eBPF sensor in builds without the feature `ebpf`: what others name and never get.

use std::{io, os::fd::OwnedFd};

use flow::dns::Packet;

/// A ring of DNS packets, which only programs fill.
pub enum DnsRing {}

// === impl DnsRing ===

impl DnsRing {
    /// A descriptor that becomes readable, as in the eBPF sensor.
    ///
    /// # Errors
    ///
    /// Never.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        match *self {}
    }

    /// Reads packets, as in the eBPF sensor.
    pub fn read(&mut self, _each: impl FnMut(&Packet<'_>)) {
        match *self {}
    }
}
