//! In place of the eBPF sensor in builds without the feature `ebpf`: what others name and never get.

use std::{io, os::fd::OwnedFd};

use flow::dns::Packet;

/// A ring of DNS packets, which only programs fill.
pub enum DnsRing {}

// === impl DnsRing ===

impl DnsRing {
    /// See the eBPF sensor's.
    ///
    /// # Errors
    ///
    /// Never.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        match *self {}
    }

    /// See the eBPF sensor's.
    pub fn read(&mut self, _each: impl FnMut(&Packet<'_>)) {
        match *self {}
    }
}
