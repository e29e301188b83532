//! Sockets that were there before the agent.

use anyhow::Result;

use super::{Rest, Scenario, pair::Pair};
use crate::{
    agent::Timeouts,
    capture::Transport,
    endpoint::{Endpoint, Family},
    expect::{Direction, Session, Side},
    fixture::{Fixture, same_conversation},
    skip::skip,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::before("before/connection_v4", |fixture| {
        connection(fixture, fixture.host()?, Family::V4)
    }),
    Scenario::before("before/connection_v6", |fixture| {
        connection(fixture, fixture.host()?, Family::V6)
    }),
    Scenario::before("before/connection_mapped", |fixture| {
        connection(fixture, fixture.host()?, Family::Mapped)
    }),
    Scenario::before("before/connection_elsewhere", |fixture| {
        connection(fixture, fixture.loopback()?, Family::V4)
    }),
    Scenario::before("before/listener", listener),
    Scenario::before("before/udp_server", udp_server),
    Scenario::shared("before/another_agent", another_agent).alone(),
];

/// Why the agent does not know sockets that were there before it, if it said so.
pub(super) fn blind(session: &Session) -> Option<anyhow::Error> {
    let degraded = session.degraded().into_iter().find(|hook| hook.starts_with("iter_files "))?;
    Some(skip(format!("the agent does without {degraded}")))
}

/// Owner and direction of a connection are known though its beginning was not seen; what crossed it
/// before does not count.
fn connection(fixture: &Fixture<'_>, endpoint: Endpoint, family: Family) -> Result<Rest> {
    let pair = Pair::meet(fixture, &endpoint, family)?;
    pair.echo(500)?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    let [client, server] = [client, server].map(|side| side.began("existing").complete(false));
    Ok(Box::new(move |fixture| {
        let seen = |side: &Side| {
            let (transport, local, remote) = side.key();
            endpoint.capture.seen(transport, local, remote)
        };
        let session = fixture.shared()?;
        if let Some(reason) = blind(session) {
            session.ignore(fixture.name, &[&client, &server]);
            return Err(reason);
        }
        let before = [seen(&client)?, seen(&server)?];
        pair.echo(700)?;
        pair.close_client_first()?;
        let one =
            session.expect_nth(fixture.name, &client, 0, || Ok(seen(&client)?.since(before[0])))?;
        let two =
            session.expect_nth(fixture.name, &server, 0, || Ok(seen(&server)?.since(before[1])))?;
        same_conversation(&one, &two)
    }))
}

/// A connection through a listener that was there before is seen from its beginning.
fn listener(fixture: &Fixture<'_>) -> Result<Rest> {
    let endpoint = fixture.host()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let listener = server.listen(endpoint.any_port(Family::V4)?)?;
    Ok(Box::new(move |fixture| {
        if let Some(reason) = blind(fixture.shared()?) {
            return Err(reason);
        }
        let at_client = client.connect(listener.local)?;
        let at_server = server.accept(listener)?;
        let pair = Pair { server, client, at_server, at_client };
        pair.echo(500)?;
        pair.close_client_first()?;
        let (client, server) = pair.sides("fin_local", "fin_remote")?;
        fixture.expect_both(&client, &server, &endpoint)
    }))
}

/// A UDP server that only ever receives is known by its bound socket.
fn udp_server(fixture: &Fixture<'_>) -> Result<Rest> {
    let endpoint = fixture.host()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let at_server = server.udp(endpoint.any_port(Family::V4)?)?;
    Ok(Box::new(move |fixture| {
        if let Some(reason) = blind(fixture.shared()?) {
            return Err(reason);
        }
        let at_client = client.udp(endpoint.any_port(Family::V4)?)?;
        client.send_to(at_client, 100, at_server.local)?;
        server.receive(at_server, 100)?;
        client.close(at_client)?;
        server.close(at_server)?;
        let one = Side::sender(&client, at_client.local, at_server.local);
        let (local, remote) = (at_server.local, at_client.local);
        let two = Side::of(&server, Transport::Udp, local, remote, Direction::Ingress);
        fixture.expect_both(&one, &two, &endpoint)
    }))
}

/// Two agents do not disturb each other.
fn another_agent(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let other = fixture.agent(Timeouts::default())?;
    let second = other.degraded().into_iter().find(|hook| hook.contains("sched_process_exec"));
    if let Some(hook) = second {
        return Err(skip(format!("the second agent does without {hook}")));
    }
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    pair.echo(500)?;
    pair.close_client_first()?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    for session in [fixture.shared()?, &other] {
        session.expect(fixture.name, &client, &endpoint.capture)?;
        session.expect(fixture.name, &server, &endpoint.capture)?;
    }
    other.stop().map(drop)
}
