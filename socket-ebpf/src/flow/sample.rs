//! Open sockets as they are now.

use socket_common::{PROTO_TCP, PROTO_UDP, Sample, rules::tcp::smoothed_rtt_us};

use crate::kernel::{core_offsets as at, field, sock::Sock};

/// Reads the socket at an address that may not be one any more: the tuple tells.
#[inline(always)]
pub fn take(sock: Sock, sample: &mut Sample) {
    *sample = Sample::default();
    if sock.0 == 0 || !sock.is_inet() {
        return;
    }
    let protocol = sock.protocol();
    if protocol == PROTO_TCP as u16 {
        sample.tuple = sock.tuple(PROTO_TCP, true);
        sample.count = field(sock.0, at::tcp_sock_total_retrans());
        sample.counted = at::tcp_sock_total_retrans().is_some().into();
        sample.srtt_us = smoothed_rtt_us(field(sock.0, at::tcp_sock_srtt_us()));
    } else if protocol == PROTO_UDP as u16 {
        sample.tuple = sock.tuple(PROTO_UDP, true);
        sample.count = sock.drops();
    }
    sample.state = sock.state();
}
