//! Sums per direction and tuple.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::{Result, bail};

use super::{
    Count, Seen, Transport,
    packet::{FIN, Packet, RST, SYN, TransportHeader},
    socket::{Frame, Offload},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct FlowKey {
    outgoing: bool,
    transport: Transport,
    from: SocketAddr,
    to: SocketAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct FragmentKey {
    outgoing: bool,
    source: IpAddr,
    destination: IpAddr,
    identification: u32,
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    sums: HashMap<FlowKey, Sum>,
    fragments: HashMap<FragmentKey, FlowKey>,
}

#[derive(Debug, Default)]
struct Sum {
    count: Count,
    /// First TCP sequence number that has not been seen.
    next: Option<u32>,
    /// Of a TCP conversation from its first FIN or RST on: when packets came, and the count before
    /// each.
    tail: Vec<(Duration, Count)>,
}

impl Tally {
    pub(super) fn add(&mut self, frame: &Frame, mtu: u16) -> Result<()> {
        let Some(packet) = Packet::parse(frame.bytes()) else { return Ok(()) };
        self.packet(&packet, frame.outgoing, frame.offload().within(mtu), frame.time)
    }

    /// What was seen up to `limit`, wall time, as far as the end of a conversation goes.
    pub(super) fn seen(
        &self,
        transport: Transport,
        local: SocketAddr,
        remote: SocketAddr,
        limit: Duration,
    ) -> Seen {
        let count = |outgoing, from, to| {
            let key = FlowKey { outgoing, transport, from, to };
            self.sums.get(&key).map(|sum| sum.until(limit)).unwrap_or_default()
        };
        Seen { sent: count(true, local, remote), received: count(false, remote, local) }
    }

    /// Remote ends that have sent to a local one.
    pub(super) fn remotes(
        &self,
        transport: Transport,
        local: SocketAddr,
    ) -> impl Iterator<Item = SocketAddr> + '_ {
        let keys = self.sums.keys();
        let of =
            keys.filter(move |key| !key.outgoing && key.transport == transport && key.to == local);
        of.map(|key| key.from)
    }

    fn packet(
        &mut self,
        packet: &Packet,
        outgoing: bool,
        offload: Offload,
        time: Duration,
    ) -> Result<()> {
        let Some(key) = self.key(packet, outgoing) else {
            bail!("a fragment came before the first of its packet: {packet:?}")
        };
        let (packets, bytes) = segments(packet, offload)?;
        let sum = self.sums.entry(key).or_default();
        let before = sum.count;
        sum.count.packets += packets;
        sum.count.bytes += bytes;
        if let (Transport::Tcp, Some(header)) = (packet.transport, packet.transport_header) {
            sum.tcp(header, packet.total - packet.ip_header - header.length, packets);
            if sum.count.fins + sum.count.resets > 0 {
                sum.tail.push((time, before));
            }
        }
        Ok(())
    }

    fn key(&mut self, packet: &Packet, outgoing: bool) -> Option<FlowKey> {
        let fragment = packet.fragment.map(|identification| FragmentKey {
            outgoing,
            source: packet.source,
            destination: packet.destination,
            identification,
        });
        match (packet.ends(), fragment) {
            (Some((from, to)), fragment) => {
                let key = FlowKey { outgoing, transport: packet.transport, from, to };
                if let Some(fragment) = fragment {
                    self.fragments.insert(fragment, key);
                }
                Some(key)
            }
            (None, Some(fragment)) => self.fragments.get(&fragment).copied(),
            (None, None) => None,
        }
    }
}

impl Sum {
    fn until(&self, limit: Duration) -> Count {
        let later = self.tail.iter().find(|(time, _)| *time > limit);
        later.map_or(self.count, |(_, before)| *before)
    }

    fn tcp(&mut self, header: TransportHeader, payload: u64, packets: u64) {
        let has = |flag| u64::from(header.flags & flag != 0);
        self.count.syns += has(SYN);
        self.count.fins += has(FIN);
        self.count.resets += has(RST);
        let length = payload + has(SYN) + has(FIN);
        if length == 0 {
            return;
        }
        let end = header.sequence.wrapping_add(length as u32);
        match self.next {
            // Serial number arithmetic: not past what has been seen.
            Some(next) if end.wrapping_sub(next).cast_signed() <= 0 => {
                self.count.retransmits += packets;
            }
            _ => self.next = Some(end),
        }
    }
}

/// Packets and bytes on the wire that a captured buffer stands for.
fn segments(packet: &Packet, offload: Offload) -> Result<(u64, u64)> {
    const TCP_V4: u8 = 1;
    const TCP_V6: u8 = 4;
    const UDP: u8 = 5;
    match (offload.kind, packet.transport_header) {
        (0, _) => Ok((1, packet.total)),
        (TCP_V4 | TCP_V6 | UDP, Some(header)) if offload.segment != 0 => {
            let headers = packet.ip_header + header.length;
            let payload = packet.total - headers;
            let count = payload.div_ceil(u64::from(offload.segment)).max(1);
            Ok((count, payload + count * headers))
        }
        _ => bail!("cannot cut a buffer into segments: {offload:?}, {packet:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Offload = Offload { kind: 0, segment: 0 };

    fn tcp(sequence: u32, flags: u8, payload: u64) -> Packet {
        Packet {
            transport: Transport::Tcp,
            source: IpAddr::from([10, 0, 0, 1]),
            destination: IpAddr::from([10, 0, 0, 2]),
            total: 52 + payload,
            ip_header: 20,
            transport_header: Some(TransportHeader {
                source: 1,
                destination: 2,
                length: 32,
                flags,
                sequence,
            }),
            fragment: None,
        }
    }

    fn sent(tally: &Tally) -> Count {
        let end = |last, port| SocketAddr::from(([10, 0, 0, last], port));
        tally.seen(Transport::Tcp, end(1, 1), end(2, 2), Duration::MAX).sent
    }

    #[test]
    fn a_segment_no_interface_takes_has_its_bytes_swapped() {
        let offload = |segment| Offload { kind: 1, segment };
        assert_eq!(offload(0xa805).within(1500), offload(1448));
        assert_eq!(offload(1448).within(1500), offload(1448));
        assert_eq!(offload(0xffcb).within(u16::MAX), offload(0xffcb));
    }

    #[test]
    fn cuts_offloaded_buffers() {
        let offload = Offload { kind: 1, segment: 1448 };
        let mut tally = Tally::default();
        tally.packet(&tcp(0, 0, 3000), true, offload, Duration::ZERO).expect("counted");
        assert_eq!((sent(&tally).packets, sent(&tally).bytes), (3, 3000 + 3 * 52));
        assert!(
            tally
                .packet(&tcp(0, 0, 9), true, Offload { kind: 3, segment: 9 }, Duration::ZERO)
                .is_err()
        );
    }

    #[test]
    fn counts_retransmissions_across_the_wrap() {
        let mut tally = Tally::default();
        for (sequence, flags, payload) in [
            (u32::MAX, SYN, 0),
            (0, 0, 100),
            (0, 0, 100),
            (100, 0, 0),
            (100, FIN, 0),
            (100, FIN, 0),
        ] {
            tally
                .packet(&tcp(sequence, flags, payload), true, PLAIN, Duration::ZERO)
                .expect("counted");
        }
        let count = sent(&tally);
        assert_eq!((count.packets, count.retransmits, count.syns, count.fins), (6, 2, 1, 2));
    }

    #[test]
    fn leaves_out_what_is_sent_again_after_the_limit() {
        let mut tally = Tally::default();
        for (second, flags) in [(1, 0), (2, FIN), (3, 0), (4, FIN)] {
            let packet = tcp(0, flags, 10);
            tally.packet(&packet, true, PLAIN, Duration::from_secs(second)).expect("counted");
        }
        let end = |last, port| SocketAddr::from(([10, 0, 0, last], port));
        let until = |second| {
            let limit = Duration::from_secs(second);
            tally.seen(Transport::Tcp, end(1, 1), end(2, 2), limit).sent.packets
        };
        // What came before the first FIN always counts.
        assert_eq!([0, 1, 2, 3, 4, 5].map(until), [1, 1, 2, 3, 4, 4]);
    }

    #[test]
    fn joins_fragments_and_refuses_orphans() {
        let mut first = tcp(0, 0, 100);
        first.fragment = Some(7);
        let mut rest = first;
        rest.transport_header = None;
        let mut tally = Tally::default();
        assert!(tally.packet(&rest, true, PLAIN, Duration::ZERO).is_err());
        tally.packet(&first, true, PLAIN, Duration::ZERO).expect("counted");
        tally.packet(&rest, true, PLAIN, Duration::ZERO).expect("counted");
        assert_eq!(sent(&tally).packets, 2);
    }
}
