//! Who began, where ports and order of packets would tell otherwise.

use anyhow::{Context, Result};

use super::{Rest, Scenario, before::blind, pair::Pair};
use crate::{
    capture::{Seen, Transport},
    endpoint::{Endpoint, Family},
    expect::{Direction, Side},
    fixture::{Fixture, same_conversation},
    worker::{Command, PATIENCE, Sock, Worker},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::shared("direction/low_port_connects", low_port_connects),
    Scenario::shared("direction/simultaneous_open", simultaneous_open),
    Scenario::shared("direction/udp_peers_both_ways", udp_peers_both_ways),
    Scenario::before("direction/listener_gone", listener_gone),
    Scenario::before("direction/udp_answer_first", udp_answer_first),
    Scenario::before("direction/udp_equal_ports", udp_equal_ports),
];

/// Below every ephemeral range.
const LOW: u16 = 777;

fn seen(endpoint: &Endpoint, side: &Side) -> Result<Seen> {
    let (transport, local, remote) = side.key();
    endpoint.capture.seen(transport, local, remote)
}

/// The client has the lower port.
fn low_port_connects(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let mut low = endpoint.any_port(Family::V4)?;
    low.set_port(LOW);
    let bound = client.bind(low)?;
    let listener = server.listen(endpoint.any_port(Family::V4)?)?;
    client.step(&Command::ConnectBound { fd: bound.fd, address: listener.local })?;
    let at_server = server.accept(listener)?;
    let at_client = Sock { peer: Some(listener.local), ..bound };
    let pair = Pair { server, client, at_server, at_client };
    pair.echo(300)?;
    pair.close_client_first()?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    fixture.expect_both(&client, &server, &endpoint)
}

/// Both ends connect at the same time, so that neither accepts.
fn simultaneous_open(fixture: &Fixture<'_>) -> Result<()> {
    let (here, there) = fixture.wire(false)?;
    let one = Worker::spawn(&here.netns, "one")?;
    let two = Worker::spawn(&there.netns, "two")?;
    let (at_one, at_two) =
        (one.bind(here.any_port(Family::V4)?)?, two.bind(there.any_port(Family::V4)?)?);
    let connect = |worker: &Worker, from: Sock, to: Sock| {
        worker.begin(&Command::ConnectBound { fd: from.fd, address: to.local })
    };
    let ends = (Transport::Tcp, at_one.local, at_two.local);
    // The first SYN is lost, so that each end has sent one before it gets the other's.
    let loss = there.lose()?;
    connect(&one, at_one, at_two)?;
    here.capture.wait(ends, PATIENCE, "the first SYN", |seen| seen.sent.syns > 0)?;
    connect(&two, at_two, at_one)?;
    here.capture.wait(ends, PATIENCE, "the other SYN", |seen| seen.received.syns > 0)?;
    loss.lift()?;
    one.finish()?;
    two.finish()?;

    let at_one = Sock { peer: Some(at_two.local), ..at_one };
    let at_two = Sock { peer: Some(at_one.local), ..at_two };
    one.send(at_one, 100)?;
    two.receive(at_two, 100)?;
    one.close(at_one)?;
    two.drain(at_two, 0)?;
    two.close(at_two)?;
    // A SYN that goes out again with an ACK is no retransmission to the kernel.
    let one = Side::connected(&one, at_one)?.ended("fin_local").any_retransmits();
    let two = Side::connected(&two, at_two)?.ended("fin_remote").any_retransmits();
    let one = fixture.expect(&one, &here.capture)?;
    let two = fixture.expect(&two, &there.capture)?;
    same_conversation(&one, &two)
}

/// A connection came in before the agent started, and its listener went while the agent ran.
fn listener_gone(fixture: &Fixture<'_>) -> Result<Rest> {
    let endpoint = fixture.loopback()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let listener = server.listen(endpoint.any_port(Family::V4)?)?;
    let at_client = client.connect(listener.local)?;
    let at_server = server.accept(listener)?;
    let pair = Pair { server, client, at_server, at_client };
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    let [client, server] = [client, server].map(|side| side.began("existing").complete(false));
    Ok(Box::new(move |fixture| {
        let session = fixture.shared()?;
        if let Some(reason) = blind(session) {
            session.ignore(fixture.name, &[&client, &server]);
            return Err(reason);
        }
        pair.server.close(listener)?;
        let before = [seen(&endpoint, &client)?, seen(&endpoint, &server)?];
        pair.echo(500)?;
        pair.close_client_first()?;
        session.expect_nth(fixture.name, &client, 0, || {
            Ok(seen(&endpoint, &client)?.since(before[0]))
        })?;
        session.expect_nth(fixture.name, &server, 0, || {
            Ok(seen(&endpoint, &server)?.since(before[1]))
        })?;
        Ok(())
    }))
}

/// One socket that speaks first to one peer and is spoken to by another.
fn udp_peers_both_ways(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (middle, asked) = fixture.couple(&endpoint)?;
    let asking = Worker::spawn(&endpoint.netns, "asking")?;
    let at_middle = middle.udp(endpoint.any_port(Family::V4)?)?;
    let at_asked = asked.udp(endpoint.any_port(Family::V4)?)?;
    let at_asking = asking.udp(endpoint.any_port(Family::V4)?)?;
    middle.send_to(at_middle, 100, at_asked.local)?;
    asked.receive(at_asked, 100)?;
    asking.send_to(at_asking, 200, at_middle.local)?;
    middle.receive(at_middle, 200)?;
    asked.send_to(at_asked, 10, at_middle.local)?;
    middle.receive(at_middle, 10)?;
    middle.send_to(at_middle, 20, at_asking.local)?;
    asking.receive(at_asking, 20)?;
    let sides = [
        Side::sender(&middle, at_middle.local, at_asked.local),
        Side::receiver(&asked, at_asked.local, at_middle.local),
        Side::receiver(&middle, at_middle.local, at_asking.local),
        Side::sender(&asking, at_asking.local, at_middle.local),
    ];
    middle.close(at_middle)?;
    asked.close(at_asked)?;
    asking.close(at_asking)?;
    for side in &sides {
        fixture.expect(side, &endpoint.capture)?;
    }
    Ok(())
}

/// The question came before the agent started: what it sees first is the answer.
fn udp_answer_first(fixture: &Fixture<'_>) -> Result<Rest> {
    answer_first(fixture, Some(LOW), [Direction::Ingress, Direction::Egress])
}

/// As before, with two ports that say nothing: the first packet seen decides, wrongly.
fn udp_equal_ports(fixture: &Fixture<'_>) -> Result<Rest> {
    answer_first(fixture, None, [Direction::Egress, Direction::Ingress])
}

/// A server answers, from this port or any, a question that the agent has not seen; the directions
/// are those of the server and of the client.
fn answer_first(
    fixture: &Fixture<'_>,
    port: Option<u16>,
    directions: [Direction; 2],
) -> Result<Rest> {
    let endpoint = fixture.loopback()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let mut address = endpoint.any_port(Family::V4)?;
    address.set_port(port.unwrap_or(0));
    let at_server = server.udp(address)?;
    let at_client = client.udp(endpoint.any_port(Family::V4)?)?;
    client.send_to(at_client, 50, at_server.local)?;
    server.receive(at_server, 50)?.context("a datagram from nobody")?;
    let one = Side::sender(&server, at_server.local, at_client.local).direction(directions[0]);
    let two = Side::receiver(&client, at_client.local, at_server.local).direction(directions[1]);

    Ok(Box::new(move |fixture| {
        let session = fixture.shared()?;
        if let Some(reason) = blind(session) {
            return Err(reason);
        }
        let before = [seen(&endpoint, &one)?, seen(&endpoint, &two)?];
        server.send_to(at_server, 500, at_client.local)?;
        client.receive(at_client, 500)?;
        client.close(at_client)?;
        server.close(at_server)?;
        session.expect_nth(
            fixture.name,
            &one,
            0,
            || Ok(seen(&endpoint, &one)?.since(before[0])),
        )?;
        session.expect_nth(
            fixture.name,
            &two,
            0,
            || Ok(seen(&endpoint, &two)?.since(before[1])),
        )?;
        Ok(())
    }))
}
