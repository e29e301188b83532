//! IP packets that a buffer stands for: segments of an offloaded one, fragments of a long datagram.

use super::Way;
use crate::{FAMILY_IPV6, PROTO_UDP};

/// Bytes of a UDP header.
const UDP_HEADER: u32 = 8;
/// Longest packet that no IPv4 route fragments, bytes: the smallest MTU in use.
const SMALLEST_MTU: u32 = 576;
/// Bytes of an IPv6 fragment header.
const FRAGMENT_HEADER: u32 = 8;
/// Bytes of the jumbo option, which an IPv6 buffer above 64 KiB has and no packet on the wire.
const JUMBO_OPTION: u32 = 8;
/// Longest IPv4 packet, and IPv6 packet without the jumbo option, bytes.
const LONGEST_PACKET: u32 = 65_535;
/// Bytes above which the length of a buffer was not read right: payload of an offloaded one, of a datagram.
const LARGEST_OFFLOAD: u32 = 1 << 20;
const LARGEST_DATAGRAM: u32 = 1 << 16;

/// Packets, and the sum of their IP total lengths.
pub type Wire = (u64, u64);

/// A buffer as one IP packet, which may be longer than the wire takes.
#[derive(Clone, Copy, Debug)]
pub struct Buffer {
    /// Bytes from the IP header to the end of the data.
    pub length: u32,
    /// Bytes of the IP header, with options or extension headers.
    pub ip_header: u32,
    /// Bytes of the transport header.
    pub transport_header: u32,
    /// Address family, as in [`Tuple`](crate::Tuple).
    pub family: u8,
    /// An IPv6 packet with a header of options for every hop.
    pub hop_by_hop: bool,
}

/// Bytes of the header of UDP, or of TCP, whose header gives its own in words of four bytes.
#[inline(always)]
#[must_use]
pub fn transport_header(protocol: u8, tcp_words: u32) -> u32 {
    if protocol == PROTO_UDP { UDP_HEADER } else { tcp_words << 2 }
}

impl Buffer {
    /// A buffer that is to be cut, or was put together, with `segment` bytes of payload each; `None` if it is one
    /// packet.
    #[inline(always)]
    #[must_use]
    pub fn segments(&self, segment: u32) -> Option<Wire> {
        let mut headers = self.ip_header.wrapping_add(self.transport_header);
        let payload = self.length.wrapping_sub(headers);
        if segment == 0 || payload <= segment || payload > LARGEST_OFFLOAD {
            return None;
        }
        let mut total = self.length;
        if self.hop_by_hop && total > LONGEST_PACKET {
            headers = headers.wrapping_sub(JUMBO_OPTION);
            total = total.wrapping_sub(JUMBO_OPTION);
        }
        let segments = parts(payload, segment);
        Some((
            segments,
            (total as u64).wrapping_add((segments.wrapping_sub(1)).wrapping_mul(headers as u64)),
        ))
    }

    /// Whether the packet is so short that no route fragments it.
    #[inline(always)]
    #[must_use]
    pub fn fits_every_route(&self) -> bool {
        self.length <= SMALLEST_MTU
    }

    /// A datagram as the IP fragments that it leaves in, or has come in; `None` if it is one packet. `limit` is the
    /// largest packet that the route takes of one that is sent, the largest of the fragments of one received; 0 if
    /// it is not fragmented.
    #[inline(always)]
    #[must_use]
    pub fn fragments(&self, way: Way, limit: u32) -> Option<Wire> {
        let sent = matches!(way, Way::Out);
        // IPv6 fragments have a header more than the whole datagram has.
        let extra = if self.family == FAMILY_IPV6 { FRAGMENT_HEADER } else { 0 };
        let headers = self.ip_header.wrapping_add(extra);
        if limit <= headers.wrapping_add(8) || (sent && self.length <= limit) {
            return None;
        }
        let payload = self.length.wrapping_sub(self.ip_header);
        let part_length = limit.wrapping_sub(headers) & !7;
        if part_length == 0 || payload > LARGEST_DATAGRAM {
            return None;
        }
        let fragments = parts(payload, part_length);
        Some((fragments, (payload as u64).wrapping_add(fragments.wrapping_mul(headers as u64))))
    }
}

/// Number of parts of at most `size` bytes; `size` is not 0. `div_ceil` would divide twice.
#[inline(always)]
fn parts(bytes: u32, size: u32) -> u64 {
    ((bytes.wrapping_add(size).wrapping_sub(1)) / size) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FAMILY_IPV4, PROTO_TCP};

    const TCP: Buffer = Buffer {
        length: 52 + 3000,
        ip_header: 20,
        transport_header: 32,
        family: FAMILY_IPV4,
        hop_by_hop: false,
    };
    const UDP: Buffer = Buffer { length: 28 + 4000, transport_header: 8, ..TCP };

    #[test]
    fn each_segment_has_headers_of_its_own() {
        assert_eq!(TCP.segments(1448), Some((3, 3000 + 3 * 52)));
        assert_eq!(TCP.segments(1500), Some((2, 3000 + 2 * 52)));
        assert_eq!(TCP.segments(3000), None, "one packet");
        assert_eq!(TCP.segments(0), None);
        assert_eq!(Buffer { length: 40, ..TCP }.segments(1448), None, "shorter than its headers");
        let huge = Buffer { length: 80 + 100_000, ip_header: 48, hop_by_hop: true, ..TCP };
        assert_eq!(huge.segments(50_000), Some((2, 100_000 + 2 * 72)), "without the jumbo option");
    }

    #[test]
    fn each_fragment_has_an_ip_header() {
        // 4,008 bytes of payload in fragments of 1,480.
        assert_eq!(UDP.fragments(Way::Out, 1500), Some((3, 4008 + 3 * 20)));
        assert_eq!(UDP.fragments(Way::In, 1500), Some((3, 4008 + 3 * 20)));
        assert_eq!(UDP.fragments(Way::Out, 9000), None);
        assert_eq!(UDP.fragments(Way::In, 0), None, "it came whole");
        let six = Buffer { length: 48 + 4000, ip_header: 40, family: FAMILY_IPV6, ..UDP };
        assert_eq!(six.fragments(Way::Out, 1500), Some((3, 4008 + 3 * 48)));
        assert!(!UDP.fits_every_route() && Buffer { length: 576, ..UDP }.fits_every_route());
    }

    #[test]
    fn only_tcp_gives_the_length_of_its_header() {
        assert_eq!(transport_header(PROTO_TCP, 8), 32);
        assert_eq!(transport_header(PROTO_UDP, 15), 8);
    }
}
