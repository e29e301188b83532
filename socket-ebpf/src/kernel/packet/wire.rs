//! What becomes of a buffer on the wire: segments of an offloaded one, fragments of a long datagram.

use socket_common::{
    FAMILY_IPV4, PROTO_UDP,
    rules::{
        Way,
        wire::{Buffer, transport_header},
    },
};

use super::Packet;
use crate::kernel::{address, core_offsets as at, field, read};

/// Index of the MTU among the metrics of a route.
const RTAX_MTU: usize = 1;

impl Packet {
    /// Counts the packets that the buffer stands for.
    #[inline(always)]
    pub(super) fn count(&mut self, segment: u32, way: Way) {
        let counted = if segment != 0 {
            self.buffer().segments(segment)
        } else if self.protocol == PROTO_UDP {
            let buffer = self.buffer();
            let limit = match way {
                Way::Out if buffer.fits_every_route() => 0,
                Way::Out => self.route_mtu(),
                Way::In => self.largest_fragment(),
            };
            buffer.fragments(way, limit)
        } else {
            None
        };
        if let Some((packets, bytes)) = counted {
            self.packets = packets;
            self.bytes = bytes;
        }
    }

    #[inline(always)]
    fn buffer(&self) -> Buffer {
        Buffer {
            length: self.length,
            ip_header: self.header,
            transport_header: self.transport_header(),
            family: self.family,
            hop_by_hop: self.hop_by_hop,
        }
    }

    #[inline(always)]
    fn transport_header(&self) -> u32 {
        // The first of the bytes in memory has the length in its upper half.
        transport_header(self.protocol, self.control.to_le() >> 4 & 15)
    }

    /// Bytes of all headers.
    #[inline(always)]
    pub(super) fn header_length(&self) -> u32 {
        self.header + self.transport_header()
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
