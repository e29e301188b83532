#[cfg(feature = "user")]
use zerocopy::{FromBytes, Immutable, KnownLayout};

use crate::{Header, Tuple};

/// Port of DNS servers.
pub const DNS_PORT: u16 = 53;

/// Bytes of a packet that the two kinds of records have room for: together with what stands before them
/// 512 and 4352. The larger holds an answer of 4,096 bytes, as much as is commonly asked for by EDNS, with the
/// headers of UDP and of IPv4 with options or IPv6 with some extension headers. Of longer packets the rest is
/// left out.
pub const DNS_CAPACITY: [usize; 2] = [440, 4280];

/// A packet between a socket of this host and a DNS server.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "user", derive(FromBytes, KnownLayout, Immutable))]
pub struct DnsEvent<const CAPACITY: usize> {
    /// `kind::DNS`; `length` is the number of valid bytes in `data`.
    pub header: Header,
    /// Time of the packet, boottime nanoseconds.
    pub time: u64,
    /// Both ends as the socket sees them, whatever the packet was translated to or from.
    pub tuple: Tuple,
    /// 1 if the socket sent it, 0 if it received it.
    pub outgoing: u32,
    /// Zero.
    pub reserved: u32,
    /// From the network header on.
    pub data: [u8; CAPACITY],
}

const _: () = {
    assert!(size_of::<DnsEvent<{ DNS_CAPACITY[0] }>>() == 512);
    assert!(size_of::<DnsEvent<{ DNS_CAPACITY[1] }>>() == 4352);
};
