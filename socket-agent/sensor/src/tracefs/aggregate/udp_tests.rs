//! Flows of UDP sockets.

use socket_common::{
    FLAG_EXISTING, Flow, PROTO_UDP,
    kernel::{
        socket_type::{DATAGRAM, RAW},
        tcp_state as state,
    },
    rules::Way,
};

use super::{
    Fact, Packet, Sock,
    tests::{CHILD, aggregator, at, closed, packet, passes, tcp},
};

fn datagram(to: u32) -> Packet {
    Packet { protocol: PROTO_UDP, destination: [to, 0, 0, 0], ..packet(Way::Out, 0, 100) }
}

/// A UDP socket that is connected to nobody.
fn udp() -> Sock {
    Sock {
        kind: DATAGRAM,
        protocol: PROTO_UDP.into(),
        dport: 0,
        remote: [0; 4],
        ..tcp(CHILD, state::CLOSE)
    }
}

#[test]
fn a_udp_socket_has_a_flow_for_each_peer_with_one_owner() {
    let mut aggregator = aggregator();
    let sock = Sock { has_file: true, ..udp() };
    aggregator.take(Fact::Bound { sock }, at(1, 9));
    for (now, peer) in [(2, 5), (3, 6), (4, 6), (1500, 5)] {
        aggregator.take(passes(datagram(peer), sock, Way::Out), at(now, 12));
    }
    let mut flows: Vec<Flow> = aggregator.open_flows().copied().collect();
    flows.sort_by_key(|flow| flow.id);
    let [first, second] = flows[..] else { panic!("{flows:?}") };
    assert_eq!((first.traffic.packets_out, second.traffic.packets_out), (2, 2));
    assert_eq!((first.owner.pid, second.owner.pid), (12, 12));
    assert_eq!((first.resumed, second.resumed), (1500, 0));
    assert_eq!(second.socket_id, first.id);
    assert_eq!(aggregator.evict(&second).map(|flow| flow.id), Some(second.id));
    aggregator.take(Fact::Closed { sock: CHILD }, at(1600, 12));
    assert_eq!(closed(&mut aggregator).len(), 1);
    assert_eq!(aggregator.owners().count(), 0);
}

#[test]
fn the_flows_of_a_udp_socket_that_was_open_before_say_so() {
    let mut aggregator = aggregator();
    let sock = udp();
    aggregator.tasks.0.insert(sock.tuple(PROTO_UDP, true), 44);
    let fresh = Sock { address: 0x300, num: 81, sport: 81, ..sock };
    let from = Packet { source_port: 81, ..datagram(5) };
    aggregator.take(passes(from, fresh, Way::Out), at(1, 12));
    for peer in [5, 6] {
        aggregator.take(passes(datagram(peer), sock, Way::Out), at(2, 12));
    }
    let existing = |flow: &Flow| (flow.sock, flow.flags & FLAG_EXISTING != 0);
    let mut flows: Vec<_> = aggregator.open_flows().map(existing).collect();
    flows.sort_unstable();
    assert_eq!(flows, [(CHILD, true), (CHILD, true), (0x300, false)]);
}

#[test]
fn a_connected_socket_has_a_flow_for_whom_it_sends_to() {
    let mut aggregator = aggregator();
    let sock = Sock { dport: 999, remote: [5, 0, 0, 0], ..udp() };
    // By sendto and the like also to others.
    for peer in [6, 5, 6] {
        aggregator.take(passes(datagram(peer), sock, Way::Out), at(2, 12));
    }
    let answer = Packet { protocol: PROTO_UDP, source: [5, 0, 0, 0], ..packet(Way::In, 0, 50) };
    aggregator.take(passes(answer, sock, Way::In), at(3, 12));
    let mut flows: Vec<_> = aggregator.open_flows().collect();
    flows.sort_by_key(|flow| flow.id);
    let [first, second] = flows[..] else { panic!("{flows:?}") };
    assert_eq!((first.tuple.remote[0], first.traffic.packets_out), (6, 2));
    assert_eq!((second.tuple.remote[0], second.traffic.packets_out), (5, 1));
    assert_eq!((first.traffic.packets_in, second.traffic.packets_in), (0, 1));
}

#[test]
fn another_port_of_a_disconnected_socket_is_another_flow() {
    let mut aggregator = aggregator();
    for port in [80, 81, 80] {
        let sock = Sock { num: port, sport: port, ..udp() };
        let sent = Packet { source_port: port, ..datagram(5) };
        aggregator.take(passes(sent, sock, Way::Out), at(2, 12));
    }
    // The port may have been translated where the packet is seen.
    let sent = Packet { source_port: 4000, ..datagram(5) };
    aggregator.take(passes(sent, udp(), Way::Out), at(3, 12));
    let count = |flow: &Flow| (flow.tuple.local_port, flow.traffic.packets_out);
    let mut flows: Vec<_> = aggregator.open_flows().map(count).collect();
    flows.sort_unstable();
    assert_eq!(flows, [(80, 3), (81, 1)]);
    let second = *aggregator.open_flows().find(|flow| flow.tuple.local_port == 81).unwrap();
    assert_eq!(aggregator.evict(&second).map(|flow| flow.id), Some(second.id));
}

#[test]
fn a_raw_socket_has_no_flow() {
    let mut aggregator = aggregator();
    let raw = Sock { kind: RAW, ..udp() };
    aggregator.take(passes(datagram(5), raw, Way::In), at(1, 12));
    aggregator.take(passes(datagram(5), Sock { has_file: true, ..raw }, Way::Out), at(1, 12));
    assert_eq!(aggregator.open_flows().count(), 0);
}
