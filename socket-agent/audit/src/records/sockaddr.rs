//! Socket addresses, as SOCKADDR records have them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::encoded;

/// An address in the form of `struct sockaddr` of its family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketAddress {
    /// AF_INET and AF_INET6.
    Ip {
        /// Address.
        ip: IpAddr,
        /// Port.
        port: u16,
    },
    /// AF_UNIX with a path, which is as the program gave it and may be relative.
    Unix(Vec<u8>),
    /// AF_UNIX with a name in the abstract name space, without the zero before it.
    Abstract(Vec<u8>),
    /// AF_NETLINK.
    Netlink {
        /// Port id; 0 is the kernel.
        pid: u32,
        /// Multicast groups.
        groups: u32,
    },
    /// AF_PACKET.
    Packet {
        /// Ethernet protocol.
        protocol: u16,
        /// Interface.
        interface: u32,
    },
    /// AF_VSOCK.
    Vsock {
        /// Context id.
        cid: u32,
        /// Port.
        port: u32,
    },
    /// Any other family: its number and what follows it.
    Other {
        /// AF_*.
        family: u16,
        /// Bytes behind the family.
        data: Vec<u8>,
    },
}

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const AF_NETLINK: u16 = 16;
const AF_PACKET: u16 = 17;
const AF_VSOCK: u16 = 40;

impl SocketAddress {
    /// From the digits of a `saddr` field. The records of this host's kernel are in its byte
    /// order; those of another host are distinguished by the family, which is small.
    pub(super) fn parse_hex(digits: &[u8]) -> Option<Self> {
        if !digits.len().is_multiple_of(2) || digits.len() > 512 {
            return None;
        }
        let mut bytes = Vec::with_capacity(digits.len() / 2);
        encoded::decode_any_case(digits, &mut bytes);
        (bytes.len() == digits.len() / 2).then(|| Self::parse(&bytes)).flatten()
    }

    /// From the bytes that a program gave to the kernel; `None` without a family.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (family, data) = bytes.split_first_chunk::<2>()?;
        let [first, second] = *family;
        // Families are below 256, so the other byte is zero: it tells the byte order.
        let is_big = first == 0 && second != 0;
        let family = u16::from(if is_big { second } else { first });
        if first != 0 && second != 0 {
            return Some(Self::Other {
                family: u16::from_le_bytes([first, second]),
                data: data.to_vec(),
            });
        }
        let word = |at: usize| {
            let bytes = data.get(at..at + 4)?.try_into().ok()?;
            Some(if is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
        };
        let port = || data.first_chunk::<2>().map(|port| u16::from_be_bytes(*port));
        let known = match family {
            AF_INET => ip(data.get(2..6), port(), |bytes: [u8; 4]| Ipv4Addr::from(bytes).into()),
            AF_INET6 => ip(data.get(6..22), port(), |bytes: [u8; 16]| Ipv6Addr::from(bytes).into()),
            AF_UNIX => Some(unix(data)),
            AF_NETLINK => word(2).zip(word(6)).map(|(pid, groups)| Self::Netlink { pid, groups }),
            AF_PACKET => port()
                .zip(word(2))
                .map(|(protocol, interface)| Self::Packet { protocol, interface }),
            AF_VSOCK => word(2).zip(word(6)).map(|(port, cid)| Self::Vsock { cid, port }),
            _ => None,
        };
        Some(known.unwrap_or_else(|| Self::Other { family, data: data.to_vec() }))
    }

    /// AF_*.
    pub fn family(&self) -> u16 {
        match self {
            Self::Ip { ip: IpAddr::V4(_), .. } => AF_INET,
            Self::Ip { ip: IpAddr::V6(_), .. } => AF_INET6,
            Self::Unix(_) | Self::Abstract(_) => AF_UNIX,
            Self::Netlink { .. } => AF_NETLINK,
            Self::Packet { .. } => AF_PACKET,
            Self::Vsock { .. } => AF_VSOCK,
            Self::Other { family, .. } => *family,
        }
    }
}

fn ip<const N: usize>(
    address: Option<&[u8]>,
    port: Option<u16>,
    of: impl Fn([u8; N]) -> IpAddr,
) -> Option<SocketAddress> {
    Some(SocketAddress::Ip { ip: of(address?.try_into().ok()?), port: port? })
}

fn unix(data: &[u8]) -> SocketAddress {
    let until_zero = |text: &[u8]| {
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        text[..end].to_vec()
    };
    match data {
        // The kernel logs the whole buffer of the program: what follows the name is chance.
        [0, name @ ..] if !name.is_empty() => SocketAddress::Abstract(until_zero(name)),
        path => SocketAddress::Unix(until_zero(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(digits: &str) -> Option<SocketAddress> {
        SocketAddress::parse_hex(digits.as_bytes())
    }

    #[test]
    fn families() {
        let ip = |ip: &str, port| Some(SocketAddress::Ip { ip: ip.parse().unwrap(), port });
        assert_eq!(parse("02000050A9FEA9FE0000000000000000"), ip("169.254.169.254", 80));
        assert_eq!(parse("00020050A9FEA9FE"), ip("169.254.169.254", 80), "big-endian");
        let v6 = "0A00001600000000000000000000000000000000000000010000000000";
        assert_eq!(parse(&v6[..56]), ip("::1", 22));
        assert_eq!(
            parse("01002F72756E2F736F636B00FFFF"),
            Some(SocketAddress::Unix(b"/run/sock".to_vec()))
        );
        assert_eq!(parse("01000061620000"), Some(SocketAddress::Abstract(b"ab".to_vec())));
        assert_eq!(parse("0100"), Some(SocketAddress::Unix(Vec::new())));
        assert_eq!(
            parse("100000000500000001000000"),
            Some(SocketAddress::Netlink { pid: 5, groups: 1 })
        );
        assert_eq!(
            parse("28000000160000000200000000000000"),
            Some(SocketAddress::Vsock { cid: 2, port: 22 })
        );
    }

    #[test]
    fn short_and_strange_ones() {
        assert_eq!(parse(""), None);
        assert_eq!(parse("02"), None);
        assert_eq!(parse("zz00"), None);
        assert_eq!(parse("0200005"), None, "an odd number of digits");
        assert_eq!(
            parse("02000050A9"),
            Some(SocketAddress::Other { family: 2, data: vec![0, 0x50, 0xa9] })
        );
        assert_eq!(parse("0000"), Some(SocketAddress::Other { family: 0, data: Vec::new() }));
        assert_eq!(parse("FFFF01"), Some(SocketAddress::Other { family: 0xffff, data: vec![1] }));
    }
}
