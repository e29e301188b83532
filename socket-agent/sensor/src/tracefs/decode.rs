//! From raw records to facts.

use socket_common::{
    Counter, FAMILY_IPV4, FAMILY_IPV6, PROTO_TCP, PROTO_UDP, Rank, Tuple,
    kernel::{socket_type::RAW, tcp_flag::FIN},
    rules::{
        Way,
        wire::{Buffer, transport_header},
    },
};

use super::{
    aggregate::{Fact, Packet, Sock},
    format::Layout,
    probe::{ENDS, Field, HEADER_WORDS, Observation, Shapes},
};

/// Bytes of headers in a sample.
const WINDOW: usize = 8 * HEADER_WORDS;
const IPV6_HEADER: usize = 40;
/// Number of the IPv6 header of options for every hop.
const HOP_BY_HOP: u8 = 0;

/// A raw record with what is known of its layout.
#[derive(Clone, Copy)]
pub(super) struct Values<'v> {
    pub(super) layout: &'v Layout,
    pub(super) raw: &'v [u8],
    pub(super) shapes: &'v Shapes,
    /// Address ranges of `tcp_v4_rcv` and `tcp_v6_rcv`.
    pub(super) receive: &'v [[u64; 2]; 2],
    /// The agent's own network namespace: that of what does not tell its own.
    pub(super) netns: u32,
}

/// What a record says; an error is a counter for what it could not.
pub(super) fn fact(observation: Observation, values: &Values<'_>) -> Result<Option<Fact>, Counter> {
    let sock = || values.get(Field::Sock);
    Ok(match observation {
        Observation::Sent => {
            let Some(packet) = values.packet(Way::Out)? else { return Ok(None) };
            if sock() == 0 {
                // Forwarded packets have come in through a device.
                return Ok((values.get(Field::Iif) == 0).then_some(Fact::Reply { packet }));
            }
            Some(Fact::Packet { packet, sock: values.sock(), way: Way::Out })
        }
        Observation::Received | Observation::Child => {
            // The filter is asked for sockets of any family, and for raw ones, which get copies of what others receive.
            let sock = values.sock();
            if !sock.is_inet() || sock.kind == RAW {
                return Ok(None);
            }
            values.packet(Way::In)?.map(|packet| Fact::Packet { packet, sock, way: Way::In })
        }
        Observation::Dropped => {
            let location = values.get(Field::Location);
            if !values.receive.iter().any(|[from, to]| (*from..*to).contains(&location)) {
                return Ok(None);
            }
            values.packet(Way::In)?.map(|packet| Fact::Orphan { packet })
        }
        Observation::State => {
            Some(Fact::State { sock: values.sock(), new: values.get(Field::NewState) as u8 })
        }
        Observation::Listen => Some(Fact::Listen { sock: values.sock() }),
        Observation::Bound => Some(Fact::Bound { sock: values.sock() }),
        Observation::Accepted => {
            (sock() != 0).then(|| Fact::Touched { sock: sock(), rank: Rank::Opener })
        }
        Observation::TcpTaken | Observation::UdpTaken => {
            Some(Fact::Touched { sock: sock(), rank: Rank::FirstIo })
        }
        Observation::UdpClosed => Some(Fact::Closed { sock: sock() }),
        Observation::DropTracepoint | Observation::Task(_) => None,
    })
}

#[expect(clippy::cast_possible_truncation, reason = "values are as wide as their fields")]
impl Values<'_> {
    pub(super) fn get(&self, field: Field) -> u64 {
        self.layout.get(self.raw, field)
    }

    /// When the process of a task started, boottime nanoseconds.
    pub(super) fn started(&self) -> u64 {
        self.time(Field::Start, Field::StartNanos)
    }

    /// Start of the parent of that process.
    pub(super) fn parent_started(&self) -> u64 {
        self.time(Field::ParentStart, Field::ParentStartNanos)
    }

    /// A time that is all in one field, or seconds with nanoseconds in another.
    fn time(&self, whole: Field, nanos: Field) -> u64 {
        let whole = self.get(whole);
        self.known(nanos).map_or(whole, |nanos| whole.wrapping_mul(1_000_000_000) + nanos)
    }

    fn known(&self, field: Field) -> Option<u64> {
        self.layout.has(field).then(|| self.get(field))
    }

    fn namespace(&self, field: Field) -> u32 {
        match self.get(field) {
            0 => self.netns,
            inode => inode as u32,
        }
    }

    fn address(&self, high: Field, low: Field) -> [u32; 4] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.get(high).to_ne_bytes());
        bytes[8..].copy_from_slice(&self.get(low).to_ne_bytes());
        Tuple::address_words(bytes)
    }

    fn sock(&self) -> Sock {
        Sock {
            address: self.get(Field::Sock),
            state: self.get(Field::State) as u8,
            family: self.get(Field::Family) as u16,
            protocol: self.get(Field::Protocol) as u16,
            kind: self.get(Field::Kind) as u16,
            num: self.get(Field::Num) as u16,
            sport: u16::from_be(self.get(Field::Sport) as u16),
            dport: u16::from_be(self.get(Field::Dport) as u16),
            remote: [self.get(Field::Daddr) as u32, 0, 0, 0],
            local: [self.get(Field::Saddr) as u32, 0, 0, 0],
            remote6: self.address(Field::Daddr6, Field::Daddr6Low),
            local6: self.address(Field::Saddr6, Field::Saddr6Low),
            netns: self.namespace(Field::Netns),
            owned: self.get(Field::Owned) != 0,
            has_file: self.get(Field::Socket) != 0 && self.get(Field::File) != 0,
            error: self.get(Field::Err) as u32,
            retransmits: self.known(Field::Retrans).map(|count| count as u32),
            srtt: self.get(Field::Srtt) as u32,
            first_subflow: (self.get(Field::Mptcp) != 0).then(|| self.get(Field::FirstSubflow)),
        }
    }

    /// The packet in the buffer; `None` if it is neither TCP nor UDP.
    fn packet(&self, way: Way) -> Result<Option<Packet>, Counter> {
        let window = self.layout.bytes(self.raw, Field::Window, WINDOW);
        let network = self.get(Field::Head).wrapping_add(self.get(Field::Network));
        let data = self.get(Field::Data);
        // A sent packet's data begins with its network header, a received one's behind it.
        let before = if way == Way::Out { 0 } else { 104 };
        let start = network.wrapping_sub(data).wrapping_add(before);
        let headers = usize::try_from(start).ok().and_then(|start| window.get(start..));
        let headers = headers.filter(|headers| headers.len() >= 28).ok_or(Counter::Unparsed)?;
        let length = (self.get(Field::Len) as u32).wrapping_add(data.wrapping_sub(network) as u32);
        let Some(header) = Header::parse(headers)? else { return Ok(None) };
        let (packets, bytes) = self.wire(&header, length, way)?;
        Ok(Some(Packet {
            family: header.family,
            protocol: header.protocol,
            packets,
            bytes,
            flags: if header.protocol == PROTO_TCP { header.flags } else { 0 },
            payload: length > header.length() || header.flags & FIN != 0,
            source: header.source,
            destination: header.destination,
            source_port: header.ports[0],
            destination_port: header.ports[1],
            netns: match self.known(Field::Device) {
                Some(0) => 0,
                _ => self.get(Field::PacketNetns) as u32,
            },
        }))
    }

    /// Packets and bytes that a buffer is on the wire.
    fn wire(&self, header: &Header, length: u32, way: Way) -> Result<(u64, u64), Counter> {
        let buffer = header.buffer(length);
        let counted = match self.segment(length)? {
            0 if header.protocol == PROTO_UDP => {
                let limit = match way {
                    Way::Out if buffer.fits_every_route() => 0,
                    Way::Out => self.route_mtu(),
                    Way::In if header.family == FAMILY_IPV4 => self.get(Field::FragMax4) as u32,
                    Way::In => self.get(Field::FragMax6) as u32,
                };
                buffer.fragments(way, limit)
            }
            segment => buffer.segments(segment),
        };
        Ok(counted.unwrap_or((1, length.into())))
    }

    /// Segment size of the buffer; 0 if it is one packet.
    fn segment(&self, length: u32) -> Result<u32, Counter> {
        let end = self.get(Field::End);
        // On 32-bit machines `end` is an address.
        let end = if end > u64::from(u32::MAX) || size_of::<usize>() == 4 {
            end.wrapping_sub(self.get(Field::Head))
        } else {
            end
        };
        let place = self.shapes.ends.iter().position(|known| u64::from(*known) == end);
        let values = self.layout.bytes(self.raw, Field::Segment, 2 * ENDS);
        match place.and_then(|place| values.get(2 * place..2 * place + 2)) {
            Some(&[low, high]) => Ok(u16::from_ne_bytes([low, high]).into()),
            // Its segment size was not fetched; no link but loopback takes more in one packet.
            _ if length > 9216 => Err(Counter::Unparsed),
            _ => Ok(0),
        }
    }

    /// Largest packet that the route takes: its own metric, else what its device takes.
    fn route_mtu(&self) -> u32 {
        // The lowest two bits of the pointer to the metrics are flags, and eight bytes were fetched
        // one behind it; the MTU is the second word.
        let metrics = self.get(Field::Metrics);
        let shift = 8 * (3 - (metrics & 3));
        let set = if metrics & !3 == 0 { 0 } else { (self.get(Field::MetricMtu) >> shift) as u32 };
        if set != 0 { set } else { self.get(Field::Mtu) as u32 }
    }
}

/// Headers of a packet that carries TCP or UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    family: u8,
    protocol: u8,
    /// Bytes before the transport header.
    transport: usize,
    /// Bytes of the transport header.
    transport_length: u32,
    /// An IPv6 packet with a header of options for every hop.
    hop_by_hop: bool,
    flags: u8,
    source: [u32; 4],
    destination: [u32; 4],
    ports: [u16; 2],
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Option<Self>, Counter> {
        let (family, protocol, transport) = match bytes[0] >> 4 {
            4 => (FAMILY_IPV4, bytes[9], usize::from(bytes[0] & 15) * 4),
            6 if bytes.len() >= IPV6_HEADER => {
                let (protocol, transport) = skip_extensions(bytes).ok_or(Counter::Unparsed)?;
                (FAMILY_IPV6, protocol, transport)
            }
            _ => return Err(Counter::Unparsed),
        };
        if protocol != PROTO_TCP && protocol != PROTO_UDP {
            return Ok(None);
        }
        let upper = bytes.get(transport..).unwrap_or_default();
        let needed = if protocol == PROTO_TCP { 14 } else { 4 };
        if upper.len() < needed {
            return Err(Counter::Unparsed);
        }
        let tcp = protocol == PROTO_TCP;
        let (source, destination) = if family == FAMILY_IPV4 {
            (address(&bytes[12..16]), address(&bytes[16..20]))
        } else {
            (address(&bytes[8..24]), address(&bytes[24..40]))
        };
        Ok(Some(Self {
            family,
            protocol,
            transport,
            transport_length: transport_header(
                protocol,
                if tcp { u32::from(upper[12] >> 4) } else { 0 },
            ),
            hop_by_hop: family == FAMILY_IPV6 && bytes[6] == HOP_BY_HOP,
            flags: if tcp { upper[13] } else { 0 },
            source,
            destination,
            ports: [0, 2].map(|at| u16::from_be_bytes([upper[at], upper[at + 1]])),
        }))
    }

    /// The buffer of these headers as one packet of so many bytes.
    fn buffer(&self, length: u32) -> Buffer {
        Buffer {
            length,
            ip_header: u32::try_from(self.transport).unwrap_or(0),
            transport_header: self.transport_length,
            family: self.family,
            hop_by_hop: self.hop_by_hop,
        }
    }

    /// Bytes of all headers.
    fn length(&self) -> u32 {
        u32::try_from(self.transport).unwrap_or(0) + self.transport_length
    }
}

fn address(bytes: &[u8]) -> [u32; 4] {
    let mut whole = [0; 16];
    whole[..bytes.len()].copy_from_slice(bytes);
    Tuple::address_words(whole)
}

/// Protocol and distance of the transport header of an IPv6 packet, behind at most four extension
/// headers; `None` if it is farther than what was fetched.
fn skip_extensions(bytes: &[u8]) -> Option<(u8, usize)> {
    const FRAGMENT: u8 = 44;
    let (mut next, mut at) = (bytes[6], IPV6_HEADER);
    for _ in 0..4 {
        if !matches!(next, HOP_BY_HOP | 43 | FRAGMENT | 60) {
            break;
        }
        let header = bytes.get(at..at + 2)?;
        at += if next == FRAGMENT { 8 } else { (usize::from(header[1]) + 1) * 8 };
        next = header[0];
    }
    Some((next, at))
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
