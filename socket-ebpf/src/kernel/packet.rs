//! `struct sk_buff`: what a buffer stands for on the wire.

mod wire;

use core::{mem::offset_of, ptr};

use aya_ebpf::bindings::__sk_buff;
#[cfg(feature = "perf")]
use aya_ebpf::{macros::map, maps::PerCpuArray};
use network_types::{
    ip::{IpProto, Ipv4Hdr, Ipv6Hdr},
    tcp::TcpHdr,
    udp::UdpHdr,
};
use socket_common::{
    Counter, FAMILY_IPV4, FAMILY_IPV6, PROTO_TCP, PROTO_UDP, Tuple,
    kernel::tcp_flag::FIN,
    rules::{Peer, Way},
};

use super::{address, conntrack, core_offsets as at, field, read, sock::netns_inode};
use crate::maps::count;

const HOP_BY_HOP: u8 = IpProto::HopOpt as u8;
const ROUTING: u8 = IpProto::Ipv6Route as u8;
const FRAGMENT: u8 = IpProto::Ipv6Frag as u8;
const DESTINATION: u8 = IpProto::Ipv6Opts as u8;

/// Length of the header, flags and window of TCP.
const CONTROL: usize = offset_of!(TcpHdr, ack_seq) + 4;

/// What the headers of a buffer that carries TCP or UDP say.
#[derive(Clone, Copy)]
pub struct Packet {
    /// The `struct sk_buff`; a pointer that [`address`] makes a number of.
    skb: *const u8,
    /// Bytes of the network header, IPv6 extension headers included.
    header: u32,
    /// IP header to end of data, as one (possibly oversized) packet.
    length: u32,
    pub family: u8,
    pub protocol: u8,
    /// An IPv6 packet with a header of options for every hop.
    hop_by_hop: bool,
    /// First word of the transport header: source and destination port, in network order.
    ports: [u16; 2],
    /// TCP: sequence and acknowledgement number, as they lie in memory.
    numbers: u64,
    /// TCP: length of the header, flags and window, as they lie in memory.
    control: u32,
    source: [u32; 4],
    destination: [u32; 4],
    /// IP packets that this buffer stands for: a segmentation-offloaded one counts as its segments.
    pub packets: u64,
    /// IP total lengths of those packets, each with headers of its own.
    pub bytes: u64,
}

/// The packet that a program of this CPU deals with: programs of kprobes and tracepoints do not interrupt each
/// other, the kernel skips the second.
#[cfg(feature = "perf")]
#[map]
static PACKET: PerCpuArray<Shared> = PerCpuArray::with_max_entries(1, 0);

/// A packet in a table.
#[cfg(feature = "perf")]
struct Shared(Packet);

// SAFETY: the pointer within is an address of the kernel, which nothing here writes to.
#[cfg(feature = "perf")]
unsafe impl Sync for Shared {}

/// A value at some distance from the start of a packet, within what was compared with its end.
#[inline(always)]
fn at_data<T: Copy>(start: usize, distance: usize) -> T {
    // SAFETY: the verifier checks that it lies within the packet. The network header is aligned as the
    // processor likes it, and where that is not enough the verifier refuses the program.
    unsafe { ((start + distance) as *const T).read_volatile() }
}

/// Eight bytes in memory order.
#[inline(always)]
fn numbers(start: usize, distance: usize) -> u64 {
    let [low, high]: [u32; 2] = [at_data(start, distance), at_data(start, distance + 4)];
    let [low, high] = if cfg!(target_endian = "little") { [low, high] } else { [high, low] };
    (high as u64) << 32 | low as u64
}

/// An IPv6 address.
#[inline(always)]
fn address_at(start: usize, distance: usize) -> [u32; 4] {
    [
        at_data(start, distance),
        at_data(start, distance + 4),
        at_data(start, distance + 8),
        at_data(start, distance + 12),
    ]
}

/// An address in a table, word by word: all at once would become a call of memmove, which is a loop.
#[cfg(feature = "perf")]
#[inline(always)]
fn words(address: &[u32; 4]) -> [u32; 4] {
    // SAFETY: valid words.
    let word = |at: usize| unsafe { (&raw const address[at]).read_volatile() };
    [word(0), word(1), word(2), word(3)]
}

/// Copies an address word by word.
#[cfg(feature = "perf")]
#[inline(always)]
fn copy_address(to: &mut [u32; 4], from: &[u32; 4]) {
    let mut at = 0;
    while at < 4 {
        // SAFETY: valid words. Volatile as in `words`.
        unsafe { (&raw mut to[at]).write_volatile((&raw const from[at]).read_volatile()) }
        at += 1;
    }
}

/// Source and destination port: of TCP and UDP alike.
#[inline(always)]
fn ports_at(start: usize, transport: usize) -> [u16; 2] {
    [
        at_data(start, transport + offset_of!(UdpHdr, src)),
        at_data(start, transport + offset_of!(UdpHdr, dst)),
    ]
}

#[inline(always)]
fn is_extension(next: u8) -> bool {
    next == HOP_BY_HOP || next == ROUTING || next == DESTINATION || next == FRAGMENT
}

/// Protocol and address of the transport header of an IPv6 packet. Four extension headers are
/// looked at; a packet with more is counted as unparsed by the caller.
#[inline(always)]
fn skip_extensions(network: usize) -> (u8, usize) {
    let mut next: u8 = read(network + offset_of!(Ipv6Hdr, next_hdr));
    let mut at = network + Ipv6Hdr::LEN;
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
    /// A packet without headers.
    const EMPTY: Self = Self {
        skb: ptr::null(),
        header: 0,
        length: 0,
        family: 0,
        protocol: 0,
        hop_by_hop: false,
        ports: [0; 2],
        numbers: 0,
        control: 0,
        source: [0; 4],
        destination: [0; 4],
        packets: 0,
        bytes: 0,
    };

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
        let mut packet = Self::EMPTY;
        if packet.read(skb, way) { Some(packet) } else { None }
    }

    /// As [`Packet::of`], off the stack: valid until the next call on this CPU. Beside a new flow, which kernels
    /// before 4.18 take from the stack alone, it does not fit there.
    #[cfg(feature = "perf")]
    #[inline(always)]
    pub fn in_table(skb: usize, way: Way) -> Option<&'static mut Self> {
        // SAFETY: a valid element of this CPU.
        let packet = unsafe { &mut (*PACKET.get_ptr_mut(0)?).0 };
        if packet.read(skb, way) { Some(packet) } else { None }
    }

    /// Reads the headers of a buffer; `false` if it carries neither TCP nor UDP. Each field is written as soon
    /// as it is known, so that the stack need not hold them all.
    #[inline(always)]
    fn read(&mut self, skb: usize, way: Way) -> bool {
        let head: usize = field(skb, at::sk_buff_head());
        let network_offset: u16 = field(skb, at::sk_buff_network_header());
        let network = head + network_offset as usize;
        let first: u8 = read(network);
        let (family, protocol, transport) = match first >> 4 {
            4 => {
                let header = ((first & 15) as usize) * 4;
                let protocol: u8 = read(network + offset_of!(Ipv4Hdr, proto));
                (FAMILY_IPV4, protocol, network + header)
            }
            6 => {
                let (protocol, transport) = skip_extensions(network);
                (FAMILY_IPV6, protocol, transport)
            }
            _ => {
                count(Counter::Unparsed);
                return false;
            }
        };
        if is_extension(protocol) && family == FAMILY_IPV6 {
            count(Counter::Unparsed);
        }
        if protocol != PROTO_TCP && protocol != PROTO_UDP {
            return false;
        }
        self.skb = skb as *const u8;
        self.family = family;
        self.protocol = protocol;
        self.header = (transport - network) as u32;
        let length: u32 = field(skb, at::sk_buff_len());
        let data: usize = field(skb, at::sk_buff_data());
        // `len` counts from `data`, which may stand at the link, network or transport header.
        let length = (length as usize).wrapping_add(data).wrapping_sub(network) as u32;
        self.length = length;
        self.packets = 1;
        self.bytes = length as u64;
        if family == FAMILY_IPV4 {
            let pair: [u32; 2] = read(network + offset_of!(Ipv4Hdr, src_addr));
            self.source = [pair[0], 0, 0, 0];
            self.destination = [pair[1], 0, 0, 0];
            self.hop_by_hop = false;
        } else {
            self.source = read(network + offset_of!(Ipv6Hdr, src_addr));
            self.destination = read(network + offset_of!(Ipv6Hdr, dst_addr));
            self.hop_by_hop = read::<u8>(network + offset_of!(Ipv6Hdr, next_hdr)) == HOP_BY_HOP;
        }
        self.ports = read(transport);
        let tcp = protocol == PROTO_TCP;
        self.numbers = if tcp { read(transport + offset_of!(TcpHdr, seq)) } else { 0 };
        self.control = if tcp { read(transport + CONTROL) } else { 0 };
        let end: u32 = field(skb, at::sk_buff_end());
        let segment: u16 = field(head + end as usize, at::skb_shared_info_gso_size());
        self.count(segment as u32, way);
        true
    }

    /// As [`Packet::of`], for the buffer that a cgroup program is shown: what its context offers is read
    /// without a call of the kernel. `None` also for packets with options or extension headers, and
    /// where the headers are not in one piece.
    #[inline(always)]
    pub fn shown(ctx: *const __sk_buff, way: Way) -> Option<Self> {
        // SAFETY: the context of a running program; the verifier checks every access.
        let (start, end) = unsafe { ((*ctx).data as usize, (*ctx).data_end as usize) };
        if start + Ipv4Hdr::LEN + UdpHdr::LEN > end {
            return None;
        }
        let first: u8 = at_data(start, 0);
        // SAFETY: as above.
        let length = unsafe { (*ctx).len };
        let mut packet =
            Self { skb: ctx.cast(), length, packets: 1, bytes: length as u64, ..Self::EMPTY };
        if first == 0x45 {
            packet.family = FAMILY_IPV4;
            packet.protocol = at_data(start, offset_of!(Ipv4Hdr, proto));
            packet.header = Ipv4Hdr::LEN as u32;
            packet.source[0] = at_data(start, offset_of!(Ipv4Hdr, src_addr));
            packet.destination[0] = at_data(start, offset_of!(Ipv4Hdr, dst_addr));
            packet.ports = ports_at(start, Ipv4Hdr::LEN);
            if packet.protocol == PROTO_TCP {
                if start + Ipv4Hdr::LEN + TcpHdr::LEN > end {
                    return None;
                }
                packet.numbers = numbers(start, Ipv4Hdr::LEN + offset_of!(TcpHdr, seq));
                packet.control = at_data(start, Ipv4Hdr::LEN + CONTROL);
            }
        } else if first >> 4 == 6 {
            if start + Ipv6Hdr::LEN + UdpHdr::LEN > end {
                return None;
            }
            packet.family = FAMILY_IPV6;
            packet.protocol = at_data(start, offset_of!(Ipv6Hdr, next_hdr));
            packet.header = Ipv6Hdr::LEN as u32;
            packet.source = address_at(start, offset_of!(Ipv6Hdr, src_addr));
            packet.destination = address_at(start, offset_of!(Ipv6Hdr, dst_addr));
            packet.ports = ports_at(start, Ipv6Hdr::LEN);
            if packet.protocol == PROTO_TCP {
                if start + Ipv6Hdr::LEN + TcpHdr::LEN > end {
                    return None;
                }
                packet.numbers = numbers(start, Ipv6Hdr::LEN + offset_of!(TcpHdr, seq));
                packet.control = at_data(start, Ipv6Hdr::LEN + CONTROL);
            }
        } else {
            return None;
        }
        if packet.protocol != PROTO_TCP && packet.protocol != PROTO_UDP {
            return None;
        }
        // SAFETY: as above.
        packet.count(unsafe { (*ctx).gso_size }, way);
        Some(packet)
    }

    /// What distinguishes this TCP packet from others: its buffer, and against the next one in the same memory
    /// sequence numbers, flags, window and length.
    #[inline(always)]
    pub fn tcp_identity(&self) -> [u64; 3] {
        [address(self.skb) as u64, self.numbers, (self.control as u64) << 32 | self.length as u64]
    }

    /// Whether [`Packet::tcp_identity`] is this one.
    #[inline(always)]
    pub fn is(&self, identity: [u64; 3]) -> bool {
        // What costs a call comes last.
        identity[1] == self.numbers
            && identity[2] == ((self.control as u64) << 32 | self.length as u64)
            && identity[0] == address(self.skb) as u64
    }

    /// TCP flags.
    #[inline(always)]
    pub fn tcp_flags(&self) -> u8 {
        (self.control.to_le() >> 8) as u8
    }

    /// Whether a TCP packet carries data or a FIN: something a process asked for.
    #[inline(always)]
    pub fn is_payload(&self) -> bool {
        self.length > self.header_length() || self.tcp_flags() & FIN != 0
    }

    #[inline(always)]
    fn ports(&self) -> (u16, u16) {
        (u16::from_be(self.ports[0]), u16::from_be(self.ports[1]))
    }

    /// Both ports as one number: tells packets of different connections apart, nearly always.
    #[inline(always)]
    pub fn port_pair(&self) -> u64 {
        (self.ports[1] as u64) << 16 | self.ports[0] as u64
    }

    /// Addresses of the local and of the remote end.
    #[inline(always)]
    fn addresses(&self, way: Way) -> (&[u32; 4], &[u32; 4]) {
        way.local_and_remote(&self.source, &self.destination)
    }

    /// Ports of the local and of the remote end.
    #[inline(always)]
    fn local_and_remote_port(&self, way: Way) -> (u16, u16) {
        let (source, destination) = self.ports();
        way.local_and_remote(source, destination)
    }

    /// The remote end of a packet that goes `way`.
    #[inline(always)]
    pub fn peer(&self, way: Way) -> Peer {
        let (_, address) = self.addresses(way);
        let (_, port) = self.local_and_remote_port(way);
        Peer { address: *address, port, family: self.family }
    }

    /// Gives a packet that goes out the addresses that the socket sent it with, before they were
    /// translated. What comes in has been translated back where sockets are shown it.
    #[inline(always)]
    pub fn undo_translation(&mut self) {
        let skb = address(self.skb);
        if let Some(ends) = conntrack::ends_as_sent(skb, self.family, self.protocol) {
            (self.source, self.destination) = (ends.source, ends.destination);
            self.ports = ends.ports;
        }
    }

    /// Port of the local end of a packet that goes `way`.
    #[inline(always)]
    pub fn local_port(&self, way: Way) -> u16 {
        self.local_and_remote_port(way).0
    }

    /// Addresses and ports as seen by the host that the packet leaves or enters.
    #[inline(always)]
    pub fn tuple(&self, way: Way, netns: u32) -> Tuple {
        let (local, remote) = self.addresses(way);
        #[cfg(not(feature = "perf"))]
        let (local, remote) = (*local, *remote);
        #[cfg(feature = "perf")]
        let (local, remote) = (words(local), words(remote));
        let (local_port, remote_port) = self.local_and_remote_port(way);
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

    /// As [`Packet::tuple`], written to a place part by part, so that the stack need not hold them all beside it.
    #[cfg(feature = "perf")]
    #[inline(always)]
    pub fn write_tuple(&self, to: &mut Tuple, way: Way, netns: u32) {
        let (local, remote) = self.addresses(way);
        copy_address(&mut to.local, local);
        copy_address(&mut to.remote, remote);
        (to.local_port, to.remote_port) = self.local_and_remote_port(way);
        to.netns = netns;
        to.family = self.family;
        to.protocol = self.protocol;
        to.reserved = 0;
        to.reserved2 = 0;
    }

    /// Network namespace of the device that the packet is on.
    #[inline(always)]
    pub fn device_netns(&self) -> u32 {
        let device: usize = field(address(self.skb), at::sk_buff_dev());
        netns_inode(field(device, at::net_device_nd_net()))
    }
}
