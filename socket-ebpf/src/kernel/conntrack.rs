//! `struct nf_conn`: the addresses that a packet had before this host translated them.

use socket_common::{
    FAMILY_IPV4, FAMILY_IPV6,
    kernel::{AF_INET, AF_INET6},
};

use super::{core_offsets as at, field, read};

/// Bits of `sk_buff._nfct` that are not part of the pointer: `enum ip_conntrack_info`.
const INFO: usize = 7;
/// `IP_CT_IS_REPLY`: from here on a packet goes the way of the answers.
const REPLY: usize = 3;

/// Where `nf_conn.tuplehash` is on kernels whose type information does not describe it, as conntrack is a
/// module there: behind a counter, a lock, a time and a zone of four bytes each. So since 4.11, without
/// the debugging of locks.
const TUPLES: usize = 16;

/// `struct nf_conntrack_tuple`, the same since 2.6.20. Source: address (4 words), port and `l3num` (a
/// word); destination: address (4 words), port, `protonum` and `dir` (a word). Addresses and ports are in
/// network byte order; `dir` is 0 in the first tuple of a connection and 1 in the second.
type Tuple = [u32; 10];

/// Bytes ahead of the tuple in `struct nf_conntrack_tuple_hash`: a node of a list.
const NODE: usize = 16;

/// Sender and receiver of a packet; addresses as in [`socket_common::Tuple`], ports in network byte order.
pub struct Ends {
    pub source: [u32; 4],
    pub destination: [u32; 4],
    pub ports: [u16; 2],
}

/// The ends of an outgoing packet as its sender gave them: what connection tracking saw before the first
/// rule translated it. `None` where it is not tracked, and where what is found is no tuple of such a
/// packet.
#[inline(always)]
pub fn ends_as_sent(skb: usize, family: u8, protocol: u8) -> Option<Ends> {
    let tracked: usize = field(skb, at::sk_buff_nfct());
    let connection = tracked & !INFO;
    if connection == 0 {
        return None;
    }
    let dir = (tracked & INFO >= REPLY) as usize;
    let tuples = at::nf_conn_tuplehash().unwrap_or(TUPLES);
    let place = connection + tuples + dir * (NODE + size_of::<Tuple>()) + NODE;
    let [s0, s1, s2, s3, from, d0, d1, d2, d3, to]: Tuple = read(place);
    let [source_port, l3num] = halves(from);
    let [destination_port, kind] = halves(to);
    let [protonum, direction] = kind.to_ne_bytes();
    let expected = if family == FAMILY_IPV6 { AF_INET6 } else { AF_INET };
    if l3num != expected || protonum != protocol || direction as usize != dir {
        return None;
    }
    let (source, destination) = if family == FAMILY_IPV4 {
        ([s0, 0, 0, 0], [d0, 0, 0, 0])
    } else {
        ([s0, s1, s2, s3], [d0, d1, d2, d3])
    };
    Some(Ends { source, destination, ports: [source_port, destination_port] })
}

/// The two values of 16 bits that a word of memory holds, in their order.
#[inline(always)]
fn halves(word: u32) -> [u16; 2] {
    if cfg!(target_endian = "little") {
        [word as u16, (word >> 16) as u16]
    } else {
        [(word >> 16) as u16, word as u16]
    }
}
