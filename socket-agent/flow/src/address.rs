use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use socket_common::{FAMILY_IPV4, Tuple};

/// An address of a tuple.
pub fn address(tuple: &Tuple, words: [u32; 4]) -> IpAddr {
    match Tuple::address_bytes(words) {
        [a, b, c, d, ..] if tuple.family == FAMILY_IPV4 => Ipv4Addr::new(a, b, c, d).into(),
        bytes => Ipv6Addr::from(bytes).into(),
    }
}
