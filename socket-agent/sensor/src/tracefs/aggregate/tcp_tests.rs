//! Sockets beside those of connections, and connections of several.

use socket_common::{
    Counter, Flow, Rank,
    kernel::{socket_type::RAW, tcp_state as state},
    rules::Way,
};

use super::{
    Aggregator, Fact, Sock,
    tests::{
        ACK, CHILD, LISTENER, People, SYN, WORKER, aggregator, at, closed, counter, packet, passes,
        tcp,
    },
};
use crate::Tables;

/// A connection comes in.
fn accept(aggregator: &mut Aggregator<People>) {
    let listener = tcp(LISTENER, state::LISTEN);
    aggregator.take(passes(packet(Way::In, SYN, 60), listener, Way::In), at(10, 0));
    aggregator.take(passes(packet(Way::In, ACK, 52), listener, Way::In), at(12, 0));
    let child = tcp(CHILD, state::SYN_RECV);
    aggregator.take(Fact::State { sock: child, new: state::ESTABLISHED }, at(13, 0));
}

/// A raw socket of protocol TCP.
fn raw() -> Sock {
    Sock {
        kind: RAW,
        num: 6,
        sport: 6,
        dport: 0,
        remote: [0; 4],
        has_file: true,
        ..tcp(0x500, state::CLOSE)
    }
}

#[test]
fn what_a_raw_socket_overhears_or_makes_up_counts_for_nobody() {
    let mut aggregator = aggregator();
    // It is shown each packet before the socket that it is for.
    aggregator.take(passes(packet(Way::In, SYN, 60), raw(), Way::In), at(9, 0));
    accept(&mut aggregator);
    let open = tcp(CHILD, state::ESTABLISHED);
    for sock in [raw(), open] {
        aggregator.take(passes(packet(Way::In, ACK, 152), sock, Way::In), at(14, 0));
    }
    aggregator.take(passes(packet(Way::Out, ACK, 40), raw(), Way::Out), at(15, 0));
    let flows: Vec<Flow> = aggregator.open_flows().copied().collect();
    let [flow] = flows[..] else { panic!("{flows:?}") };
    assert_eq!((flow.traffic.packets_in, flow.traffic.bytes_in), (3, 60 + 52 + 152));
    assert_eq!((flow.traffic.packets_out, flow.first), (0, 10));
    assert_eq!(counter(&aggregator, Counter::LateUnmatched), 0);
}

#[test]
fn the_kernels_own_raw_socket_sends_what_is_late() {
    let mut aggregator = aggregator();
    accept(&mut aggregator);
    aggregator.take(Fact::State { sock: tcp(CHILD, 4), new: state::CLOSE }, at(20, 0));
    let [flow] = closed(&mut aggregator)[..] else { panic!("no flow") };
    let control = Sock { has_file: false, ..raw() };
    aggregator.take(passes(packet(Way::Out, ACK, 40), control, Way::Out), at(21, 0));
    let late = aggregator.take_late(flow.id, &flow.tuple).unwrap();
    assert_eq!((late.traffic.packets_out, late.traffic.bytes_out), (1, 40));
}

#[test]
fn a_handshake_leaves_the_table_a_moment_after_the_connection_is_established() {
    let mut aggregator = aggregator();
    accept(&mut aggregator);
    let listener = tcp(LISTENER, state::LISTEN);
    let open = tcp(CHILD, state::ESTABLISHED);
    // One that another CPU took for the handshake's.
    aggregator.take(passes(packet(Way::In, ACK, 100), listener, Way::In), at(14, 0));
    assert_eq!(aggregator.pending.len(), 1);
    aggregator.take(passes(packet(Way::In, ACK, 52), open, Way::In), at(200_000_000, 0));
    assert_eq!(aggregator.pending.len(), 0);
    let [flow] = aggregator.open_flows().collect::<Vec<_>>()[..] else { panic!("no flow") };
    assert_eq!((flow.traffic.packets_in, flow.traffic.bytes_in), (4, 60 + 52 + 100 + 52));
}

#[test]
fn a_full_table_of_handshakes_is_counted() {
    let limits = Tables { pending: 2, ..Tables::default() };
    let mut aggregator = Aggregator::new(People::default(), limits, 1000, true);
    let listener = tcp(LISTENER, state::LISTEN);
    for port in [1, 2, 2, 3] {
        let syn = super::Packet { source_port: port, ..packet(Way::In, SYN, 60) };
        aggregator.take(passes(syn, listener, Way::In), at(port.into(), 0));
    }
    assert_eq!(counter(&aggregator, Counter::PendingFull), 1);
    assert_eq!(aggregator.pending.len(), 2);
}

/// A subflow of the connection that began with the socket [`CHILD`].
fn subflow(address: u64, state: u8) -> Sock {
    Sock { dport: address as u16, first_subflow: Some(CHILD), ..tcp(address, state) }
}

/// The owner and rank of a socket's flow.
fn owner(aggregator: &Aggregator<People>, sock: u64) -> (u32, u8) {
    let flow = aggregator.open_flows().find(|flow| flow.sock == sock).unwrap();
    (flow.owner.pid, flow.rank)
}

#[test]
fn a_subflow_that_is_added_has_the_owner_of_its_connection() {
    const ADDED: u64 = 0x600;
    let mut aggregator = aggregator();
    let connect =
        |sock: u64| Fact::State { sock: subflow(sock, state::CLOSE), new: state::SYN_SENT };
    aggregator.take(connect(CHILD), at(1, 33));
    assert_eq!(owner(&aggregator, CHILD), (33, Rank::Opener as u8));
    for manager in [WORKER, 44] {
        aggregator.take(connect(ADDED), at(2, manager));
        assert_eq!(owner(&aggregator, ADDED), (33, Rank::Opener as u8));
    }
    // The kernel's thread sends again, and closes.
    let sent = Sock { owned: true, ..subflow(ADDED, state::ESTABLISHED) };
    aggregator.take(passes(packet(Way::Out, ACK, 100), sent, Way::Out), at(3, WORKER));
    assert_eq!(owner(&aggregator, ADDED), (33, Rank::Opener as u8));
    aggregator.take(passes(packet(Way::Out, ACK, 100), sent, Way::Out), at(3, 55));
    assert_eq!(owner(&aggregator, ADDED), (55, Rank::FirstIo as u8));
}

#[test]
fn a_subflow_that_comes_in_belongs_to_the_connection_not_to_the_listener() {
    let mut aggregator = aggregator();
    let main = Sock { owned: true, ..subflow(CHILD, state::ESTABLISHED) };
    aggregator.take(passes(packet(Way::Out, ACK, 100), main, Way::Out), at(1, 33));
    aggregator.take(Fact::Listen { sock: tcp(LISTENER, state::LISTEN) }, at(1, 11));
    let syn = super::Packet { source_port: 0x700, ..packet(Way::In, SYN, 60) };
    aggregator.take(passes(syn, tcp(LISTENER, state::LISTEN), Way::In), at(2, 0));
    let joined = subflow(0x700, state::SYN_RECV);
    aggregator.take(Fact::State { sock: joined, new: state::ESTABLISHED }, at(3, 0));
    assert_eq!(owner(&aggregator, 0x700), (33, Rank::Opener as u8));
}

#[test]
fn the_kernels_thread_that_connects_for_itself_is_the_owner() {
    let mut aggregator = aggregator();
    let sock = tcp(CHILD, state::CLOSE);
    aggregator.take(Fact::State { sock, new: state::SYN_SENT }, at(1, WORKER));
    assert_eq!(owner(&aggregator, CHILD), (WORKER, Rank::Opener as u8));
}
