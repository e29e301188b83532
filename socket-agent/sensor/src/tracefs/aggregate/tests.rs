//! Sequences of facts, and the flows that come of them.

use std::collections::HashMap;

use socket_common::{
    Began, Counter, FAMILY_IPV4, Flow, Owner, PROTO_TCP, Rank, Tuple,
    kernel::{socket_type::STREAM, tcp_state as state},
    rules::Way,
};

use super::{Aggregator, Context, Fact, Packet, Sock, Tasks};
use crate::{Event, Tables};

pub(super) const SYN: u8 = 2;
pub(super) const ACK: u8 = 16;
pub(super) const LISTENER: u64 = 0x100;
pub(super) const CHILD: u64 = 0x200;
/// A thread of the kernel.
pub(super) const WORKER: u32 = 2;

/// Everybody is known by the process id; some held sockets before.
#[derive(Default)]
pub(super) struct People(pub(super) HashMap<Tuple, u32>);

impl Tasks for People {
    fn owner(&mut self, pid: u32, tid: u32) -> Owner {
        Owner { pid, tid, start: u64::from(pid) * 10, ..Owner::default() }
    }

    fn is_of_kernel(&mut self, pid: u32) -> bool {
        pid == WORKER
    }

    fn holder(&mut self, tuple: &Tuple) -> Option<Owner> {
        self.0.get(tuple).map(|pid| Owner { pid: *pid, ..Owner::default() })
    }
}

pub(super) fn aggregator() -> Aggregator<People> {
    Aggregator::new(People::default(), Tables::default(), 1000, true)
}

pub(super) fn at(now: u64, pid: u32) -> Context {
    Context { now, pid, tid: pid }
}

pub(super) fn tcp(address: u64, state: u8) -> Sock {
    Sock {
        address,
        state,
        family: 2,
        protocol: PROTO_TCP.into(),
        kind: STREAM,
        num: 80,
        sport: 80,
        dport: if state == state::LISTEN { 0 } else { 999 },
        local: [1, 0, 0, 0],
        remote: if state == state::LISTEN { [0; 4] } else { [2, 0, 0, 0] },
        netns: 7,
        ..Sock::default()
    }
}

/// A packet of the connection between 2:999 and 1:80, of `bytes` bytes.
pub(super) fn packet(way: Way, flags: u8, bytes: u64) -> Packet {
    let (near, far) = (([1, 0, 0, 0], 80), ([2, 0, 0, 0], 999));
    let ((source, source_port), (destination, destination_port)) =
        if way == Way::Out { (near, far) } else { (far, near) };
    Packet {
        family: FAMILY_IPV4,
        protocol: PROTO_TCP,
        packets: 1,
        bytes,
        flags,
        payload: bytes > 60,
        source,
        destination,
        source_port,
        destination_port,
        netns: 7,
    }
}

pub(super) fn passes(packet: Packet, sock: Sock, way: Way) -> Fact {
    Fact::Packet { packet, sock, way }
}

pub(super) fn closed(aggregator: &mut Aggregator<People>) -> Vec<Flow> {
    std::iter::from_fn(|| aggregator.next_event())
        .filter_map(|event| if let Event::Closed(flow) = event { Some(flow) } else { None })
        .collect()
}

pub(super) fn counter(aggregator: &Aggregator<People>, counter: Counter) -> u64 {
    aggregator.counts[counter as usize]
}

#[test]
fn a_connection_that_came_in_has_its_handshake_and_the_listeners_owner() {
    let mut aggregator = aggregator();
    aggregator.take(Fact::Listen { sock: tcp(LISTENER, state::LISTEN) }, at(1, 11));
    let listener = tcp(LISTENER, state::LISTEN);
    aggregator.take(passes(packet(Way::In, SYN, 60), listener, Way::In), at(10, 0));
    let request = Sock { kind: 0, sport: 0, ..tcp(0x150, state::NEW_SYN_RECV) };
    aggregator.take(passes(packet(Way::Out, SYN | ACK, 60), request, Way::Out), at(11, 0));
    aggregator.take(passes(packet(Way::In, ACK, 52), listener, Way::In), at(12, 0));
    let child = tcp(CHILD, state::SYN_RECV);
    aggregator.take(Fact::State { sock: child, new: state::ESTABLISHED }, at(13, 0));
    let open = tcp(CHILD, state::ESTABLISHED);
    aggregator.take(passes(packet(Way::In, ACK, 152), open, Way::In), at(14, 0));
    aggregator.take(Fact::Touched { sock: CHILD, rank: Rank::Opener }, at(15, 22));
    let states: Vec<_> = aggregator.open_flows().map(|flow| flow.tcp.state).collect();
    assert_eq!(states, [state::ESTABLISHED], "an open flow has its state");
    let last = Sock { error: 0, retransmits: Some(3), srtt: 80, ..tcp(CHILD, 4) };
    aggregator.take(Fact::State { sock: last, new: state::CLOSE }, at(20, 0));
    aggregator.take(Fact::Orphan { packet: packet(Way::In, ACK, 52) }, at(21, 0));
    // One whose namespace is not known is that of whoever was closed last between these ends.
    let somewhere = Packet { netns: 0, ..packet(Way::In, ACK, 40) };
    aggregator.take(Fact::Orphan { packet: somewhere }, at(22, 0));

    let flows = closed(&mut aggregator);
    let [flow] = flows[..] else { panic!("{flows:?}") };
    assert_eq!((flow.traffic.packets_in, flow.traffic.bytes_in), (3, 60 + 52 + 152));
    assert_eq!((flow.traffic.packets_out, flow.traffic.bytes_out), (1, 60));
    assert_eq!((flow.first, flow.last, flow.ended, flow.tcp.connect_ns), (10, 14, 20, 3));
    assert_eq!((flow.began, flow.rank), (Began::Accept as u8, Rank::Opener as u8));
    assert_eq!((flow.owner.pid, flow.tcp.srtt_us), (22, 10));
    assert_eq!((flow.tcp.retransmits, flow.tcp.counted), (3, 1));
    let late = aggregator.take_late(flow.id, &flow.tuple).unwrap();
    assert_eq!((late.traffic.packets_in, late.traffic.bytes_in, late.last), (2, 92, 22));
    aggregator.take(Fact::Orphan { packet: somewhere }, at(23, 0));
    assert_eq!(counter(&aggregator, Counter::LateUnmatched), 1);
    assert_eq!(counter(&aggregator, Counter::PendingMissed), 0);
}

#[test]
fn a_connect_is_owned_by_who_calls_and_its_tuple_comes_with_the_first_packet() {
    let mut aggregator = aggregator();
    let sock = Sock { sport: 0, dport: 0, ..tcp(CHILD, state::CLOSE) };
    aggregator.take(Fact::State { sock, new: state::SYN_SENT }, at(5, 33));
    let sent = Sock { owned: true, ..tcp(CHILD, state::SYN_SENT) };
    aggregator.take(passes(packet(Way::Out, SYN, 60), sent, Way::Out), at(6, 33));
    let refused = Sock { error: 111, ..tcp(CHILD, state::SYN_SENT) };
    aggregator.take(Fact::State { sock: refused, new: state::CLOSE }, at(9, 33));
    let flows = closed(&mut aggregator);
    let [flow] = flows[..] else { panic!("{flows:?}") };
    assert_eq!((flow.tuple.local_port, flow.tuple.remote_port, flow.tuple.netns), (80, 999, 7));
    assert_eq!((flow.owner.pid, flow.rank), (33, Rank::Opener as u8));
    assert_eq!((flow.tcp.error, flow.tcp.state, flow.first), (111, state::SYN_SENT, 5));
    assert_eq!(flow.tcp.counted, 0, "nobody said where the kernel counts");
}

#[test]
fn an_accepted_socket_is_not_taken_for_what_was_at_its_address_before() {
    let mut aggregator = aggregator();
    let before = Sock { dport: 1000, ..tcp(CHILD, state::CLOSE) };
    aggregator.take(Fact::State { sock: before, new: state::SYN_SENT }, at(1, 33));
    let sent = Sock { dport: 1000, owned: true, ..tcp(CHILD, state::SYN_SENT) };
    aggregator.take(passes(packet(Way::Out, SYN, 60), sent, Way::Out), at(2, 33));
    // Its end was not seen.
    let listener = tcp(LISTENER, state::LISTEN);
    aggregator.take(passes(packet(Way::In, SYN, 60), listener, Way::In), at(10, 0));
    let child = tcp(CHILD, state::SYN_RECV);
    aggregator.take(Fact::State { sock: child, new: state::ESTABLISHED }, at(13, 0));
    let stale = closed(&mut aggregator);
    let [stale] = stale[..] else { panic!("{stale:?}") };
    assert_eq!((stale.began, stale.tuple.remote_port), (Began::Connect as u8, 1000));
    assert_eq!((stale.ended, stale.owner.pid), (13, 33));
    let flows: Vec<Flow> = aggregator.open_flows().copied().collect();
    let [flow] = flows[..] else { panic!("{flows:?}") };
    assert_eq!((flow.began, flow.tuple.remote_port), (Began::Accept as u8, 999));
    assert_eq!((flow.first, flow.tcp.connect_ns), (10, 3));
    assert_eq!(flow.traffic.packets_in, 1);
}

#[test]
fn packets_without_a_flow_are_midway_or_of_a_socket_that_was_open_before() {
    let mut aggregator = aggregator();
    let open = tcp(CHILD, state::ESTABLISHED);
    aggregator.take(passes(packet(Way::Out, ACK, 52), open, Way::Out), at(5, 1));
    assert_eq!(counter(&aggregator, Counter::Midway), 1);

    let other = Sock { dport: 1000, ..tcp(0x300, state::ESTABLISHED) };
    aggregator.tasks.0.insert(other.tcp_tuple(), 44);
    aggregator.take(passes(packet(Way::In, ACK, 52), other, Way::In), at(6, 1));
    let held = aggregator.open_flows().find(|flow| flow.sock == 0x300).unwrap();
    assert_eq!((held.began, held.owner.pid), (Began::Existing as u8, 44));
    assert_eq!(held.rank, Rank::Holder as u8);
    assert_eq!(counter(&aggregator, Counter::Midway), 1);
}

#[test]
fn a_late_packet_that_nobody_waits_for_is_counted() {
    let mut aggregator = aggregator();
    aggregator.take(Fact::Reply { packet: packet(Way::Out, ACK, 40) }, at(5, 1));
    assert_eq!(counter(&aggregator, Counter::LateUnmatched), 1);
}

#[test]
fn a_full_table_is_counted() {
    let limits = Tables { flows: 1, ..Tables::default() };
    let mut aggregator = Aggregator::new(People::default(), limits, 1000, true);
    for address in [CHILD, 0x300, 0x300] {
        let sock = Sock { dport: address as u16, ..tcp(address, state::ESTABLISHED) };
        aggregator.take(passes(packet(Way::Out, ACK, 52), sock, Way::Out), at(5, 1));
    }
    assert_eq!(counter(&aggregator, Counter::FlowTableFull), 2);
    assert_eq!(aggregator.open_flows().count(), 1);
}

#[test]
fn ipv6_can_be_left_out() {
    let mut aggregator = Aggregator::new(People::default(), Tables::default(), 1000, false);
    let packet = Packet { family: socket_common::FAMILY_IPV6, ..packet(Way::Out, ACK, 72) };
    let sock = tcp(CHILD, state::ESTABLISHED);
    aggregator.take(passes(packet, sock, Way::Out), at(5, 1));
    let child = Sock { family: 10, local6: [1; 4], remote6: [2; 4], ..tcp(CHILD, state::SYN_RECV) };
    aggregator.take(Fact::State { sock: child, new: state::ESTABLISHED }, at(6, 1));
    assert_eq!(aggregator.open_flows().count(), 0);
    assert_eq!(counter(&aggregator, Counter::PendingMissed), 0);
}
