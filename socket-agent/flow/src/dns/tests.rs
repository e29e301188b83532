//! From packets, flows and processes to names.

use socket_common::{FAMILY_IPV4, FAMILY_IPV6, Owner, Tuple};

use super::{
    networks::NoNetworks,
    testing::{ANSWER, ASKED, QUERY, ip, message, record, some_bytes, tcp, udp},
    *,
};

const SECOND: u64 = 1_000_000_000;
const NETNS: u32 = 4_026_531_840;
const WEB: [u8; 4] = [192, 0, 2, 1];

fn directory() -> DnsCache {
    DnsCache::new(Limits { names: 1000, minimum_ttl: 300 * SECOND }, Box::new(NoNetworks))
}

fn see(directory: &mut DnsCache, netns: u32, time: u64, (ethertype, bytes): (u16, Vec<u8>)) {
    directory.packet(&Packet { netns, ethertype, time, ends: None, bytes: &bytes });
}

/// A name is asked for from a port, and answered with `WEB`.
fn ask(directory: &mut DnsCache, name: &str, port: u16, time: u64) {
    let query = message(port, QUERY, name, 1, &[]);
    let answer = message(port, ANSWER, name, 1, &[record(&ASKED, 1, 60, &WEB)]);
    let out = ip(["10.0.0.1", "10.0.0.53"], PROTO_UDP, (0, &[]), &udp(port, 53, &query));
    let back = ip(["10.0.0.53", "10.0.0.1"], PROTO_UDP, (0, &[]), &udp(53, port, &answer));
    see(directory, NETNS, time, out);
    see(directory, NETNS, time + 1, back);
}

/// Addresses may be translated between a socket and the wire: what is sent is seen after that.
#[test]
fn what_the_socket_sees_counts() {
    let mut directory = directory();
    let query = message(4000, QUERY, "a.example", 1, &[]);
    let answer = message(4000, ANSWER, "a.example", 1, &[record(&ASKED, 1, 60, &WEB)]);
    let out = ip(["10.0.0.1", "10.9.9.9"], PROTO_UDP, (0, &[]), &udp(61_000, 10_053, &query));
    let back = ip(["10.0.0.53", "10.0.0.1"], PROTO_UDP, (0, &[]), &udp(53, 4000, &answer));
    let own = SocketAddr::from(([10, 0, 0, 1], 4000));
    let server = SocketAddr::from(([10, 0, 0, 53], 53));
    for ((ethertype, bytes), ends) in [(out, [own, server]), (back, [server, own])] {
        let ends = Some(ends);
        directory.packet(&Packet { netns: NETNS, ethertype, time: SECOND, ends, bytes: &bytes });
    }
    directory.closed(&flow(7, 4000, [10, 0, 0, 53], 53, SECOND));
    let visit = flow(7, 5000, WEB, 443, 2 * SECOND);
    let domains = directory.domains(&visit, true);
    assert_eq!(domains.remote.map(|domain| domain.name.to_string()), Some("a.example".to_owned()));
    assert_eq!(directory.counters().unasked, 0);
}

fn flow(pid: u32, local_port: u16, remote: [u8; 4], remote_port: u16, first: u64) -> Flow {
    let mut tuple = Tuple {
        local_port,
        remote_port,
        netns: NETNS,
        family: FAMILY_IPV4,
        protocol: PROTO_UDP,
        ..Tuple::default()
    };
    tuple.local[0] = u32::from_ne_bytes([10, 0, 0, 1]);
    tuple.remote[0] = u32::from_ne_bytes(remote);
    let owner = Owner { pid, start: u64::from(pid), ..Owner::default() };
    let id = u64::from(local_port);
    Flow { id, tuple, owner, first, last: first + 10, ended: first + 10, ..Flow::default() }
}

fn remote(directory: &mut DnsCache, flow: &Flow) -> Option<(String, Source)> {
    let domains = directory.domains(flow, true);
    domains.remote.map(|domain| (domain.name.to_string(), domain.source))
}

fn is(name: &str, source: Source) -> Option<(String, Source)> {
    Some((name.to_owned(), source))
}

#[test]
fn the_process_that_asked_and_others() {
    let mut directory = directory();
    ask(&mut directory, "a.example", 4000, SECOND);
    let web = flow(7, 5000, WEB, 80, 2 * SECOND);
    assert!(directory.wants_look(&web));
    assert_eq!(remote(&mut directory, &web), None, "nobody is known to have asked");
    directory.closed(&flow(7, 4000, [10, 0, 0, 53], 53, SECOND));
    assert_eq!(remote(&mut directory, &web), is("a.example", Source::Asked));
    let other = flow(8, 5001, WEB, 80, 2 * SECOND);
    assert_eq!(remote(&mut directory, &other), is("a.example", Source::Host));
    directory.forked(&ForkEvent {
        pid: 9,
        start: 3 * SECOND,
        parent: 7,
        parent_start: 7,
        ..ForkEvent::default()
    });
    let mut child = flow(9, 5002, WEB, 80, 4 * SECOND);
    child.owner.start = 3 * SECOND;
    assert_eq!(remote(&mut directory, &child), is("a.example", Source::Inherited));
    assert_eq!(directory.counters(), DnsCounters { answers: 1, ..DnsCounters::default() });
}

/// The client asks a resolver on this host, which asks another server.
#[test]
fn a_local_resolver_does_not_take_the_name_away() {
    let mut directory = directory();
    let lo = |from: &str, to: &str, payload: &[u8]| ip([from, to], PROTO_UDP, (0, &[]), payload);
    let query = message(1, QUERY, "a.example", 1, &[]);
    let answer = message(1, ANSWER, "a.example", 1, &[record(&ASKED, 1, 60, &WEB)]);
    see(&mut directory, NETNS, SECOND, lo("127.0.0.1", "127.0.0.53", &udp(4001, 53, &query)));
    ask(&mut directory, "a.example", 4000, SECOND + 10);
    see(&mut directory, NETNS, SECOND + 20, lo("127.0.0.53", "127.0.0.1", &udp(53, 4001, &answer)));
    directory.closed(&flow(6, 4000, [10, 0, 0, 53], 53, SECOND));
    let mut asked = flow(7, 4001, [127, 0, 0, 53], 53, SECOND);
    asked.tuple.local[0] = u32::from_ne_bytes([127, 0, 0, 1]);
    directory.closed(&asked);
    for pid in [6, 7] {
        let web = flow(pid, 5000, WEB, 80, 2 * SECOND);
        assert_eq!(remote(&mut directory, &web), is("a.example", Source::Asked), "{pid}");
    }
}

#[test]
fn an_answer_that_nobody_asked_for_names_nothing() {
    let mut directory = directory();
    directory.server_flow(&flow(7, 4000, [10, 0, 0, 53], 53, SECOND), 9 * SECOND);
    let forged = message(99, ANSWER, "bank.example", 1, &[record(&ASKED, 1, 60, &WEB)]);
    let packet = ip(["10.0.0.53", "10.0.0.1"], PROTO_UDP, (0, &[]), &udp(53, 4000, &forged));
    see(&mut directory, NETNS, SECOND, packet);
    assert_eq!(remote(&mut directory, &flow(7, 5000, WEB, 80, 2 * SECOND)), None);
    assert_eq!(directory.counters().unasked, 1);
}

#[test]
fn over_tcp() {
    let mut directory = directory();
    let answer = message(1, ANSWER, "a.example", 1, &[record(&ASKED, 1, 60, &WEB)]);
    let mut stream = (answer.len() as u16).to_be_bytes().to_vec();
    stream.extend(answer);
    let (one, two) = stream.split_at(20);
    for (sequence, flags, payload) in [(99, 0x12, &[][..]), (100, 0x10, one), (120, 0x18, two)] {
        let segment = tcp(53, 4000, sequence, flags, payload);
        let packet = ip(["10.0.0.53", "10.0.0.1"], PROTO_TCP, (0, &[]), &segment);
        see(&mut directory, NETNS, SECOND, packet);
    }
    let mut asked = flow(7, 4000, [10, 0, 0, 53], 53, SECOND);
    asked.tuple.protocol = PROTO_TCP;
    directory.closed(&asked);
    let web = flow(7, 5000, WEB, 80, 2 * SECOND);
    assert_eq!(remote(&mut directory, &web), is("a.example", Source::Asked));
}

#[test]
fn a_long_flow_keeps_its_name_after_it_has_expired() {
    let mut directory = directory();
    ask(&mut directory, "a.example", 4000, SECOND);
    directory.closed(&flow(7, 4000, [10, 0, 0, 53], 53, SECOND));
    let web = Flow { ended: 0, ..flow(7, 5000, WEB, 80, 2 * SECOND) };
    for minute in 0..120 {
        let now = (5 + 60 * minute) * SECOND;
        directory.open_flows(&[web], now);
        directory.end_open_flows(now);
        directory.expire(now);
    }
    assert_eq!(directory.held()[0], 0, "the name itself is forgotten");
    assert_eq!(remote(&mut directory, &web), is("a.example", Source::Asked));
    assert_eq!(remote(&mut directory, &web), None, "and it with the flow");
}

#[test]
fn a_flood_of_names_stays_within_bounds() {
    let mut directory = directory();
    for number in 0..50_000_u32 {
        let port = 1024 + (number % 60_000) as u16;
        let time = SECOND + u64::from(number) * 1000;
        let name = format!("n{number}.example");
        let address = (0x0a00_0000 + number).to_be_bytes();
        let query = message(port, QUERY, &name, 1, &[]);
        let answer = message(port, ANSWER, &name, 1, &[record(&ASKED, 1, 60, &address)]);
        let ends = ["10.0.0.1", "10.0.0.53"];
        see(&mut directory, NETNS, time, ip(ends, PROTO_UDP, (0, &[]), &udp(port, 53, &query)));
        let ends = ["10.0.0.53", "10.0.0.1"];
        see(&mut directory, NETNS, time, ip(ends, PROTO_UDP, (0, &[]), &udp(53, port, &answer)));
        directory.closed(&flow(7, port, [10, 0, 0, 53], 53, time));
    }
    let counters = directory.counters();
    assert_eq!((counters.answers, counters.names_evicted), (50_000, 49_000));
    assert_eq!(counters.questions_evicted, 0);
    directory.expire(3600 * SECOND);
    assert_eq!(directory.held(), [0; 4]);
}

#[test]
fn random_packets_do_no_harm() {
    let mut random = fastrand::Rng::with_seed(0x1234_5678_9abc_def1);
    let mut directory = directory();
    for round in 0..100_000 {
        let port = 4000 + (random.usize(..4) as u16);
        let mut bytes = message(port, ANSWER, "a.example", 1, &[record(&ASKED, 1, 60, &WEB)]);
        let at = random.usize(..bytes.len());
        bytes[at] ^= random.u8(..);
        let tcp_flags = [0x12, 0x10, 0x18, 0x11][random.usize(..4)];
        let payload = match random.usize(..3) {
            0 => tcp(53, port, random.usize(..5000) as u32, tcp_flags, &bytes),
            1 => udp(53, port, &bytes),
            _ => udp(port, 53, &message(port, QUERY, "a.example", 1, &[])),
        };
        let protocol = if round % 3 == 0 { PROTO_TCP } else { PROTO_UDP };
        let v6 = ["fd00::1", "fd00::53"];
        let ends = if random.usize(..2) == 0 { ["10.0.0.53", "10.0.0.1"] } else { v6 };
        let between = some_bytes(&mut random, 8 * (round % 4));
        let (kind, mut packet) = ip(ends, protocol, (60, &between), &payload);
        packet.truncate(random.usize(..packet.len() + 20));
        see(&mut directory, random.usize(..3) as u32, round as u64 * 1000, (kind, packet));
        if random.usize(..50) == 0 {
            let mut any = flow(7, port, WEB, 53, round as u64 * 1000);
            any.tuple.family = [FAMILY_IPV4, FAMILY_IPV6][random.usize(..2)];
            directory.closed(&any);
        }
    }
    assert!(directory.counters().malformed > 0);
    let [names, questions, streams, _] = directory.held();
    assert!(names <= 1000 && questions <= 16_384 && streams <= 256);
}
