//! Both ends of a packet or a socket.

use super::Way;
use crate::{FAMILY_IPV4, FAMILY_IPV6};

/// The remote end of a packet or a socket; address, port and family as in
/// [`Tuple`](crate::Tuple).
///
/// Aligned so that the eBPF programs compare addresses by words.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Address.
    pub address: [u32; 4],
    /// Port.
    pub port: u16,
    /// Address family.
    pub family: u8,
}

impl Way {
    /// Of something that sender and receiver of a packet have: that of the local and that of the remote end.
    #[inline(always)]
    #[must_use]
    pub fn local_and_remote<T>(self, source: T, destination: T) -> (T, T) {
        match self {
            Self::Out => (source, destination),
            Self::In => (destination, source),
        }
    }
}

/// Address and family of what an IPv6 socket holds: IPv4 if it is mapped (`::ffff:192.0.2.1`).
#[inline(always)]
#[must_use]
pub fn unmapped(v6: [u32; 4]) -> ([u32; 4], u8) {
    if v6[0] == 0 && v6[1] == 0 && v6[2] == 0xffff_u32.to_be() {
        ([v6[3], 0, 0, 0], FAMILY_IPV4)
    } else {
        (v6, FAMILY_IPV6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_is_the_end_that_is_on_this_host() {
        assert_eq!(Way::Out.local_and_remote("source", "destination"), ("source", "destination"));
        assert_eq!(Way::In.local_and_remote("source", "destination"), ("destination", "source"));
    }

    #[test]
    fn a_mapped_address_is_of_ipv4() {
        let mapped = [0, 0, 0xffff_u32.to_be(), 9];
        assert_eq!(unmapped(mapped), ([9, 0, 0, 0], FAMILY_IPV4));
        for other in [[0, 0, 0, 9], [1, 0, mapped[2], 9], [0, 1, mapped[2], 9]] {
            assert_eq!(unmapped(other), (other, FAMILY_IPV6));
        }
    }
}
