//! What a captured packet is: addresses, ports, lengths, flags.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Transport;

/// A TCP or UDP packet, or a fragment of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) transport: Transport,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// IP total length: IP header and all that follows it.
    pub(super) total: u64,
    /// IP header with extension headers.
    pub(super) ip_header: u64,
    /// `None` for a fragment other than the first.
    pub(super) transport_header: Option<TransportHeader>,
    /// Identification, if the packet is a fragment.
    pub(super) fragment: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TransportHeader {
    pub(super) source: u16,
    pub(super) destination: u16,
    /// Length of the header in bytes.
    pub(super) length: u64,
    /// TCP flags byte; 0 for UDP.
    pub(super) flags: u8,
    /// TCP sequence number; 0 for UDP.
    pub(super) sequence: u32,
}

pub(super) const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
pub(super) const RST: u8 = 4;

impl Packet {
    /// Parses a frame from its Ethernet header on; `None` if it is neither TCP nor UDP over IP.
    pub(super) fn parse(frame: &[u8]) -> Option<Self> {
        let ip = frame.get(14..)?;
        match word(frame, 12)? {
            0x0800 => Self::v4(ip),
            0x86dd => Self::v6(ip),
            _ => None,
        }
    }

    /// Both ends with ports; `None` for a fragment other than the first.
    pub(super) fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        let header = self.transport_header?;
        Some((
            SocketAddr::new(self.source, header.source),
            SocketAddr::new(self.destination, header.destination),
        ))
    }

    fn v4(ip: &[u8]) -> Option<Self> {
        let header = usize::from(ip.first()? & 0x0f) * 4;
        let transport = transport(*ip.get(9)?)?;
        let place = word(ip, 6)?;
        let (more, offset) = (place & 0x2000 != 0, place & 0x1fff);
        let source: [u8; 4] = ip.get(12..16)?.try_into().ok()?;
        let destination: [u8; 4] = ip.get(16..20)?.try_into().ok()?;
        Some(Self {
            transport,
            source: Ipv4Addr::from(source).into(),
            destination: Ipv4Addr::from(destination).into(),
            total: u64::from(word(ip, 2)?),
            ip_header: header as u64,
            transport_header: if offset == 0 {
                Some(TransportHeader::parse(transport, ip.get(header..)?)?)
            } else {
                None
            },
            fragment: if more || offset != 0 { Some(u32::from(word(ip, 4)?)) } else { None },
        })
    }

    fn v6(ip: &[u8]) -> Option<Self> {
        let source: [u8; 16] = ip.get(8..24)?.try_into().ok()?;
        let destination: [u8; 16] = ip.get(24..40)?.try_into().ok()?;
        let (mut next, mut header) = (*ip.get(6)?, 40_usize);
        let (mut fragment, mut offset) = (None, 0);
        loop {
            match next {
                // Hop-by-hop options, routing, destination options.
                0 | 43 | 60 => {
                    next = *ip.get(header)?;
                    header += 8 + usize::from(*ip.get(header + 1)?) * 8;
                }
                44 => {
                    next = *ip.get(header)?;
                    offset = word(ip, header + 2)? & !7;
                    fragment = Some(long(ip, header + 4)?);
                    header += 8;
                }
                _ => break,
            }
            if offset != 0 {
                break;
            }
        }
        let transport = transport(next)?;
        Some(Self {
            transport,
            source: Ipv6Addr::from(source).into(),
            destination: Ipv6Addr::from(destination).into(),
            total: 40 + u64::from(word(ip, 4)?),
            ip_header: header as u64,
            transport_header: if offset == 0 {
                Some(TransportHeader::parse(transport, ip.get(header..)?)?)
            } else {
                None
            },
            fragment,
        })
    }
}

impl TransportHeader {
    fn parse(transport: Transport, bytes: &[u8]) -> Option<Self> {
        let (source, destination) = (word(bytes, 0)?, word(bytes, 2)?);
        Some(match transport {
            Transport::Tcp => Self {
                source,
                destination,
                length: u64::from(bytes.get(12)? >> 4) * 4,
                flags: *bytes.get(13)?,
                sequence: long(bytes, 4)?,
            },
            Transport::Udp => Self { source, destination, length: 8, flags: 0, sequence: 0 },
        })
    }
}

fn transport(protocol: u8) -> Option<Transport> {
    match i32::from(protocol) {
        libc::IPPROTO_TCP => Some(Transport::Tcp),
        libc::IPPROTO_UDP => Some(Transport::Udp),
        _ => None,
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ethernet(kind: u16, ip: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend(kind.to_be_bytes());
        frame.extend(ip);
        frame
    }

    #[test]
    fn reads_tcp_over_ipv4() {
        let mut ip = vec![0x45, 0, 0, 60, 0, 7, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        ip.extend([0x80, 0, 0, 80, 0, 0, 0, 9, 0, 0, 0, 0, 0xa0, SYN]);
        ip.resize(60, 0);
        let packet = Packet::parse(&ethernet(0x0800, &ip)).expect("a TCP packet");
        let (from, to) = packet.ends().expect("ports");
        assert_eq!(
            (from.to_string(), to.to_string()),
            ("10.0.0.1:32768".into(), "10.0.0.2:80".into())
        );
        assert_eq!((packet.total, packet.ip_header, packet.fragment), (60, 20, None));
        let header = packet.transport_header.expect("a header");
        assert_eq!((header.length, header.flags, header.sequence), (40, SYN, 9));
    }

    #[test]
    fn tells_fragments_of_ipv6_apart() {
        let mut ip = vec![0x60, 0, 0, 0, 0, 24, 44, 64];
        ip.resize(40, 0);
        // Next header UDP, offset 0, more to come, identification 5; then a UDP header.
        ip.extend([17, 0, 0, 1, 0, 0, 0, 5, 0, 1, 0, 2, 0, 16, 0, 0]);
        ip.resize(64, 0);
        let first = Packet::parse(&ethernet(0x86dd, &ip)).expect("a fragment");
        assert_eq!((first.total, first.ip_header, first.fragment), (64, 48, Some(5)));
        assert!(first.ends().is_some());

        ip[43] = 9; // offset 8, more to come
        let second = Packet::parse(&ethernet(0x86dd, &ip)).expect("a fragment");
        assert_eq!((second.fragment, second.ends()), (Some(5), None));
    }

    #[test]
    fn ignores_what_is_not_tcp_or_udp() {
        let mut icmp = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1];
        icmp.resize(28, 0);
        assert_eq!(Packet::parse(&ethernet(0x0800, &icmp)), None);
        assert_eq!(Packet::parse(&ethernet(0x0806, &icmp)), None);
        assert_eq!(Packet::parse(&[0; 5]), None);
    }
}
