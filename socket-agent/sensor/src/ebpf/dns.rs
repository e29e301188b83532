//! DNS packets that the cgroup programs hand over.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
};

use socket_common::{DNS_CAPACITY, DnsEvent, FAMILY_IPV4, kind};

use super::records::{RingBuffer, prefix};
use flow::{
    address,
    dns::{
        Packet,
        packet::{IPV4, IPV6},
    },
};

/// Bytes of the longest record.
pub(super) const LONGEST: usize = size_of::<DnsEvent<{ DNS_CAPACITY[1] }>>();

/// The members in front of the packet.
type Head = DnsEvent<0>;

/// The ring that they come in.
#[derive(Debug)]
pub struct DnsRing(RingBuffer);

// === impl DnsRing ===

impl DnsRing {
    pub(super) fn new(ring: RingBuffer) -> Self {
        Self(ring)
    }

    /// A descriptor that becomes readable when much is waiting.
    ///
    /// # Errors
    ///
    /// No more descriptors.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.0.as_fd().try_clone_to_owned()
    }

    /// Calls `each` for the packets that wait.
    pub fn read(&mut self, mut each: impl FnMut(&Packet<'_>)) {
        while self
            .0
            .next(|bytes| {
                if let Some(packet) = parse(bytes) {
                    each(&packet);
                }
            })
            .is_some()
        {}
    }
}

/// Reads a record; `None` if it is none of a packet, which only other programs could write.
fn parse(bytes: &[u8]) -> Option<Packet<'_>> {
    let head: Head = prefix(bytes)?;
    let data = bytes.get(size_of::<Head>()..)?.get(..head.header.length as usize)?;
    if head.header.kind != kind::DNS {
        return None;
    }
    let tuple = &head.tuple;
    let own = SocketAddr::new(address(tuple, tuple.local), tuple.local_port);
    let server = SocketAddr::new(address(tuple, tuple.remote), tuple.remote_port);
    Some(Packet {
        netns: tuple.netns,
        ethertype: if tuple.family == FAMILY_IPV4 { IPV4 } else { IPV6 },
        time: head.time,
        ends: Some(if head.outgoing != 0 { [own, server] } else { [server, own] }),
        bytes: data,
    })
}

#[cfg(test)]
mod tests {
    use socket_common::{Header, PROTO_UDP, Tuple};
    use zerocopy::IntoBytes;

    use super::*;

    fn record(outgoing: u32, length: u32) -> Vec<u8> {
        let mut tuple = Tuple {
            local_port: 4000,
            remote_port: 53,
            netns: 5,
            family: FAMILY_IPV4,
            protocol: PROTO_UDP,
            ..Tuple::default()
        };
        tuple.local[0] = u32::from_ne_bytes([10, 0, 0, 1]);
        tuple.remote[0] = u32::from_ne_bytes([10, 0, 0, 53]);
        let header = Header { kind: kind::DNS, length };
        let head = Head { header, time: 9, tuple, outgoing, reserved: 0, data: [] };
        let Head { header, time, tuple, outgoing, reserved, data: [] } = head;
        [
            header.as_bytes(),
            time.as_bytes(),
            tuple.as_bytes(),
            outgoing.as_bytes(),
            reserved.as_bytes(),
            &[0x45; 440],
        ]
        .concat()
    }

    #[test]
    fn the_sender_comes_first() {
        let ends = |outgoing| parse(&record(outgoing, 40)).unwrap().ends.unwrap();
        let [own, server] = ends(1);
        assert_eq!(
            (own.to_string(), server.to_string()),
            ("10.0.0.1:4000".into(), "10.0.0.53:53".into())
        );
        assert_eq!(ends(0), [server, own]);
    }

    #[test]
    fn a_record_has_as_much_as_it_says() {
        let bytes = record(1, 40);
        let packet = parse(&bytes).unwrap();
        assert_eq!((packet.bytes.len(), packet.netns, packet.time), (40, 5, 9));
        assert!(parse(&record(1, 441)).is_none());
        assert!(parse(&record(1, 40)[..60]).is_none());
    }
}
