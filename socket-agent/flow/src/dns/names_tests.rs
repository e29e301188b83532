use std::net::SocketAddr;

use socket_common::PROTO_UDP;

use super::*;
use crate::dns::{claims::Client, networks::NoNetworks};

const SECOND: u64 = 1_000_000_000;
const LIMITS: Limits = Limits { names: 100, minimum_ttl: 300 * SECOND };
const CURL: Asker = Asker { pid: 10, start: 1 };
const WGET: Asker = Asker { pid: 11, start: 2 };
const SHELL: Asker = Asker { pid: 9, start: 0 };
const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn add(names: &mut Names, name: &str, asker: Option<Asker>, time: u64, ttl: u32) {
    add_at(names, name, asker, time, ttl, ADDRESS);
}

fn add_at(names: &mut Names, name: &str, asker: Option<Asker>, time: u64, ttl: u32, to: IpAddr) {
    let client = Client { protocol: PROTO_UDP, address: SocketAddr::from(([10, 0, 0, 1], 4000)) };
    let addresses = vec![(to, ttl)];
    let answer = Answer { name: name.into(), addresses, client, netns: 1, time: time * SECOND };
    names.insert(&answer, Claim { netns: 1, asker });
}

fn find(names: &Names, line: &[(Asker, u64)], time: u64) -> Option<(String, Source)> {
    find_in(names, 1, ADDRESS, line, time)
}

fn find_in(
    names: &Names,
    netns: u32,
    address: IpAddr,
    line: &[(Asker, u64)],
    time: u64,
) -> Option<(String, Source)> {
    let wanted = Wanted { address, netns, line, time: time * SECOND };
    names.find(&wanted, &mut NoNetworks).map(|domain| (domain.name.to_string(), domain.source))
}

fn is(name: &str, source: Source) -> Option<(String, Source)> {
    Some((name.to_owned(), source))
}

#[test]
fn each_process_has_its_own_name_for_an_address() {
    let mut names = Names::new(LIMITS);
    add(&mut names, "a.example", Some(CURL), 1, 60);
    add(&mut names, "b.example", Some(WGET), 2, 60);
    assert_eq!(find(&names, &[(CURL, u64::MAX)], 5), is("a.example", Source::Asked));
    assert_eq!(find(&names, &[(WGET, u64::MAX)], 5), is("b.example", Source::Asked));
    // Others get what was asked last before their flow.
    assert_eq!(find(&names, &[(SHELL, u64::MAX)], 5), is("b.example", Source::Host));
    assert_eq!(find(&names, &[], 1), is("a.example", Source::Host));
    assert_eq!(find(&names, &[], 0), None, "nobody knew it then");
}

#[test]
fn children_know_what_was_asked_before_the_fork() {
    let mut names = Names::new(LIMITS);
    add(&mut names, "a.example", Some(SHELL), 1, 60);
    add(&mut names, "b.example", Some(WGET), 2, 60);
    let line = |forked: u64| [(CURL, u64::MAX), (SHELL, forked * SECOND)];
    assert_eq!(find(&names, &line(3), 5), is("a.example", Source::Inherited));
    assert_eq!(find(&names, &line(0), 5), is("b.example", Source::Host));
    add(&mut names, "c.example", Some(CURL), 4, 60);
    assert_eq!(find(&names, &line(3), 5), is("c.example", Source::Asked));
}

#[test]
fn the_last_name_before_the_flow_began() {
    let mut names = Names::new(LIMITS);
    let curl = [(CURL, u64::MAX)];
    add(&mut names, "a.example", Some(CURL), 1, 60);
    add(&mut names, "b.example", Some(CURL), 3, 60);
    add(&mut names, "a.example", Some(CURL), 5, 60);
    assert_eq!(names.len(), 2, "a name that is asked for again is one");
    assert_eq!(find(&names, &curl, 2), is("a.example", Source::Asked));
    assert_eq!(find(&names, &curl, 4), is("b.example", Source::Asked));
    assert_eq!(find(&names, &curl, 6), is("a.example", Source::Asked));
    // Its own, though later, is better than none.
    assert_eq!(find(&names, &curl, 0), is("a.example", Source::Asked));
}

#[test]
fn an_address_that_is_everybody_s_has_a_name_for_who_asked_alone() {
    let mut names = Names::new(LIMITS);
    let everybody_s = [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "169.254.1.1",
        "224.0.0.251",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "ff02::fb",
    ];
    for address in everybody_s.map(|text| text.parse::<IpAddr>().unwrap()) {
        add_at(&mut names, "l.example", Some(CURL), 1, 60, address);
        for netns in [1, 2] {
            assert_eq!(find_in(&names, netns, address, &[], 5), None, "{address}");
            let other = [(WGET, u64::MAX)];
            assert_eq!(find_in(&names, netns, address, &other, 5), None, "{address}");
        }
        let own = find_in(&names, 1, address, &[(CURL, u64::MAX)], 5);
        assert_eq!(own, is("l.example", Source::Asked), "{address}");
        let child = [(WGET, u64::MAX), (CURL, 3 * SECOND)];
        assert_eq!(find_in(&names, 1, address, &child, 5), is("l.example", Source::Inherited));
    }
    for address in ["192.0.2.1", "10.0.0.1", "2001:db8::1", "fd00::1"] {
        let address = address.parse().unwrap();
        add_at(&mut names, "a.example", Some(CURL), 1, 60, address);
        assert_eq!(find_in(&names, 1, address, &[], 5), is("a.example", Source::Host), "{address}");
    }
}

#[test]
fn names_of_other_namespaces_come_last() {
    let mut names = Names::new(LIMITS);
    add(&mut names, "a.example", Some(CURL), 1, 60);
    assert_eq!(find_in(&names, 2, ADDRESS, &[], 5), is("a.example", Source::Host));
    let private = IpAddr::from([10, 0, 0, 1]);
    add_at(&mut names, "a.example", Some(CURL), 1, 60, private);
    assert_eq!(find_in(&names, 1, private, &[], 5), is("a.example", Source::Host));
    assert_eq!(find_in(&names, 2, private, &[], 5), None, "it may be another there");
    let child = [(WGET, u64::MAX), (CURL, 3 * SECOND)];
    assert_eq!(find_in(&names, 2, private, &child, 5), None);
    let own = find_in(&names, 2, private, &[(CURL, u64::MAX)], 5);
    assert_eq!(own, is("a.example", Source::Asked));
}

#[test]
fn names_hold_for_their_time_to_live_but_at_least_the_minimum() {
    let mut names = Names::new(LIMITS);
    add(&mut names, "short.example", Some(CURL), 0, 1);
    add_at(&mut names, "long.example", Some(CURL), 0, 600, [192, 0, 2, 2].into());
    add_at(&mut names, "ever.example", Some(CURL), 0, u32::MAX, [192, 0, 2, 3].into());
    names.expire(299 * SECOND);
    assert_eq!(names.len(), 3);
    names.expire(300 * SECOND);
    assert_eq!(names.len(), 2);
    names.expire(600 * SECOND);
    assert_eq!(names.len(), 1);
    names.expire(LONGEST);
    assert_eq!((names.len(), names.evicted), (0, 0));
}

#[test]
fn memory_is_bounded_and_what_it_costs_counted() {
    let mut names = Names::new(LIMITS);
    for number in 0..150_u8 {
        add_at(&mut names, "a.example", Some(CURL), 1, 60, [10, 0, 0, number].into());
    }
    assert_eq!((names.len(), names.evicted), (100, 50));
    let mut names = Names::new(LIMITS);
    for pid in 0..80 {
        add(&mut names, "a.example", Some(Asker { pid, start: 0 }), 1, 60);
    }
    assert_eq!((names.len(), names.evicted), (PER_ADDRESS, 0), "the name is still known");
    for number in 0..PER_ADDRESS {
        add(&mut names, &format!("{number}.example"), Some(CURL), 1, 60);
    }
    assert_eq!((names.len(), names.evicted), (PER_ADDRESS, 1));
}
