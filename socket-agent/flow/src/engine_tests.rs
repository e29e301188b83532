use socket_common::{PROTO_UDP, Traffic};

use super::{
    state::{LAST_ACK, SYN_SENT},
    *,
};

const SECOND: u64 = 1_000_000_000;
const RULES: Rules = Rules {
    inactive: 30 * SECOND,
    termination: 5 * SECOND,
    socket_inactive: 60 * SECOND,
    report_period: 0,
    held: 1000,
    ephemeral: 32_768,
};

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
    fn is_listening(&self, _: &Tuple, _: Began) -> Option<bool> {
        Some(self.listening)
    }
    fn now(&self) -> u64 {
        0
    }
    fn sample(&mut self, flows: &mut [Flow]) {
        for flow in flows {
            if flow.ended == 0 && flow.tuple.protocol == PROTO_TCP {
                flow.tcp.state = state::ESTABLISHED;
            }
        }
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

/// The end of a connection, and of the time that it is held for.
fn close(engine: &mut Engine, flow: Flow, kernel: &mut Tables, out: &mut Vec<FlowRecord>) {
    engine.closed(flow, flow.ended, kernel, out);
    engine.tick(flow.ended + RULES.termination, kernel, out);
}

#[test]
fn those_that_have_waited_longest_make_room() {
    let rules = Rules { held: 2, ..RULES };
    let (mut engine, mut kernel, mut out) = (Engine::new(rules), Tables::default(), vec![]);
    for id in 1..=4 {
        engine.closed(
            Flow { ended: (1 + id) * SECOND, ..tcp(id, 5) },
            9 * SECOND,
            &kernel,
            &mut out,
        );
    }
    assert!(!engine.tick(5 * SECOND, &mut kernel, &mut out));
    let reported: Vec<u64> = out.iter().map(|record| record.flow.id).collect();
    assert_eq!((reported, engine.held()), (vec![1, 2], 2));
}

#[test]
fn a_connection_waits_for_its_last_packets() {
    let (mut engine, mut kernel, mut out) = (Engine::new(RULES), Tables::default(), vec![]);
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
fn a_connect_that_failed_is_reported_at_once() {
    let (mut engine, kernel, mut out) = (Engine::new(RULES), Tables::default(), vec![]);
    engine.closed(Flow { ended: 2 * SECOND, ..tcp(1, SYN_SENT) }, 2 * SECOND, &kernel, &mut out);
    assert_eq!(out.len(), 1);
}

#[test]
fn displaced_late_packets_reach_their_flow_or_a_counter() {
    let (mut engine, mut kernel, mut out) = (Engine::new(RULES), Tables::default(), vec![]);
    engine.closed(Flow { ended: 2 * SECOND, ..tcp(1, 5) }, 2 * SECOND, &kernel, &mut out);
    engine.late(&late(1, 1, 3 * SECOND));
    engine.late(&late(99, 3, 3 * SECOND));
    engine.tick(60 * SECOND, &mut kernel, &mut out);
    assert_eq!(out[0].flow.traffic.packets_in, 5);
    assert_eq!(engine.counters().late_after_report, 3);
}

#[test]
fn a_pause_reports_once_and_what_follows_counts_from_zero() {
    let (mut engine, mut kernel, mut out) = (Engine::new(RULES), Tables::default(), vec![]);
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
    resumed.traffic.packets_out += 2;
    resumed.traffic.bytes_out += 80;
    close(&mut engine, resumed, &mut kernel, &mut out);
    assert_eq!(out.len(), 2);
    let second = &out[1].flow;
    assert_eq!((second.traffic.packets_out, second.traffic.bytes_out), (2, 80));
    assert_eq!((second.traffic.packets_in, second.first), (0, 45 * SECOND));
    assert!(!out[1].complete, "it lacks the beginning");
    assert_ne!(out[1].flow.id, out[0].flow.id, "a flow of its own");
    assert!(out[1].is_first && out[1].is_final);
}

#[test]
fn nothing_new_after_a_pause_is_no_record() {
    let (mut engine, mut kernel, mut out) = (Engine::new(RULES), Tables::default(), vec![]);
    let flow = tcp(1, 0);
    engine.scan(&[flow], 32 * SECOND, &mut kernel, &mut out);
    close(&mut engine, Flow { ended: 40 * SECOND, ..flow }, &mut kernel, &mut out);
    assert_eq!(out.len(), 1);
}

#[test]
fn a_long_pause_takes_the_flow_out_of_the_tables() {
    let (mut engine, mut kernel, mut out) = (Engine::new(RULES), Tables::default(), vec![]);
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
    let (mut engine, mut kernel, mut out) = (Engine::new(RULES), Tables::default(), vec![]);
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
    let (mut engine, mut kernel, mut out) = (Engine::new(RULES), Tables::default(), vec![]);
    engine.closed(Flow { ended: 2 * SECOND, ..tcp(1, 5) }, 2 * SECOND, &kernel, &mut out);
    kernel.late.insert(1, late(1, 1, 3 * SECOND));
    let silent = Flow { traffic: Traffic::default(), ..tcp(3, 0) };
    engine.tick(u64::MAX, &mut kernel, &mut out);
    engine.shut_down(&mut [tcp(2, 0), silent], &mut kernel, &mut out);
    assert_eq!(out.len(), 2, "a flow without a packet is none");
    assert_eq!(out[0].flow.traffic.packets_in, 5);
    assert!(out.iter().all(|record| record.is_final));
    assert_eq!(out[1].flow.tcp.state, state::ESTABLISHED, "what the socket itself says");
}

#[test]
fn what_could_not_leave_its_table_is_told_once() {
    let (mut engine, mut kernel, mut out) = (Engine::new(RULES), Tables::default(), vec![]);
    let ended = Flow { ended: 2 * SECOND, ..tcp(1, 5) };
    kernel.open.insert(1, ended);
    engine.closed(ended, 2 * SECOND, &kernel, &mut out);
    engine.scan(&[ended], 2 * SECOND, &mut kernel, &mut out);
    assert_eq!(kernel.open.len(), 1, "it may be leaving right now");
    engine.scan(&[ended], 4 * SECOND, &mut kernel, &mut out);
    assert!(kernel.open.is_empty());
    engine.tick(u64::MAX, &mut kernel, &mut out);
    engine.shut_down(&mut [ended], &mut kernel, &mut out);
    assert_eq!(out.len(), 1);
}

#[test]
fn a_failed_connect_without_a_packet_is_reported() {
    let (mut engine, kernel, mut out) = (Engine::new(RULES), Tables::default(), vec![]);
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
        [(true, crate::Direction::Ingress), (false, crate::Direction::Egress)]
    {
        let mut kernel = Tables { listening, ..Tables::default() };
        let (mut engine, mut out) = (Engine::new(RULES), vec![]);
        let flow = Flow { began: Began::Existing as u8, ..tcp(1, 1) };
        engine.shut_down(&mut [flow], &mut kernel, &mut out);
        assert_eq!(out[0].direction, expected);
    }
}

fn grown(flow: Flow, packets: u64, last: u64) -> Flow {
    let mut flow = Flow { last, ..flow };
    flow.traffic.packets_out += packets;
    flow.traffic.bytes_out += 5_000_000_000 * packets;
    flow
}

#[test]
fn a_flow_that_goes_on_is_reported_with_all_its_counts() {
    let rules = Rules { report_period: 10 * SECOND, ..RULES };
    let (mut engine, mut kernel, mut out) = (Engine::new(rules), Tables::default(), vec![]);
    let flow = tcp(1, 0);
    for (now, packets, reports) in
        [(10, 1, 0), (11, 2, 1), (20, 3, 1), (21, 4, 2), (31, 4, 2), (45, 5, 3), (51, 6, 4)]
    {
        let flow = grown(flow, packets, (now - 1) * SECOND);
        engine.scan(&[flow], now * SECOND, &mut kernel, &mut out);
        assert_eq!(out.len(), reports, "at {now} s");
    }
    let mut ended = Flow { ended: 52 * SECOND, ..grown(flow, 7, 52 * SECOND) };
    ended.tcp.state = LAST_ACK;
    close(&mut engine, ended, &mut kernel, &mut out);
    assert_eq!(out.len(), 5);
    let sent: Vec<u64> = out.iter().map(|record| record.flow.traffic.bytes_out).collect();
    assert_eq!(sent, [2, 4, 5, 6, 7].map(|packets| 500 + 5_000_000_000 * packets), "cumulative");
    for (number, record) in out.iter().enumerate() {
        assert_eq!((record.flow.id, record.flow.first), (1, SECOND), "{number}");
        assert_eq!((record.is_first, record.is_final), (number == 0, number == 4), "{number}");
        assert!(record.complete);
    }
    assert_eq!(out[1].cause, Cause::Period);
}

#[test]
fn a_pause_ends_the_reports_of_a_flow_and_begins_those_of_the_next() {
    let rules = Rules { report_period: 10 * SECOND, ..RULES };
    let (mut engine, mut kernel, mut out) = (Engine::new(rules), Tables::default(), vec![]);
    let flow = tcp(1, 0);
    let mut scan = |flow: Flow, now: u64| {
        engine.scan(&[flow], now * SECOND, &mut kernel, &mut out);
        out.len()
    };
    assert_eq!(scan(flow, 11), 1);
    assert_eq!(scan(flow, 32), 2, "the pause");
    let resumed = Flow { resumed: 40 * SECOND, ..grown(flow, 1, 41 * SECOND) };
    assert_eq!(scan(resumed, 49), 2, "the period begins anew");
    assert_eq!(scan(resumed, 50), 3);
    // Another pause that no scan has seen does not move the beginning.
    let again = Flow { resumed: 75 * SECOND, ..grown(flow, 2, 76 * SECOND) };
    assert_eq!(scan(again, 76), 4);
    assert_eq!(scan(again, 137), 4, "it went when it was to be removed");
    let reported: Vec<_> = out
        .iter()
        .map(|r| (r.flow.traffic.packets_out, r.flow.first / SECOND, r.is_first, r.is_final))
        .collect();
    assert_eq!(
        reported,
        [(5, 1, true, false), (5, 1, false, true), (1, 40, true, false), (2, 40, false, false)]
    );
    assert_eq!(out[2].flow.id, out[3].flow.id);
    assert_ne!(out[1].flow.id, out[2].flow.id);
}

#[test]
fn a_report_that_is_not_final_is_followed_by_one_that_is() {
    let rules = Rules { report_period: 10 * SECOND, ..RULES };
    let (mut engine, mut kernel, mut out) = (Engine::new(rules), Tables::default(), vec![]);
    let flow = tcp(1, 0);
    engine.scan(&[flow], 11 * SECOND, &mut kernel, &mut out);
    // Nothing more came.
    let mut ended = Flow { ended: 12 * SECOND, ..flow };
    ended.tcp.state = LAST_ACK;
    close(&mut engine, ended, &mut kernel, &mut out);
    assert_eq!(out.len(), 2);
    assert_eq!(out[0].flow.traffic, out[1].flow.traffic);
    assert!(!out[0].is_final && out[1].is_final);
}

#[test]
fn counts_of_the_socket_are_split_at_a_pause_as_well() {
    let (mut engine, kernel, mut out) = (Engine::new(RULES), &mut Tables::default(), vec![]);
    let mut flow = udp(1, 1);
    flow.drops = 3;
    engine.scan(&[flow], 32 * SECOND, kernel, &mut out);
    let later =
        Flow { resumed: 40 * SECOND, ended: 41 * SECOND, drops: 10, ..grown(flow, 1, 41 * SECOND) };
    engine.closed(later, 41 * SECOND, kernel, &mut out);
    assert_eq!(out.iter().map(|record| record.flow.drops).collect::<Vec<_>>(), [3, 7]);
}
