//! Name servers that are reached through a translation, as those of containers are.

use anyhow::{Result, ensure};

use super::{
    asking::{ip, name_of},
    message::{self, A},
    site::{PORT, check, wait_until_seen},
};
use crate::{
    capture::Transport, endpoint::Family, expect::Side, fixture::Fixture,
    scenarios::translated::Translated,
};

/// A container asks an address of its loopback, which a rule leads to another port; over a socket that is
/// `connected`, as glibc does, or just bound, as musl does. Its question and the answer are one flow, and
/// the name is its own.
pub(super) fn resolver(fixture: &Fixture<'_>, connected: bool) -> Result<()> {
    let session = fixture.shared()?;
    if !super::site::sees_sockets(session) {
        return Err(crate::skip::skip("at interfaces the port of the server is another one"));
    }
    let endpoint = fixture.loopback()?;
    let (server, client) = fixture.couple(&endpoint)?;
    wait_until_seen(session, client.pid())?;
    let at_server = server.udp(endpoint.any_port(Family::V4)?)?;
    let translated = Translated::new(fixture, &endpoint, Transport::Udp, PORT, at_server.local)?;
    let at_client = client.udp(endpoint.any_port(Family::V4)?)?;
    let name = name_of(fixture, "service");
    let records = [message::address(&name, ip(&endpoint, Family::V4)?)];
    let (query, answer) = (message::query(7, &name, A), message::answer(7, &name, A, &records));
    if connected {
        client.udp_connect(at_client, translated.asked)?;
    }
    client.send_bytes(at_client, &query, (!connected).then_some(translated.asked))?;
    server.receive(at_server, query.len() as u64)?;
    server.send_bytes(at_server, &answer, Some(at_client.local))?;
    client.receive(at_client, answer.len() as u64)?;
    client.close(at_client)?;
    server.close(at_server)?;
    let own = at_client.local;
    let one = Side::sender(&client, own, translated.asked);
    let two = Side::receiver(&server, at_server.local, own);
    let seen = translated.at_client(own, own)?;
    ensure!((seen.sent.packets, seen.received.packets) == (1, 1), "not as meant: {seen:?}");
    session.expect_nth(fixture.name, &one, 0, || Ok(seen))?;
    session.expect_nth(fixture.name, &two, 0, || translated.at_server(own, own))?;

    let listener = server.listen(endpoint.any_port(Family::V4)?)?;
    let at_client = client.connect(listener.local)?;
    let at_listener = server.accept(listener)?;
    client.close(at_client)?;
    server.drain(at_listener, 0)?;
    server.close(at_listener)?;
    let doc = fixture.expect(&Side::connected(&client, at_client)?, &endpoint.capture)?;
    fixture.expect(&Side::accepted(&server, at_listener)?, &endpoint.capture)?;
    check(&doc, "destination", &name, "asked")
}
