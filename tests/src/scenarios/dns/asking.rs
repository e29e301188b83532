//! Who asked for what.

use std::net::IpAddr;

use anyhow::{Result, ensure};

use super::{
    message::{self, A, AAAA, HTTPS},
    site::{Site, check},
};
use crate::{
    endpoint::{Endpoint, Family},
    expect::Side,
    fixture::Fixture,
};

/// The scenario's own name, so that none of another can be taken for it.
pub(super) fn name_of(fixture: &Fixture<'_>, host: &str) -> String {
    format!("{host}.s{}.test", fixture.number)
}

pub(super) fn ip(endpoint: &Endpoint, family: Family) -> Result<IpAddr> {
    Ok(endpoint.any_port(family)?.ip())
}

/// A name, then a connection. The other end did not ask, and loopback is everybody's.
pub(super) fn a_then_tcp(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let site = Site::open(fixture, fixture.shared()?, &endpoint, Family::V4)?;
    let client = site.client()?;
    let name = name_of(fixture, "Web");
    let records = [message::address(&name, ip(&endpoint, Family::V4)?)];
    site.ask_and_close(&client, &name, A, &records)?;
    let (one, two) = site.visit(&client)?;
    let name = name.to_ascii_lowercase();
    check(&one, "destination", &name, "asked")?;
    check(&two, "own", "", "")?;
    site.end()
}

/// A name that leads to loopback is that of who asked for it, not of all that talk there.
pub(super) fn loopback_is_everybodys(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let site = Site::open(fixture, fixture.shared()?, &endpoint, Family::V4)?;
    let (client, other) = (site.client()?, site.client()?);
    let name = name_of(fixture, "self");
    let records = [message::address(&name, ip(&endpoint, Family::V4)?)];
    site.ask_and_close(&client, &name, A, &records)?;
    check(&site.visit(&client)?.0, "destination", &name, "asked")?;
    let (from_other, at_server) = site.visit(&other)?;
    for (doc, end) in [(&from_other, "destination"), (&from_other, "source"), (&at_server, "own")] {
        check(doc, end, "", "")?;
        ensure!(doc.field("related.hosts").is_none(), "{}", doc.json());
    }
    check(&site.visit(&client.fork()?)?.0, "destination", &name, "inherited")?;
    site.end()
}

pub(super) fn aaaa_then_one_way_udp(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let site = Site::open(fixture, fixture.shared()?, &endpoint, Family::V6)?;
    let client = site.client()?;
    let name = name_of(fixture, "six");
    let records = [message::address(&name, ip(&endpoint, Family::V6)?)];
    site.ask_and_close(&client, &name, AAAA, &records)?;
    let to = site.server.udp(endpoint.any_port(Family::V6)?)?;
    let from = client.udp(endpoint.any_port(Family::V6)?)?;
    client.send_to(from, 500, to.local)?;
    site.server.receive(to, 500)?;
    client.close(from)?;
    site.server.close(to)?;
    let one = fixture.expect(&Side::sender(&client, from.local, to.local), &endpoint.capture)?;
    fixture.expect(&Side::receiver(&site.server, to.local, from.local), &endpoint.capture)?;
    check(&one, "destination", &name, "asked")?;
    ensure!(one.number("destination.packets") == Some(0), "{:?}", one.json());
    site.end()
}

/// The name that was asked for, not those that it stands for.
pub(super) fn chain_of_aliases(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let site = Site::open(fixture, fixture.shared()?, &endpoint, Family::V4)?;
    let client = site.client()?;
    let [name, cdn, pool] = ["www", "cdn", "pool"].map(|host| name_of(fixture, host));
    let records = [
        message::alias(&name, &cdn),
        message::alias(&cdn, &pool),
        message::address(&pool, ip(&endpoint, Family::V4)?),
    ];
    site.ask_and_close(&client, &name, A, &records)?;
    check(&site.visit(&client)?.0, "destination", &name, "asked")?;
    site.end()
}

pub(super) fn several_answers(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let site = Site::open(fixture, fixture.shared()?, &endpoint, Family::V4)?;
    let client = site.client()?;
    let name = name_of(fixture, "many");
    let mut records: Vec<_> =
        (1..20).map(|last| message::address(&name, [192, 0, 2, last].into())).collect();
    records.push(message::address(&name, ip(&endpoint, Family::V4)?));
    site.ask_and_close(&client, &name, A, &records)?;
    check(&site.visit(&client)?.0, "destination", &name, "asked")?;
    site.end()
}

/// The last of as many addresses as a datagram of 4,096 bytes holds.
pub(super) fn whole_answer(fixture: &Fixture<'_>) -> Result<()> {
    let session = fixture.shared()?;
    if !super::site::sees_sockets(session) {
        return Err(crate::skip::skip("rings of packet sockets keep less of each packet"));
    }
    let endpoint = fixture.loopback()?;
    let site = Site::open(fixture, session, &endpoint, Family::V4)?;
    let client = site.client()?;
    let name = name_of(fixture, "whole");
    // Name, type, class, time to live, length, address.
    let one = name.len() + 2 + 2 + 2 + 4 + 2 + 4;
    let question = 12 + name.len() + 2 + 4;
    let count = (4096 - question) / one;
    let mut records: Vec<_> = (1..count)
        .map(|number| message::address(&name, [198, 18, 0, number as u8].into()))
        .collect();
    records.push(message::address(&name, ip(&endpoint, Family::V4)?));
    let length = message::answer(7, &name, A, &records).len();
    ensure!((4096 - one..=4096).contains(&length), "the answer has {length} bytes");
    site.ask_and_close(&client, &name, A, &records)?;
    check(&site.visit(&client)?.0, "destination", &name, "asked")?;
    site.end()
}

pub(super) fn https_hints(fixture: &Fixture<'_>) -> Result<()> {
    for family in [Family::V4, Family::V6] {
        let endpoint = fixture.loopback()?;
        let site = Site::open(fixture, fixture.shared()?, &endpoint, family)?;
        let client = site.client()?;
        let name = name_of(fixture, "service");
        let records = [message::service(&name, ip(&endpoint, family)?)];
        site.ask_and_close(&client, &name, HTTPS, &records)?;
        check(&site.visit(&client)?.0, "destination", &name, "asked")?;
        site.end()?;
    }
    Ok(())
}

/// The flow of the question is not reported when that of the connection is.
pub(super) fn socket_stays_open(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let site = Site::open(fixture, fixture.shared()?, &endpoint, Family::V4)?;
    let client = site.client()?;
    let name = name_of(fixture, "open");
    let records = [message::address(&name, ip(&endpoint, Family::V4)?)];
    let sock = site.ask(&client, &name, A, &records)?;
    check(&site.visit(&client)?.0, "destination", &name, "asked")?;
    site.close(&client, sock)?;
    site.end()
}

pub(super) fn each_process_its_own_name(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let site = Site::open(fixture, fixture.shared()?, &endpoint, Family::V4)?;
    let clients = [site.client()?, site.client()?, site.client()?];
    let names = ["one", "two", "three"].map(|host| name_of(fixture, host));
    for (client, name) in clients.iter().zip(&names) {
        let records = [message::address(name, ip(&endpoint, Family::V4)?)];
        site.ask_and_close(client, name, A, &records)?;
    }
    for (client, name) in clients.iter().zip(&names) {
        check(&site.visit(client)?.0, "destination", name, "asked")?;
    }
    site.end()
}

/// A process that never asked gets the name that another of its host asked for last.
pub(super) fn names_of_others(fixture: &Fixture<'_>) -> Result<()> {
    // Addresses of loopback are everybody's; this one is of one host.
    let endpoint = fixture.loopback()?;
    let site = Site::open(fixture, fixture.shared()?, &endpoint, Family::V6)?;
    let address = ip(&endpoint, Family::V6)?;
    let clients = [site.client()?, site.client()?];
    let names = ["one", "two"].map(|host| name_of(fixture, host));
    for (client, name) in clients.iter().zip(&names) {
        site.ask_and_close(client, name, AAAA, &[message::address(name, address)])?;
    }
    let other = site.client()?;
    let (one, two) = site.visit(&other)?;
    check(&one, "destination", &names[1], "host")?;
    check(&two, "own", &names[1], "host")?;
    site.end()
}

pub(super) fn children_inherit(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let site = Site::open(fixture, fixture.shared()?, &endpoint, Family::V4)?;
    let (parent, other) = (site.client()?, site.client()?);
    let [before, elsewhere, after] =
        ["before", "elsewhere", "after"].map(|host| name_of(fixture, host));
    let address = ip(&endpoint, Family::V4)?;
    site.ask_and_close(&parent, &before, A, &[message::address(&before, address)])?;
    let child = parent.fork()?;
    let grandchild = child.fork()?;
    site.ask_and_close(&other, &elsewhere, A, &[message::address(&elsewhere, address)])?;
    site.ask_and_close(&parent, &after, A, &[message::address(&after, address)])?;
    check(&site.visit(&child)?.0, "destination", &before, "inherited")?;
    check(&site.visit(&grandchild)?.0, "destination", &before, "inherited")?;
    check(&site.visit(&parent)?.0, "destination", &after, "asked")?;
    check(&site.visit(&other)?.0, "destination", &elsewhere, "asked")?;
    site.end()
}

/// The flow begins before its answer is there.
pub(super) fn answered_while_connected(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let site = Site::open(fixture, fixture.shared()?, &endpoint, Family::V4)?;
    let client = site.client()?;
    let name = name_of(fixture, "late");
    let listener = site.server.listen(endpoint.any_port(Family::V4)?)?;
    let at_client = client.connect(listener.local)?;
    let at_server = site.server.accept(listener)?;
    let records = [message::address(&name, ip(&endpoint, Family::V4)?)];
    site.ask_and_close(&client, &name, A, &records)?;
    client.close(at_client)?;
    site.server.drain(at_server, 0)?;
    site.server.close(at_server)?;
    let one = fixture.expect(&Side::connected(&client, at_client)?, &endpoint.capture)?;
    fixture.expect(&Side::accepted(&site.server, at_server)?, &endpoint.capture)?;
    check(&one, "destination", &name, "asked")?;
    site.end()
}

/// A name from another namespace serves only where there is no nearer one.
pub(super) fn other_namespace(fixture: &Fixture<'_>) -> Result<()> {
    let (here, there) = fixture.wire(true)?;
    let site = Site::open(fixture, fixture.shared()?, &there, Family::V4)?;
    let client = crate::worker::Worker::spawn(&here.netns, "client")?;
    super::site::wait_until_seen(fixture.shared()?, client.pid())?;
    let name = name_of(fixture, "apart");
    let sock = client.udp(here.any_port(Family::V4)?)?;
    let records = [message::address(&name, ip(&there, Family::V4)?)];
    let (query, answer) = (message::query(9, &name, A), message::answer(9, &name, A, &records));
    site.exchange(&client, sock, &query, &[&answer])?;
    client.close(sock)?;
    let (near, far) = (sock.local, site.at_server.local);
    fixture.expect(&Side::sender(&client, near, far), &here.capture)?;
    let listener = site.server.listen(there.any_port(Family::V4)?)?;
    let at_client = client.connect(listener.local)?;
    let at_server = site.server.accept(listener)?;
    client.close(at_client)?;
    site.server.drain(at_server, 0)?;
    site.server.close(at_server)?;
    let one = fixture.expect(&Side::connected(&client, at_client)?, &here.capture)?;
    let two = fixture.expect(&Side::accepted(&site.server, at_server)?, &there.capture)?;
    check(&one, "destination", &name, "asked")?;
    check(&two, "own", &name, "host")?;
    site.server.close(site.at_server)?;
    fixture.expect(&Side::receiver(&site.server, far, near), &there.capture).map(drop)
}

/// Nobody has to have looked at a network namespace before a question is asked there.
pub(super) fn first_question(fixture: &Fixture<'_>) -> Result<()> {
    let session = fixture.shared()?;
    if !super::site::sees_sockets(session) {
        return Err(crate::skip::skip("packet sockets are opened once a process was seen there"));
    }
    let endpoint = fixture.loopback()?;
    let site = Site::unseen(fixture, session, &endpoint, Family::V4)?;
    let client = site.client()?;
    let name = name_of(fixture, "first");
    let records = [message::address(&name, ip(&endpoint, Family::V4)?)];
    site.ask_and_close(&client, &name, A, &records)?;
    check(&site.visit(&client)?.0, "destination", &name, "asked")?;
    site.end()
}
