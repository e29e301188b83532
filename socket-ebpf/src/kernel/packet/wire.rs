//! What becomes of a buffer on the wire: segments of an offloaded one, fragments of a long datagram.

use network_types::udp::UdpHdr;
use socket_common::{FAMILY_IPV4, FAMILY_IPV6, PROTO_UDP};

use super::{Packet, Way};
use crate::kernel::{address, core_offsets as at, field, read};

/// No IPv4 route takes less without fragmenting what it carries into absurdly small parts.
const SMALLEST_MTU: u32 = 576;
/// Bytes of an IPv6 fragment header.
const FRAGMENT_HEADER: u32 = 8;
/// Index of the MTU among the metrics of a route.
const RTAX_MTU: usize = 1;

impl Packet {
    /// Counts the packets that the buffer stands for.
    #[inline(always)]
    pub(super) fn count(&mut self, segment: u32, way: Way) {
        if segment != 0 {
            self.split(segment);
        } else if self.protocol == PROTO_UDP {
            self.fragment(way);
        }
    }

    #[inline(always)]
    pub(super) fn header_length(&self) -> u32 {
        if self.protocol == PROTO_UDP {
            self.header + UdpHdr::LEN as u32
        } else {
            // The first of the bytes in memory has the length in its upper half.
            self.header + (self.control.to_le() >> 4 & 15) * 4
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
        if self.hop_by_hop && length > 65_535 {
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
        let header = self.header;
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
        let route = field::<usize>(address(self.skb), at::sk_buff_skb_refdst()) & !1;
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
            (Some(cb), Some(within)) => read::<u16>(address(self.skb) + cb + within) as u32,
            _ => 0,
        }
    }
}
