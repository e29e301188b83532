//! Multipath TCP: what programs of Go 1.24 listen with. The subflows of a connection are TCP connections.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::Result;

use super::{Act, Rest, Scenario, Watcher, before::blind, pair::Pair};
use crate::{
    capture::{Seen, Transport},
    endpoint::{Endpoint, Family},
    expect::{Direction, Side},
    fixture::{Fixture, same_conversation},
    net::mptcp,
    skip::skip,
    worker::{Command, PATIENCE, Worker},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::shared("mptcp/echo_v4", |fixture| echo(fixture, Family::V4)),
    Scenario::shared("mptcp/echo_v6", |fixture| echo(fixture, Family::V6)),
    Scenario::before("mptcp/before_v4", |fixture| before(fixture, Family::V4, true)),
    Scenario::before("mptcp/before_v6", |fixture| before(fixture, Family::V6, true)),
    Scenario::before("mptcp/before_tcp_client", |fixture| before(fixture, Family::V4, false)),
    Scenario::new("mptcp/before_and_forgotten", Watcher::Forgetful, Act::Before(forgotten)),
    Scenario::shared("mptcp/added_subflow", added_subflow),
];

fn seen(endpoint: &Endpoint, side: &Side) -> Result<Seen> {
    let (transport, local, remote) = side.key();
    endpoint.capture.seen(transport, local, remote)
}

/// A server with MPTCP, and a client with it or with TCP.
fn meet(fixture: &Fixture<'_>, endpoint: &Endpoint, family: Family, both: bool) -> Result<Pair> {
    mptcp::needed()?;
    let (server, client) = fixture.couple(endpoint)?;
    let listener = server.socket(&Command::ListenMptcp { address: endpoint.any_port(family)? })?;
    let address = listener.local;
    let at_client = match both {
        true => client.socket(&Command::ConnectMptcp { address })?,
        false => client.connect(address)?,
    };
    let at_server = server.accept(listener)?;
    Ok(Pair { server, client, at_server, at_client })
}

/// Both ends. Which of them ends it is MPTCP's matter, and what it repeats.
fn sides(pair: &Pair) -> Result<[Side; 2]> {
    let client = Side::connected(&pair.client, pair.at_client)?;
    let server = Side::accepted(&pair.server, pair.at_server)?;
    Ok([client, server].map(Side::any_retransmits))
}

fn echo(fixture: &Fixture<'_>, family: Family) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let pair = meet(fixture, &endpoint, family, true)?;
    pair.echo(700)?;
    pair.close_client_first()?;
    let [client, server] = sides(&pair)?;
    fixture.expect_both(&client, &server, &endpoint)
}

/// Owner and direction of a connection through a listener with MPTCP are known though its beginning was not seen.
fn before(fixture: &Fixture<'_>, family: Family, both: bool) -> Result<Rest> {
    let endpoint = fixture.loopback()?;
    let pair = meet(fixture, &endpoint, family, both)?;
    pair.echo(500)?;
    let [client, server] = sides(&pair)?.map(|side| side.began("existing").complete(false));
    Ok(Box::new(move |fixture| {
        let session = fixture.shared()?;
        if let Some(reason) = blind(session) {
            session.ignore(fixture.name, &[&client, &server]);
            return Err(reason);
        }
        let before = [seen(&endpoint, &client)?, seen(&endpoint, &server)?];
        pair.echo(700)?;
        pair.close_client_first()?;
        let one = session.expect_nth(fixture.name, &client, 0, || {
            Ok(seen(&endpoint, &client)?.since(before[0]))
        })?;
        let two = session.expect_nth(fixture.name, &server, 0, || {
            Ok(seen(&endpoint, &server)?.since(before[1]))
        })?;
        same_conversation(&one, &two)
    }))
}

/// A connection that is forgotten after a pause comes in through its listener still, which is as old.
fn forgotten(fixture: &Fixture<'_>) -> Result<Rest> {
    let endpoint = fixture.loopback()?;
    let pair = meet(fixture, &endpoint, Family::V4, false)?;
    pair.echo(500)?;
    let [client, server] = sides(&pair)?.map(|side| side.complete(false));
    Ok(Box::new(move |fixture| {
        let session = fixture.shared()?;
        if let Some(reason) = blind(session) {
            session.ignore(fixture.name, &[&client, &server]);
            return Err(reason);
        }
        let sides = [&client, &server];
        let look = || -> Result<_> { Ok([seen(&endpoint, sides[0])?, seen(&endpoint, sides[1])?]) };
        let start = look()?;
        pair.echo(700)?;
        for (number, side) in sides.into_iter().enumerate() {
            let side = side.clone().began("existing").ended("idle");
            let since = start[number];
            session
                .expect_nth(fixture.name, &side, 0, || Ok(seen(&endpoint, &side)?.since(since)))?;
        }
        let pause = look()?;
        pair.echo(900)?;
        pair.close_client_first()?;
        // Programs know nothing more of a client once its flow is gone; tracefs keeps who held the sockets that were
        // open at its start.
        let (began, client) = match fixture.options.hooks.as_str() {
            "tracefs" => ("existing", Direction::Egress),
            _ => ("midway", Direction::Unknown),
        };
        let directions = [client, Direction::Ingress];
        for (number, side) in sides.into_iter().enumerate() {
            let side = side.clone().began(began).direction(directions[number]);
            let since = pause[number];
            session
                .expect_nth(fixture.name, &side, 1, || Ok(seen(&endpoint, &side)?.since(since)))?;
        }
        Ok(())
    }))
}

/// A subflow that is added to a connection, and carries nothing, is of the processes of the connection: not of the
/// kernel's threads that open and close it, nor of the process that listens.
fn added_subflow(fixture: &Fixture<'_>) -> Result<()> {
    mptcp::needed()?;
    let unknown = |hook: &String| hook.starts_with("guess multipath connections:");
    if let Some(hook) = fixture.shared()?.degraded().into_iter().find(unknown) {
        return Err(skip(format!("the agent does without {hook}")));
    }
    let (here, there) = fixture.wire(false)?;
    for endpoint in [&here, &there] {
        endpoint.netns.run(mptcp::allow_subflow)?;
    }
    let listening = Worker::spawn(&there.netns, "server")?;
    let client = Worker::spawn(&here.netns, "client")?;
    let address = there.any_port(Family::V4)?;
    let listener = listening.socket(&Command::ListenMptcp { address })?;
    let server = listening.fork()?;
    let at_client = client.socket(&Command::ConnectMptcp { address: listener.local })?;
    let at_server = server.accept(listener)?;
    let pair = Pair { server, client, at_server, at_client };
    pair.echo(300)?;

    let further = here.further_address(&there)?;
    here.netns.run(|| mptcp::add_address(further))?;
    let joined = joined(&there, listener.local, further)?;
    pair.echo(300)?;
    pair.close_client_first()?;
    let [main_client, main_server] = sides(&pair)?;
    let of = |worker: &Worker, local, remote, direction| {
        Side::of(worker, Transport::Tcp, local, remote, direction).any_retransmits()
    };
    let added_client = of(&pair.client, joined, listener.local, Direction::Egress);
    let added_server = of(&pair.server, listener.local, joined, Direction::Ingress);
    for (side, endpoint) in [
        (&main_client, &here),
        (&main_server, &there),
        (&added_client, &here),
        (&added_server, &there),
    ] {
        fixture.expect(side, &endpoint.capture)?;
    }
    Ok(())
}

/// Waits until a subflow has come from an address, and its handshake is over; its other end.
fn joined(there: &Endpoint, local: SocketAddr, from: Ipv4Addr) -> Result<SocketAddr> {
    let ends = (Transport::Tcp, local);
    there.capture.wait_for_remote(ends, PATIENCE, "a subflow that is added", |remote, seen| {
        // The handshake of a subflow has a fourth part.
        remote.ip() == IpAddr::V4(from) && seen.sent.packets > 1 && seen.received.packets > 1
    })
}
