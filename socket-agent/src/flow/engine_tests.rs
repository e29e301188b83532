use socket_common::PROTO_UDP;

use super::{
    state::{LAST_ACK, SYN_SENT},
    *,
};

const SECOND: u64 = 1_000_000_000;
const TIMEOUTS: Timeouts =
    Timeouts { inactive: 30 * SECOND, termination: 5 * SECOND, socket_inactive: 60 * SECOND };

#[derive(Default)]
struct Tables {
    late: HashMap<u64, Late>,
    open: HashMap<u64, Flow>,
    listening: bool,
}

impl Kernel for Tables {
    fn take_late(&mut self, flow: u64, _: &Tuple) -> Option<Late> {
        self.late.remove(&flow)
    }
    fn evict(&mut self, flow: &Flow) -> Option<Flow> {
        self.open.remove(&flow.id)
    }
    fn is_listening(&self, _: &Tuple) -> Option<bool> {
        Some(self.listening)
    }
}

fn tcp(id: u64, state: u8) -> Flow {
    let mut flow = Flow { id, socket_id: id, began: Began::Connect as u8, ..Flow::default() };
    flow.tuple.protocol = PROTO_TCP;
    flow.tuple.remote_port = 443;
    flow.traffic = Traffic { packets_out: 5, bytes_out: 500, packets_in: 4, bytes_in: 400 };
    flow.first = SECOND;
    flow.last = 2 * SECOND;
    flow.tcp.state = state;
    flow.tcp.connect_ns = 1;
    flow
}

fn udp(id: u64, socket_id: u64) -> Flow {
    let mut flow = Flow { id, socket_id, began: Began::Send as u8, ..Flow::default() };
    flow.tuple.protocol = PROTO_UDP;
    flow.traffic.packets_out = 1;
    flow.last = SECOND;
    flow
}

fn late(flow: u64, packets: u64, last: u64) -> Late {
    let traffic = Traffic { packets_in: packets, bytes_in: 52 * packets, ..Traffic::default() };
    Late { flow, traffic, last }
}

#[test]
fn a_connection_waits_for_its_last_packets() {
    let (mut engine, mut kernel, mut out) = (Engine::new(TIMEOUTS), Tables::default(), vec![]);
    let flow = Flow { ended: 2 * SECOND, ..tcp(1, 5) };
    engine.closed(flow, 2 * SECOND, &kernel, &mut out);
    engine.tick(6 * SECOND, &mut kernel, &mut out);
    assert!(out.is_empty(), "reported before its time");
    kernel.late.insert(1, late(1, 2, 3 * SECOND));
    engine.tick(7 * SECOND, &mut kernel, &mut out);
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].flow.traffic.packets_in, 6);
    assert_eq!(out[0].flow.traffic.bytes_in, 504);
    assert_eq!(out[0].flow.last, 3 * SECOND);
    assert!(out[0].complete && out[0].is_final);
    assert_eq!(engine.held(), 0);
}

#[test]
fn ends_that_nothing_follows_are_reported_at_once() {
    for state in [LAST_ACK, SYN_SENT] {
        let (mut engine, kernel, mut out) = (Engine::new(TIMEOUTS), Tables::default(), vec![]);
        engine.closed(Flow { ended: 2 * SECOND, ..tcp(1, state) }, 2 * SECOND, &kernel, &mut out);
        assert_eq!(out.len(), 1, "state {state}");
    }
}

#[test]
fn displaced_late_packets_reach_their_flow_or_a_counter() {
    let (mut engine, mut kernel, mut out) = (Engine::new(TIMEOUTS), Tables::default(), vec![]);
    engine.closed(Flow { ended: 2 * SECOND, ..tcp(1, 5) }, 2 * SECOND, &kernel, &mut out);
    engine.late(&late(1, 1, 3 * SECOND));
    engine.late(&late(99, 3, 3 * SECOND));
    engine.tick(60 * SECOND, &mut kernel, &mut out);
    assert_eq!(out[0].flow.traffic.packets_in, 5);
    assert_eq!(engine.counters().late_after_report, 3);
}

#[test]
fn a_pause_reports_once_and_what_follows_counts_from_zero() {
    let (mut engine, mut kernel, mut out) = (Engine::new(TIMEOUTS), Tables::default(), vec![]);
    let flow = tcp(1, 0);
    engine.scan(&[flow], 31 * SECOND, &mut kernel, &mut out);
    assert!(out.is_empty(), "not idle for 30 s yet");
    engine.scan(&[flow], 32 * SECOND, &mut kernel, &mut out);
    engine.scan(&[flow], 40 * SECOND, &mut kernel, &mut out);
    assert_eq!(out.len(), 1, "a pause is one record");
    let mut resumed = flow;
    resumed.resumed = 45 * SECOND;
    resumed.last = 46 * SECOND;
    resumed.ended = 46 * SECOND;
    resumed.tcp.state = LAST_ACK;
    resumed.traffic.packets_out += 2;
    resumed.traffic.bytes_out += 80;
    engine.closed(resumed, 46 * SECOND, &kernel, &mut out);
    assert_eq!(out.len(), 2);
    let second = &out[1].flow;
    assert_eq!((second.traffic.packets_out, second.traffic.bytes_out), (2, 80));
    assert_eq!((second.traffic.packets_in, second.first), (0, 45 * SECOND));
    assert!(!out[1].complete, "it lacks the beginning");
}

#[test]
fn nothing_new_after_a_pause_is_no_record() {
    let (mut engine, mut kernel, mut out) = (Engine::new(TIMEOUTS), Tables::default(), vec![]);
    let flow = tcp(1, 0);
    engine.scan(&[flow], 32 * SECOND, &mut kernel, &mut out);
    engine.closed(
        Flow {
            ended: 40 * SECOND,
            tcp: socket_common::Tcp { state: LAST_ACK, ..flow.tcp },
            ..flow
        },
        40 * SECOND,
        &kernel,
        &mut out,
    );
    assert_eq!(out.len(), 1);
}

#[test]
fn a_long_pause_takes_the_flow_out_of_the_tables() {
    let (mut engine, mut kernel, mut out) = (Engine::new(TIMEOUTS), Tables::default(), vec![]);
    let seen = tcp(1, 0);
    let mut current = seen;
    current.traffic.packets_in += 1;
    kernel.open.insert(1, current);
    engine.scan(&[seen], 62 * SECOND, &mut kernel, &mut out);
    assert!(kernel.open.is_empty());
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].flow.traffic.packets_in, 5, "the state at removal counts");
}

#[test]
fn peers_of_a_closed_socket_follow_it_with_its_owner() {
    let (mut engine, mut kernel, mut out) = (Engine::new(TIMEOUTS), Tables::default(), vec![]);
    let owner = Owner { pid: 42, ..Owner::default() };
    let first = Flow { flags: FLAG_HAS_PEERS, ended: 2 * SECOND, owner, rank: 5, ..udp(1, 1) };
    engine.closed(first, 2 * SECOND, &kernel, &mut out);
    let peer = udp(2, 1);
    kernel.open.insert(2, peer);
    engine.scan(&[peer], 3 * SECOND, &mut kernel, &mut out);
    assert_eq!(out.len(), 2);
    assert_eq!(out[1].flow.owner.pid, 42);
    assert_eq!(out[1].flow.ended, 2 * SECOND);
}

#[test]
fn shutting_down_reports_all_that_is_left() {
    let (mut engine, mut kernel, mut out) = (Engine::new(TIMEOUTS), Tables::default(), vec![]);
    engine.closed(Flow { ended: 2 * SECOND, ..tcp(1, 5) }, 2 * SECOND, &kernel, &mut out);
    kernel.late.insert(1, late(1, 1, 3 * SECOND));
    let silent = Flow { traffic: Traffic::default(), ..tcp(3, 0) };
    engine.shut_down(&[tcp(2, 0), silent], &mut kernel, &mut out);
    assert_eq!(out.len(), 2, "a flow without a packet is none");
    assert_eq!(out[0].flow.traffic.packets_in, 5);
    assert!(out.iter().all(|record| record.is_final));
}

#[test]
fn a_failed_connect_without_a_packet_is_reported() {
    let (mut engine, kernel, mut out) = (Engine::new(TIMEOUTS), Tables::default(), vec![]);
    let mut flow = Flow { traffic: Traffic::default(), ended: 2 * SECOND, ..tcp(1, SYN_SENT) };
    flow.tcp.error = 110;
    flow.tcp.connect_ns = 0;
    engine.closed(flow, 2 * SECOND, &kernel, &mut out);
    assert_eq!(out.len(), 1);
    assert!(!out[0].complete);
}

#[test]
fn listeners_decide_the_direction_of_connections_from_before_the_start() {
    for (listening, expected) in
        [(true, crate::flow::Direction::Ingress), (false, crate::flow::Direction::Egress)]
    {
        let mut kernel = Tables { listening, ..Tables::default() };
        let (mut engine, mut out) = (Engine::new(TIMEOUTS), vec![]);
        let flow = Flow { began: Began::Existing as u8, ..tcp(1, 1) };
        engine.shut_down(&[flow], &mut kernel, &mut out);
        assert_eq!(out[0].direction, expected);
    }
}
