//! From the first byte of a network header to what TCP or UDP carries.

use std::{
    mem::offset_of,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use network_types::{
    ip::{Ipv4Hdr, Ipv6Hdr},
    tcp::TcpHdr,
    udp::UdpHdr,
};
use socket_common::{PROTO_TCP, PROTO_UDP};

/// `ETH_P_IP`, `ETH_P_IPV6`, and the two kinds of VLAN tags, linux/if_ether.h.
pub const IPV4: u16 = 0x0800;
/// The EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;
/// The EtherTypes of VLAN tags.
pub const VLAN: [u16; 2] = [0x8100, 0x88a8];
/// Tags that are looked behind.
const TAGS: usize = 2;
/// IPv6 extension headers that are looked behind.
pub const EXTENSIONS: usize = 8;

/// A TCP segment or UDP datagram, as far as it was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Address of the sender.
    pub source: SocketAddr,
    /// Address of the receiver.
    pub destination: SocketAddr,
    /// Fields of the TCP header; `None` for UDP.
    pub tcp: Option<TcpPart>,
    /// The first bytes of the payload.
    pub payload: &'a [u8],
    /// Bytes of the payload that were not captured, or lie in other fragments.
    pub missing: usize,
}

/// Sequence number and flags of a TCP segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpPart {
    /// Sequence number of the first byte, or of the SYN.
    pub sequence: u32,
    /// Whether it begins a connection.
    pub syn: bool,
    /// Ends it: FIN or RST.
    pub end: bool,
}

/// Reads a packet that begins with what `ethertype` says: IP, or the rest of a VLAN tag. `None` if
/// it is something else, not the first fragment, or shorter than its headers.
pub fn parse(ethertype: u16, bytes: &[u8]) -> Option<Segment<'_>> {
    let (ethertype, bytes) = untag(ethertype, bytes);
    match ethertype {
        IPV4 => ipv4(bytes),
        IPV6 => ipv6(bytes),
        _ => None,
    }
}

/// Behind the tags. Some kernels hand over a tagged packet that begins with IP all the same.
fn untag(outer: u16, packet: &[u8]) -> (u16, &[u8]) {
    let (mut ethertype, mut bytes) = (outer, packet);
    for _ in 0..TAGS {
        if !VLAN.contains(&ethertype) {
            break;
        }
        let Some(inner) = be16(bytes, 2) else { break };
        (ethertype, bytes) = (inner, bytes.get(4..).unwrap_or_default());
    }
    if outer == ethertype || [IPV4, IPV6].contains(&ethertype) {
        return (ethertype, bytes);
    }
    match packet.first().map(|first| first >> 4) {
        Some(4) => (IPV4, packet),
        Some(6) => (IPV6, packet),
        _ => (ethertype, bytes),
    }
}

fn ipv4(bytes: &[u8]) -> Option<Segment<'_>> {
    let header = usize::from(bytes.first()? & 0x0f) * 4;
    let total = usize::from(be16(bytes, offset_of!(Ipv4Hdr, tot_len))?);
    let fragment = be16(bytes, offset_of!(Ipv4Hdr, frags))?;
    if header < Ipv4Hdr::LEN || fragment & 0x1fff != 0 {
        return None;
    }
    let protocol = *bytes.get(offset_of!(Ipv4Hdr, proto))?;
    let address = |at: usize| -> Option<IpAddr> {
        let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(Ipv4Addr::from(bytes).into())
    };
    let ends = [address(offset_of!(Ipv4Hdr, src_addr))?, address(offset_of!(Ipv4Hdr, dst_addr))?];
    // Zero in a buffer above 64 KiB: then what was captured is all that is known.
    let length = if total == 0 {
        bytes.len() - header.min(bytes.len())
    } else {
        total.checked_sub(header)?
    };
    transport(protocol, ends, bytes.get(header..)?, length)
}

fn ipv6(bytes: &[u8]) -> Option<Segment<'_>> {
    let address = |at: usize| -> Option<IpAddr> {
        let bytes: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
        Some(Ipv6Addr::from(bytes).into())
    };
    let ends = [address(offset_of!(Ipv6Hdr, src_addr))?, address(offset_of!(Ipv6Hdr, dst_addr))?];
    let mut next = *bytes.get(offset_of!(Ipv6Hdr, next_hdr))?;
    let mut at = Ipv6Hdr::LEN;
    for _ in 0..=EXTENSIONS {
        if next == PROTO_TCP || next == PROTO_UDP {
            let payload = usize::from(be16(bytes, offset_of!(Ipv6Hdr, payload_len))?);
            let rest = bytes.get(at..)?;
            let length =
                if payload == 0 { rest.len() } else { payload.checked_sub(at - Ipv6Hdr::LEN)? };
            return transport(next, ends, rest, length);
        }
        let length = extension(next, bytes.get(at..)?)?;
        next = *bytes.get(at)?;
        at += length;
    }
    None
}

/// Length of the extension header of kind `next`; `None` for one that cannot be looked behind.
fn extension(next: u8, header: &[u8]) -> Option<usize> {
    let units = usize::from(*header.get(1)?);
    match next {
        // Hop-by-hop, routing, destination, mobility, HIP, shim6: RFC 8200, RFC 7045.
        0 | 43 | 60 | 135 | 139 | 140 => Some((units + 1) * 8),
        // A fragment, if it is the first.
        44 => (be16(header, 2)? & 0xfff8 == 0).then_some(8),
        // Authentication: RFC 4302.
        51 => Some((units + 2) * 4),
        _ => None,
    }
}

/// `length` is that of the transport header and payload as the network header reports it.
fn transport(protocol: u8, ends: [IpAddr; 2], bytes: &[u8], length: usize) -> Option<Segment<'_>> {
    let bytes = bytes.get(..length).unwrap_or(bytes);
    let [source, destination] = ends;
    let source = SocketAddr::new(source, be16(bytes, offset_of!(UdpHdr, src))?);
    let destination = SocketAddr::new(destination, be16(bytes, offset_of!(UdpHdr, dst))?);
    let (tcp, header, length) = match protocol {
        PROTO_UDP => {
            let length_field = usize::from(be16(bytes, offset_of!(UdpHdr, len))?);
            (None, UdpHdr::LEN, if length_field == 0 { length } else { length_field })
        }
        PROTO_TCP => {
            let control = offset_of!(TcpHdr, ack_seq) + 4;
            let flags = *bytes.get(control + 1)?;
            let sequence = offset_of!(TcpHdr, seq);
            let part = TcpPart {
                sequence: u32::from(be16(bytes, sequence)?) << 16
                    | u32::from(be16(bytes, sequence + 2)?),
                syn: flags & 0x02 != 0,
                end: flags & 0x05 != 0,
            };
            (Some(part), usize::from(bytes.get(control)? >> 4) * 4, length)
        }
        _ => return None,
    };
    if header < UdpHdr::LEN {
        return None;
    }
    let payload_length = length.checked_sub(header)?;
    let payload = bytes.get(header..)?;
    let payload = payload.get(..payload_length).unwrap_or(payload);
    Some(Segment { source, destination, tcp, payload, missing: payload_length - payload.len() })
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_be_bytes(bytes))
}

#[cfg(test)]
#[path = "packet_tests.rs"]
mod tests;
