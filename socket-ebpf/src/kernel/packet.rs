//! `struct sk_buff`: what a buffer stands for on the wire.

use socket_common::{Counter, FAMILY_IPV4, FAMILY_IPV6, PROTO_TCP, PROTO_UDP, Tuple};

use super::{
    core_offsets as at, field, read,
    sock::{Peer, netns_inode},
};
use crate::maps::count;

/// Which way a packet goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Out,
    In,
}

/// TCP FIN.
pub const FIN: u8 = 1;
/// TCP SYN.
pub const SYN: u8 = 2;
/// TCP RST.
pub const RST: u8 = 4;

const IPV6_HEADER: usize = 40;
const UDP_HEADER: u32 = 8;

/// No IPv4 route takes less without fragmenting what it carries into absurdly small parts.
const SMALLEST_MTU: u32 = 576;
/// Bytes of an IPv6 fragment header.
const FRAGMENT_HEADER: u32 = 8;
/// Index of the MTU among the metrics of a route.
const RTAX_MTU: usize = 1;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;

/// A buffer whose network and transport headers are known to the kernel.
#[derive(Clone, Copy)]
pub struct Packet {
    skb: usize,
    network: usize,
    transport: usize,
    /// IP header to end of data, as one (possibly oversized) packet.
    length: u32,
    pub family: u8,
    pub protocol: u8,
    /// IP packets that this buffer stands for: a segmentation-offloaded one counts as its segments.
    pub packets: u64,
    /// IP total lengths of those packets, each with headers of its own.
    pub bytes: u64,
}

#[inline(always)]
fn is_extension(next: u8) -> bool {
    next == HOP_BY_HOP || next == ROUTING || next == DESTINATION || next == FRAGMENT
}

/// Protocol and address of the transport header of an IPv6 packet. Four extension headers are
/// looked at; a packet with more is counted as unparsed by the caller.
#[inline(always)]
fn skip_extensions(network: usize) -> (u8, usize) {
    let mut next: u8 = read(network + 6);
    let mut at = network + IPV6_HEADER;
    macro_rules! step {
        () => {
            if is_extension(next) {
                let header: [u8; 2] = read(at);
                at += if next == FRAGMENT { 8 } else { (header[1] as usize + 1) * 8 };
                next = header[0];
            }
        };
    }
    step!();
    step!();
    step!();
    step!();
    (next, at)
}

impl Packet {
    /// Whether a buffer may carry IP at all: what is given to a device may be ARP.
    #[inline(always)]
    pub fn is_ip(skb: usize) -> bool {
        let head: usize = field(skb, at::sk_buff_head());
        let network: u16 = field(skb, at::sk_buff_network_header());
        let first: u8 = read(head + network as usize);
        first >> 4 == 4 || first >> 4 == 6
    }

    /// Reads the headers of a buffer that carries TCP or UDP; `None` for anything else.
    #[inline(always)]
    pub fn of(skb: usize, way: Way) -> Option<Self> {
        let head: usize = field(skb, at::sk_buff_head());
        let network_offset: u16 = field(skb, at::sk_buff_network_header());
        let data: usize = field(skb, at::sk_buff_data());
        let network = head + network_offset as usize;
        let first: u8 = read(network);
        let (family, protocol, transport) = match first >> 4 {
            4 => {
                let header = ((first & 15) as usize) * 4;
                (FAMILY_IPV4, read::<u8>(network + 9), network + header)
            }
            6 => {
                let (protocol, transport) = skip_extensions(network);
                (FAMILY_IPV6, protocol, transport)
            }
            _ => {
                count(Counter::Unparsed);
                return None;
            }
        };
        if is_extension(protocol) && family == FAMILY_IPV6 {
            count(Counter::Unparsed);
        }
        if protocol != PROTO_TCP && protocol != PROTO_UDP {
            return None;
        }
        let length: u32 = field(skb, at::sk_buff_len());
        // `len` counts from `data`, which may stand at the link, network or transport header.
        let length = (length as usize).wrapping_add(data).wrapping_sub(network) as u32;
        let mut packet = Self {
            skb,
            network,
            transport,
            length,
            family,
            protocol,
            packets: 1,
            bytes: length as u64,
        };
        let end: u32 = field(skb, at::sk_buff_end());
        let segment: u16 = field(head + end as usize, at::skb_shared_info_gso_size());
        if segment != 0 {
            packet.split(segment as u32);
        } else if protocol == PROTO_UDP {
            packet.fragment(way);
        }
        Some(packet)
    }

    #[inline(always)]
    fn header_length(&self) -> u32 {
        let network = (self.transport - self.network) as u32;
        if self.protocol == PROTO_UDP {
            network + UDP_HEADER
        } else {
            network + ((read::<u8>(self.transport + 12) >> 4) as u32) * 4
        }
    }

    /// Counts a buffer that is to be cut, or was put together, with `segment` bytes of payload each.
    #[inline(always)]
    fn split(&mut self, segment: u32) {
        let length = self.length;
        let mut headers = self.header_length();
        let payload = length.wrapping_sub(headers);
        if payload <= segment || payload > 1 << 20 {
            return;
        }
        let mut total = length;
        if self.family == FAMILY_IPV6 && length > 65_535 && read::<u8>(self.network + 6) == 0 {
            // The jumbo option of an IPv6 buffer above 64 KiB never reaches the wire.
            headers -= 8;
            total -= 8;
        }
        let segments = (payload + segment - 1) / segment;
        self.packets = segments as u64;
        self.bytes = total as u64 + (segments as u64 - 1) * headers as u64;
    }

    /// Counts a datagram as the IP fragments that it leaves in, or has come in.
    #[inline(always)]
    fn fragment(&mut self, way: Way) {
        let limit = match way {
            Way::Out if self.length <= SMALLEST_MTU => 0,
            Way::Out => self.route_mtu(),
            Way::In => self.largest_fragment(),
        };
        let header = (self.transport - self.network) as u32;
        // IPv6 fragments have a header more than the whole datagram has.
        let extra = if self.family == FAMILY_IPV6 { FRAGMENT_HEADER } else { 0 };
        if limit <= header + extra + 8 || (way == Way::Out && self.length <= limit) {
            return;
        }
        let payload = self.length.wrapping_sub(header);
        let room = (limit - header - extra) & !7;
        if room == 0 || payload > 1 << 16 {
            return;
        }
        let fragments = (payload + room - 1) / room;
        self.packets = fragments as u64;
        self.bytes = payload as u64 + fragments as u64 * (header + extra) as u64;
    }

    /// Largest packet that the route of a packet to be sent takes.
    #[inline(always)]
    fn route_mtu(&self) -> u32 {
        // The lowest bit says whether the buffer holds a reference.
        let route = field::<usize>(self.skb, at::sk_buff_skb_refdst()) & !1;
        let metrics = field::<usize>(route, at::dst_entry_metrics()) & !3;
        if metrics != 0 {
            let set: u32 = read(metrics + RTAX_MTU * 4);
            if set != 0 {
                return set;
            }
        }
        field(field(route, at::dst_entry_dev()), at::net_device_mtu())
    }

    /// Largest fragment that a received datagram was put together from; 0 if it came whole.
    #[inline(always)]
    fn largest_fragment(&self) -> u32 {
        let within = if self.family == FAMILY_IPV4 {
            at::inet_skb_parm_frag_max_size()
        } else {
            at::inet6_skb_parm_frag_max_size()
        };
        match (at::sk_buff_cb(), within) {
            (Some(cb), Some(within)) => read::<u16>(self.skb + cb + within) as u32,
            _ => 0,
        }
    }

    /// What tells this TCP packet from others: its buffer, and against the next one in the same memory
    /// sequence numbers, flags, window and length.
    #[inline(always)]
    pub fn tcp_identity(&self) -> [u64; 3] {
        let numbers: u64 = read(self.transport + 4);
        let flags: u32 = read(self.transport + 12);
        [self.skb as u64, numbers, (flags as u64) << 32 | self.length as u64]
    }

    /// TCP flags.
    #[inline(always)]
    pub fn tcp_flags(&self) -> u8 {
        read(self.transport + 13)
    }

    /// Whether a TCP packet carries data or a FIN: something a process asked for.
    #[inline(always)]
    pub fn is_payload(&self) -> bool {
        self.length > self.header_length() || self.tcp_flags() & FIN != 0
    }

    #[inline(always)]
    fn ports(&self) -> (u16, u16) {
        let ports: [u16; 2] = read(self.transport);
        (u16::from_be(ports[0]), u16::from_be(ports[1]))
    }

    /// Both ports as one number: tells packets of different connections apart, nearly always.
    #[inline(always)]
    pub fn ends(&self) -> u64 {
        read::<u32>(self.transport) as u64
    }

    #[inline(always)]
    fn addresses(&self) -> ([u32; 4], [u32; 4]) {
        if self.family == FAMILY_IPV4 {
            let pair: [u32; 2] = read(self.network + 12);
            ([pair[0], 0, 0, 0], [pair[1], 0, 0, 0])
        } else {
            (read(self.network + 8), read(self.network + 24))
        }
    }

    /// The far end of a packet that goes `way`.
    #[inline(always)]
    pub fn peer(&self, way: Way) -> Peer {
        let (source, destination) = self.ports();
        let port = if way == Way::Out { destination } else { source };
        let address = if self.family == FAMILY_IPV4 {
            [read(self.network + if way == Way::Out { 16 } else { 12 }), 0, 0, 0]
        } else {
            read(self.network + if way == Way::Out { 24 } else { 8 })
        };
        Peer { address, port, family: self.family }
    }

    /// Addresses and ports as seen by the host that the packet leaves or enters.
    #[inline(always)]
    pub fn tuple(&self, way: Way, netns: u32) -> Tuple {
        let (source, destination) = self.addresses();
        let (source_port, destination_port) = self.ports();
        let (local, remote, local_port, remote_port) = if way == Way::Out {
            (source, destination, source_port, destination_port)
        } else {
            (destination, source, destination_port, source_port)
        };
        Tuple {
            local,
            remote,
            local_port,
            remote_port,
            netns,
            family: self.family,
            protocol: self.protocol,
            reserved: 0,
            reserved2: 0,
        }
    }

    /// Network namespace of the device that the packet is on.
    #[inline(always)]
    pub fn device_netns(&self) -> u32 {
        let device: usize = field(self.skb, at::sk_buff_dev());
        netns_inode(field(device, at::net_device_nd_net()))
    }
}
