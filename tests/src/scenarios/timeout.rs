//! Flows that are reported though their sockets stay open.

use anyhow::{Result, ensure};

use super::{
    Scenario, Watcher,
    pair::{Pair, UdpPair, seen},
};
use crate::{
    endpoint::{Endpoint, Family},
    expect::{Direction, Session, Side},
    fixture::Fixture,
    worker::PATIENCE,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::watched("timeout/idle_tcp", Watcher::Idle, idle_tcp),
    Scenario::watched("timeout/idle_udp", Watcher::Idle, idle_udp),
    Scenario::watched("timeout/forgotten_tcp", Watcher::Forgetful, forgotten_tcp),
    Scenario::watched("timeout/forgotten_udp", Watcher::Forgetful, forgotten_udp),
    Scenario::watched("timeout/sigterm", Watcher::AtEnd, sigterm),
];

/// A flow that was idle is reported; when traffic resumes, it is a new record that counts from zero.
fn idle_tcp(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let session = fixture.shared()?;
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    pair.echo(300)?;
    idle_then_ends(fixture, session, &endpoint, &pair)
}

/// The flow of each end is reported as idle; what crosses the connection afterwards, and its end, is in a second
/// document that counts from zero.
pub(super) fn idle_then_ends(
    fixture: &Fixture<'_>,
    session: &Session,
    endpoint: &Endpoint,
    pair: &Pair,
) -> Result<()> {
    let (client, server) = pair.sides("idle", "idle")?;
    session.expect(fixture.name, &client, &endpoint.capture)?;
    session.expect(fixture.name, &server, &endpoint.capture)?;
    let then = [seen(endpoint, &client)?, seen(endpoint, &server)?];

    pair.echo(4000)?;
    pair.close_client_first()?;
    let [client, server] =
        [client.ended("fin_local"), server.ended("fin_remote")].map(|side| side.complete(false));
    session.expect_nth(fixture.name, &client, 1, || Ok(seen(endpoint, &client)?.since(then[0])))?;
    session.expect_nth(fixture.name, &server, 1, || Ok(seen(endpoint, &server)?.since(then[1])))?;
    Ok(())
}

fn idle_udp(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let session = fixture.shared()?;
    let pair = UdpPair::meet(fixture, &endpoint, Family::V4)?;
    pair.ask(10)?;
    let (one, two) = pair.sides();
    let [one, two] = [one, two].map(|side| side.ended("idle"));
    session.expect(fixture.name, &one, &endpoint.capture)?;
    session.expect(fixture.name, &two, &endpoint.capture)?;
    let then = [seen(&endpoint, &one)?, seen(&endpoint, &two)?];

    pair.ask(20)?;
    pair.ask(30)?;
    pair.close()?;
    let [one, two] = [one, two].map(|side| side.ended("closed"));
    session.expect_nth(fixture.name, &one, 1, || Ok(seen(&endpoint, &one)?.since(then[0])))?;
    session.expect_nth(fixture.name, &two, 1, || Ok(seen(&endpoint, &two)?.since(then[1])))?;
    Ok(())
}

/// A connection that is forgotten is two flows; of the second nobody knows who began, except that a
/// port that is listened on is a server's.
fn forgotten_tcp(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let session = fixture.shared()?;
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    pair.echo(300)?;
    let (client, server) = pair.sides("idle", "idle")?;
    let first = session.expect(fixture.name, &client, &endpoint.capture)?;
    session.expect(fixture.name, &server, &endpoint.capture)?;
    let then = [seen(&endpoint, &client)?, seen(&endpoint, &server)?];

    pair.echo(4000)?;
    pair.close_client_first()?;
    let client = client.began("midway").ended("fin_local").direction(Direction::Unknown);
    let [client, server] =
        [client, server.began("midway").ended("fin_remote")].map(|side| side.complete(false));
    let second = session
        .expect_nth(fixture.name, &client, 1, || Ok(seen(&endpoint, &client)?.since(then[0])))?;
    session.expect_nth(
        fixture.name,
        &server,
        1,
        || Ok(seen(&endpoint, &server)?.since(then[1])),
    )?;
    let ids = [first, second].map(|doc| doc.text("flow.id"));
    ensure!(ids[0] != ids[1], "two flows with the id {}", ids[0]);
    Ok(())
}

/// A UDP socket that is forgotten begins anew with its next packet.
fn forgotten_udp(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let session = fixture.shared()?;
    let pair = UdpPair::meet(fixture, &endpoint, Family::V4)?;
    pair.ask(10)?;
    let (one, two) = pair.sides();
    session.expect(fixture.name, &one.clone().ended("idle"), &endpoint.capture)?;
    session.expect(fixture.name, &two.clone().ended("idle"), &endpoint.capture)?;
    let then = [seen(&endpoint, &one)?, seen(&endpoint, &two)?];

    pair.ask(20)?;
    pair.close()?;
    session.expect_nth(fixture.name, &one, 1, || Ok(seen(&endpoint, &one)?.since(then[0])))?;
    session.expect_nth(fixture.name, &two, 1, || Ok(seen(&endpoint, &two)?.since(then[1])))?;
    Ok(())
}

/// What is open, and what was closed a moment ago, is reported at the end.
fn sigterm(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let open = Pair::meet(fixture, &endpoint, Family::V4)?;
    open.echo(300)?;
    let closed = Pair::meet(fixture, &endpoint, Family::V6)?;
    closed.echo(300)?;
    let (closed_client, closed_server) = closed.sides("fin_local", "fin_remote")?;
    closed.client.close(closed.at_client)?;
    closed.server.drain(closed.at_server, 0)?;
    let before = seen(&endpoint, &closed_server)?;
    closed.server.close(closed.at_server)?;
    endpoint.capture.wait(closed_server.key(), PATIENCE, "the last acknowledgement", |seen| {
        seen.received.packets > before.received.packets
    })?;
    let (sender, receiver) = (&open.client, &open.server);
    let at_receiver = receiver.udp(endpoint.any_port(Family::V4)?)?;
    let at_sender = sender.udp(endpoint.any_port(Family::V4)?)?;
    sender.send_to(at_sender, 40, at_receiver.local)?;
    receiver.receive(at_receiver, 40)?;

    let (here, there) = (at_sender.local, at_receiver.local);
    let (client, server) = open.sides("open", "open")?;
    let mut sides = vec![
        client,
        server,
        Side::sender(sender, here, there).ended("open"),
        Side::receiver(receiver, there, here).ended("open"),
    ];
    sides.extend([closed_client, closed_server]);
    for side in sides {
        let seen = seen(&endpoint, &side)?;
        fixture.shared()?.expect_at_end(fixture.name, side, seen);
    }
    // What is open stays so until the agent has ended.
    fixture.keep((endpoint, open, at_receiver, at_sender));
    Ok(())
}
