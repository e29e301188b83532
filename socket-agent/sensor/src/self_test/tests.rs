use std::os::fd::BorrowedFd;

use socket_common::{ForkEvent, Header, Late, Owner, PROTO_TCP, SocketEvent, SocketOwner};

use super::{traffic::Exchange, *};
use crate::{SocketConfig, source::Event};

const NETNS: u32 = 4711;

/// A sensor with records to hand over, and flows in its tables.
#[derive(Default)]
struct Fake {
    events: VecDeque<Event>,
    open: Vec<Flow>,
    evicted: usize,
    late: Option<Late>,
}

impl Records for VecDeque<Event> {
    fn descriptor(&self) -> BorrowedFd<'_> {
        unreachable!("nobody waits for it")
    }

    fn next_event(&mut self) -> Option<Event> {
        self.pop_front()
    }
}

/// What is wrong with what a sensor says.
fn look(test: &mut SelfTest, source: &mut Fake) -> Vec<String> {
    let mut events = std::mem::take(&mut source.events);
    test.look(source, &mut events, &traffic(), true).unwrap()
}

impl Source for Fake {
    fn reconfigure(&mut self, _: &SocketConfig) -> Result<(), SensorError> {
        Ok(())
    }

    fn detach(&mut self) {}

    fn take_spilled(&mut self, _: &mut dyn FnMut(Flow)) -> Result<bool, SensorError> {
        Ok(false)
    }

    fn open_flows(&mut self, each: &mut dyn FnMut(Flow)) -> Result<bool, SensorError> {
        self.open.iter().for_each(|flow| each(*flow));
        Ok(false)
    }

    fn sample(&mut self, _: &mut [Flow]) -> Result<(), SensorError> {
        Ok(())
    }

    fn evict(&mut self, flow: &Flow) -> Result<Option<Flow>, SensorError> {
        self.evicted += 1;
        self.open.retain(|open| open.id != flow.id);
        Ok(Some(*flow))
    }

    fn take_late(&mut self, flow: u64, _: &Tuple) -> Result<Option<Late>, SensorError> {
        Ok(self.late.take_if(|late| late.flow == flow))
    }

    fn owners(&mut self, _: &mut dyn FnMut(SocketOwner)) -> Result<(), SensorError> {
        Ok(())
    }

    fn counters(&self) -> Values {
        Values::default()
    }
}

fn traffic() -> Traffic {
    let [client, server] = ["127.0.0.1:40001", "127.0.0.1:40002"].map(|at| at.parse().unwrap());
    let exchanges = vec![Exchange { protocol: PROTO_TCP, client, server }];
    Traffic { exchanges, netns: NETNS, time: [100, 200], without_ipv6: None }
}

/// The two flows of the traffic, as they should be.
fn flows() -> [Flow; 2] {
    let [client, server] = traffic().exchanges[0].ends(NETNS);
    let own = Identity::current();
    let owner = Owner { pid: own.pid.unwrap_or(1), uid: own.uid.unwrap_or(0), ..Owner::default() };
    let counts = [
        Counts { packets_out: 5, bytes_out: 368, packets_in: 3, bytes_in: 214 },
        Counts { packets_out: 3, bytes_out: 214, packets_in: 5, bytes_in: 368 },
    ];
    let flow =
        |id, tuple, traffic| Flow { id, tuple, owner, traffic, first: 150, ..Flow::default() };
    [flow(1, client, counts[0]), flow(2, server, counts[1])]
}

fn test() -> SelfTest {
    SelfTest { own_netns: 1, ..SelfTest::default() }
}

fn fork(pid: u32) -> Event {
    Event::Fork(ForkEvent { pid, ..ForkEvent::default() })
}

#[test]
fn own_flows_are_found_and_what_others_do_is_kept_for_later() {
    let (mut test, [client, server]) = (test(), flows());
    let foreign = Flow { id: 9, tuple: Tuple { netns: 2, ..client.tuple }, ..client };
    let events = [
        fork(7),
        Event::Connected(client),
        Event::Closed(client),
        Event::Closed(foreign),
        Event::Closed(server),
        Event::Late(Late { flow: client.id, ..Late::default() }),
        Event::Late(Late { flow: foreign.id, ..Late::default() }),
    ];
    let mut source = Fake { events: events.into(), ..Fake::default() };
    assert_eq!(look(&mut test, &mut source), [""; 0]);
    let held: Vec<_> = test.held.iter().collect();
    assert!(matches!(
        held[..],
        [Event::Fork(_), Event::Closed(Flow { id: 9, .. }), Event::Late(Late { flow: 9, .. })]
    ));
    assert_eq!(source.evicted, 0);
}

#[test]
fn what_came_late_counts() {
    let [mut client, server] = flows();
    client.traffic.packets_out -= 1;
    client.traffic.bytes_out -= 52;
    let traffic_late = Counts { packets_out: 1, bytes_out: 52, ..Counts::default() };
    let late = Late { flow: client.id, traffic: traffic_late, last: 160 };
    let events = [Event::Closed(client), Event::Closed(server)];
    let mut source = Fake { events: events.clone().into(), late: Some(late), ..Fake::default() };
    assert_eq!(look(&mut test(), &mut source), [""; 0]);
    let mut source = Fake { events: events.into(), ..Fake::default() };
    let wrong = look(&mut test(), &mut source);
    assert!(wrong[0].contains("4 packets, 316 bytes were sent"), "{wrong:?}");
}

#[test]
fn a_set_that_sees_nothing_fails() {
    let wrong = look(&mut test(), &mut Fake::default());
    assert_eq!(wrong, ["no TCP connection over IPv4"]);
}

#[test]
fn flows_that_are_not_closed_are_taken_out_of_the_tables() {
    let [client, server] = flows();
    let mut source =
        Fake { events: [Event::Closed(client)].into(), open: vec![server], ..Fake::default() };
    assert_eq!(look(&mut test(), &mut source), [""; 0]);
    assert_eq!((source.open.len(), source.evicted), (0, 1));
}

#[test]
fn a_flow_of_a_later_time_or_of_another_namespace_is_not_of_the_test() {
    let (mut test, [client, _]) = (test(), flows());
    test.done.push(traffic());
    let closed = |flow: Flow| Event::Closed(flow);
    assert!(test.is_own(&closed(client)));
    assert!(!test.is_own(&closed(Flow { first: 200 + 2 * CLOCKS, ..client })));
    let elsewhere = Tuple { netns: NETNS + 1, ..client.tuple };
    assert!(!test.is_own(&closed(Flow { tuple: elsewhere, ..client })));
    // Where flows do not tell their namespace.
    for netns in [0, test.own_netns] {
        let tuple = Tuple { netns, ..client.tuple };
        assert!(test.is_own(&closed(Flow { tuple, ..client })));
    }
    let bound = |port| {
        let tuple = Tuple { remote: [0; 4], remote_port: 0, local_port: port, ..client.tuple };
        let socket = SocketOwner { tuple, since: 150, ..SocketOwner::default() };
        Event::Socket(SocketEvent { header: Header::default(), socket, sock: 1, closed: 0 })
    };
    assert!(test.is_own(&bound(40_001)));
    assert!(!test.is_own(&bound(40_003)));
}
