//! UDP over loopback: one flow for each peer.

use anyhow::{Context, Result, bail, ensure};

use super::Scenario;
use crate::{
    endpoint::{Endpoint, Family, through},
    expect::Side,
    fixture::Fixture,
    worker::{By, Command, PATIENCE, Reply, Sock, Worker, uring},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::shared("udp/unconnected_v4", |fixture| exchange(fixture, Family::V4, false)),
    Scenario::shared("udp/unconnected_v6", |fixture| exchange(fixture, Family::V6, false)),
    Scenario::shared("udp/unconnected_mapped", |fixture| exchange(fixture, Family::Mapped, false)),
    Scenario::shared("udp/connected_v4", |fixture| exchange(fixture, Family::V4, true)),
    Scenario::shared("udp/connected_v6", |fixture| exchange(fixture, Family::V6, true)),
    Scenario::shared("udp/connected_mapped", |fixture| exchange(fixture, Family::Mapped, true)),
    Scenario::shared("udp/three_peers", three_peers),
    Scenario::shared("udp/connected_receiver_v4", |fixture| {
        connected_receiver(fixture, Family::V4)
    }),
    Scenario::shared("udp/connected_receiver_v6", |fixture| {
        connected_receiver(fixture, Family::V6)
    }),
    Scenario::shared("udp/dropped_v4", |fixture| dropped(fixture, Family::V4)),
    Scenario::shared("udp/dropped_v6", |fixture| dropped(fixture, Family::V6)),
    Scenario::shared("udp/one_way", one_way),
    Scenario::shared("udp/late", late),
    Scenario::shared("udp/port_used_again", port_used_again),
    Scenario::shared("udp/connected_elsewhere_v4", |fixture| elsewhere(fixture, Family::V4, None)),
    Scenario::shared("udp/connected_elsewhere_v6", |fixture| elsewhere(fixture, Family::V6, None)),
    Scenario::shared("udp/connected_elsewhere_mapped", |fixture| {
        elsewhere(fixture, Family::Mapped, None)
    }),
    Scenario::shared("udp/connected_elsewhere_sendmsg", |fixture| {
        elsewhere(fixture, Family::V4, Some(By::Message))
    }),
    Scenario::shared("udp/connected_elsewhere_sendmmsg", |fixture| {
        elsewhere(fixture, Family::V6, Some(By::Messages))
    }),
    Scenario::shared("udp/connected_elsewhere_io_uring", |fixture| {
        elsewhere(fixture, Family::V4, Some(By::Uring))
    }),
    Scenario::shared("udp/reconnected_v4", |fixture| reconnected(fixture, Family::V4)),
    Scenario::shared("udp/reconnected_v6", |fixture| reconnected(fixture, Family::V6)),
];

/// Three datagrams one way, one back.
fn exchange(fixture: &Fixture<'_>, family: Family, connected: bool) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let at_server = server.udp(endpoint.any_port(family)?)?;
    let at_client = client.udp(endpoint.any_port(family)?)?;
    let to_server = through(family, at_server.local);
    if connected {
        client.udp_connect(at_client, to_server)?;
    }
    for bytes in [10, 200, 3000] {
        if connected {
            client.send(at_client, bytes)?;
        } else {
            client.send_to(at_client, bytes, to_server)?;
        }
        let from = server.receive(at_server, bytes)?.context("a datagram from nobody")?;
        anyhow::ensure!(from == at_client.local, "a datagram from {from}");
    }
    if connected {
        server.udp_connect(at_server, through(family, at_client.local))?;
        server.send(at_server, 77)?;
    } else {
        server.send_to(at_server, 77, through(family, at_client.local))?;
    }
    client.receive(at_client, 77)?;
    client.close(at_client)?;
    server.close(at_server)?;
    let one = Side::sender(&client, at_client.local, at_server.local);
    let two = Side::receiver(&server, at_server.local, at_client.local);
    fixture.expect_both(&one, &two, &endpoint)
}

fn three_peers(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    for side in &to_three_peers(fixture, &endpoint)? {
        fixture.expect(side, &endpoint.capture)?;
    }
    Ok(())
}

/// One socket speaks with three others, one datagram each way.
pub(super) fn to_three_peers(_: &Fixture<'_>, endpoint: &Endpoint) -> Result<Vec<Side>> {
    let client = Worker::spawn(&endpoint.netns, "client")?;
    let at_client = client.udp(endpoint.any_port(Family::V4)?)?;
    let mut sides = Vec::new();
    let mut servers = Vec::new();
    for number in 1..=3 {
        let server = Worker::spawn(&endpoint.netns, "server")?;
        let at_server = server.udp(endpoint.any_port(Family::V4)?)?;
        client.send_to(at_client, 100 * number, at_server.local)?;
        server.receive(at_server, 100 * number)?;
        server.send_to(at_server, number, at_client.local)?;
        client.receive(at_client, number)?;
        server.close(at_server)?;
        sides.push(Side::sender(&client, at_client.local, at_server.local));
        sides.push(Side::receiver(&server, at_server.local, at_client.local));
        servers.push(server);
    }
    client.close(at_client)?;
    Ok(sides)
}

/// Both sockets are connected before anything is sent; most comes from the one that is not asked.
fn connected_receiver(fixture: &Fixture<'_>, family: Family) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let at_server = server.udp(endpoint.any_port(family)?)?;
    let at_client = client.udp(endpoint.any_port(family)?)?;
    server.udp_connect(at_server, at_client.local)?;
    client.udp_connect(at_client, at_server.local)?;
    for bytes in [10, 20, 30] {
        client.send(at_client, bytes)?;
        server.receive(at_server, bytes)?;
    }
    for bytes in [100, 200] {
        server.send(at_server, bytes)?;
        client.receive(at_client, bytes)?;
    }
    for bytes in [40, 50] {
        client.send(at_client, bytes)?;
        server.receive(at_server, bytes)?;
    }
    client.close(at_client)?;
    server.close(at_server)?;
    let one = Side::sender(&client, at_client.local, at_server.local);
    let two = Side::receiver(&server, at_server.local, at_client.local);
    let (transport, local, remote) = two.key();
    let seen = endpoint.capture.seen(transport, local, remote)?;
    ensure!((seen.received.packets, seen.sent.packets) == (5, 2), "not as meant: {seen:?}");
    fixture.expect_both(&one, &two, &endpoint)
}

/// A receiver that never reads has dropped what does not fit into its queue, and is told to have
/// received all of it: it was on the wire.
fn dropped(fixture: &Fixture<'_>, family: Family) -> Result<()> {
    const SENT: u64 = 40;
    fixture.needs_ebpf()?;
    let endpoint = fixture.loopback()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let at_server = server.udp(endpoint.any_port(family)?)?;
    server.step(&Command::ReceiveBuffer { fd: at_server.fd, bytes: 4096 })?;
    let at_client = client.udp(endpoint.any_port(family)?)?;
    for _ in 0..SENT {
        client.send_to(at_client, 1000, at_server.local)?;
    }
    let one = Side::sender(&client, at_client.local, at_server.local);
    let two = Side::receiver(&server, at_server.local, at_client.local);
    let what = "all datagrams";
    endpoint.capture.wait(two.key(), PATIENCE, what, |seen| seen.received.packets == SENT)?;
    let waited = match server.step(&Command::Waiting { fd: at_server.fd })? {
        Reply::Waited(count) => count,
        other => bail!("expected a number, got {other:?}"),
    };
    ensure!((1..SENT).contains(&waited), "{waited} of {SENT} datagrams had room");
    client.close(at_client)?;
    server.close(at_server)?;
    let drops = "system.audit.socket.udp.drops";
    let doc = fixture.expect(&one, &endpoint.capture)?;
    ensure!(doc.field(drops).is_none(), "the sender is told to have dropped something");
    let doc = fixture.expect(&two, &endpoint.capture)?;
    let reported = doc.number(drops);
    // Where that is counted is not found by trying.
    let truth = fixture.options.is_described().then_some(SENT - waited);
    ensure!(reported == truth, "{drops} is {reported:?}; {waited} of {SENT} were received");
    Ok(())
}

fn one_way(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let at_server = server.udp(endpoint.any_port(Family::V4)?)?;
    let at_client = client.udp(endpoint.any_port(Family::V4)?)?;
    // An empty datagram is a packet as well.
    client.send_to(at_client, 0, at_server.local)?;
    server.receive(at_server, 0)?;
    client.close(at_client)?;
    server.close(at_server)?;
    let one = Side::sender(&client, at_client.local, at_server.local);
    let two = Side::receiver(&server, at_server.local, at_client.local);
    fixture.expect_both(&one, &two, &endpoint)
}

/// A datagram to a socket that is closed already reaches no socket: it belongs to the sender's flow
/// only, and makes no document of its own.
fn late(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let at_server = server.udp(endpoint.any_port(Family::V4)?)?;
    let at_client = client.udp(endpoint.any_port(Family::V4)?)?;
    client.send_to(at_client, 50, at_server.local)?;
    server.receive(at_server, 50)?;
    let one = Side::sender(&client, at_client.local, at_server.local);
    let two = Side::receiver(&server, at_server.local, at_client.local);
    let (transport, local, remote) = two.key();
    let before = endpoint.capture.seen(transport, local, remote)?;
    server.close(at_server)?;
    client.send_to(at_client, 60, at_server.local)?;
    client.close(at_client)?;
    fixture.expect(&one, &endpoint.capture)?;
    fixture.shared()?.expect_nth(fixture.name, &two, 0, || Ok(before))?;
    Ok(())
}

/// A socket that is connected may send to others as well, by a call that names them (sendto(2) if none is given).
/// Each of these is a peer, and one that it is connected to and sends nothing is none.
fn elsewhere(fixture: &Fixture<'_>, family: Family, by: Option<By>) -> Result<()> {
    if by == Some(By::Uring) {
        uring::needed()?;
    }
    let endpoint = fixture.loopback()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let (other, silent) =
        (Worker::spawn(&endpoint.netns, "other")?, Worker::spawn(&endpoint.netns, "silent")?);
    let open = |worker: &Worker| worker.udp(endpoint.any_port(family)?);
    let (at_server, at_other, at_silent) = (open(&server)?, open(&other)?, open(&silent)?);
    let to_other = through(family, at_other.local);
    let send = |from: Sock, bytes| match by {
        Some(by) => {
            let to = to_other;
            client.step(&Command::SendBy { fd: from.fd, by, bytes, to }).map(drop)
        }
        None => client.send_to(from, bytes, to_other),
    };
    let each = if by == Some(By::Messages) { 2 } else { 1 };

    // Half of what this one sends goes elsewhere.
    let mixed = open(&client)?;
    client.udp_connect(mixed, through(family, at_server.local))?;
    for bytes in [10, 200] {
        send(mixed, bytes)?;
        client.send(mixed, 2 * bytes)?;
        server.receive(at_server, 2 * bytes)?;
    }
    server.send_to(at_server, 77, through(family, mixed.local))?;
    client.receive(mixed, 77)?;
    // All that this one sends.
    let all = open(&client)?;
    client.udp_connect(all, through(family, at_silent.local))?;
    send(all, 50)?;
    for bytes in [10, 200, 50] {
        for _ in 0..each {
            other.receive(at_other, bytes)?;
        }
    }
    client.close(mixed)?;
    client.close(all)?;
    for (worker, sock) in [(&server, at_server), (&other, at_other), (&silent, at_silent)] {
        worker.close(sock)?;
    }
    for (from, worker, to) in
        [(mixed, &server, at_server), (mixed, &other, at_other), (all, &other, at_other)]
    {
        let one = Side::sender(&client, from.local, to.local);
        let two = Side::receiver(worker, to.local, from.local);
        fixture.expect_both(&one, &two, &endpoint)?;
    }
    let reported = fixture.shared()?.documents();
    let untrue = reported
        .iter()
        .find(|doc| [doc.end("source"), doc.end("destination")].contains(&Some(at_silent.local)));
    ensure!(untrue.is_none(), "a document about whom nothing was sent to: {untrue:?}");
    Ok(())
}

/// A socket that is disconnected, sends to another, and is connected again: it gets another port meanwhile, so that
/// it has two conversations with the first.
fn reconnected(fixture: &Fixture<'_>, family: Family) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let other = Worker::spawn(&endpoint.netns, "other")?;
    let at_server = server.udp(endpoint.any_port(family)?)?;
    let at_other = other.udp(endpoint.any_port(family)?)?;
    let before = client.udp(endpoint.any_port(family)?)?;
    client.udp_connect(before, at_server.local)?;
    client.send(before, 10)?;
    server.receive(at_server, 10)?;

    client.disconnect(before)?;
    // The port is free, and would be the same once in some ten thousand times.
    let taken = other.udp(before.local)?;
    client.send_to(before, 20, at_other.local)?;
    other.receive(at_other, 20)?;
    other.close(taken)?;
    let after = client.describe(before)?;
    client.udp_connect(after, at_server.local)?;
    for bytes in [30, 40] {
        client.send(after, bytes)?;
        server.receive(at_server, bytes)?;
    }
    server.send_to(at_server, 50, after.local)?;
    client.receive(after, 50)?;
    client.close(after)?;
    server.close(at_server)?;
    other.close(at_other)?;
    for (from, worker, to) in
        [(before, &server, at_server), (after, &other, at_other), (after, &server, at_server)]
    {
        let one = Side::sender(&client, from.local, to.local);
        let two = Side::receiver(worker, to.local, from.local);
        fixture.expect_both(&one, &two, &endpoint)?;
    }
    Ok(())
}

/// Another socket on the same port is another flow, counted from zero.
fn port_used_again(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let first = server.udp(endpoint.any_port(Family::V4)?)?;
    let at_client = client.udp(endpoint.any_port(Family::V4)?)?;
    let side = Side::receiver(&server, first.local, at_client.local);
    let (transport, local, remote) = side.key();

    client.send_to(at_client, 50, first.local)?;
    server.receive(first, 50)?;
    server.close(first)?;
    let then = endpoint.capture.seen(transport, local, remote)?;

    let second = server.udp(local)?;
    client.send_to(at_client, 60, second.local)?;
    client.send_to(at_client, 70, second.local)?;
    server.receive(second, 60)?;
    server.receive(second, 70)?;
    server.step(&Command::Close { fd: second.fd })?;
    client.close(at_client)?;

    let session = fixture.shared()?;
    session.expect_nth(fixture.name, &side, 0, || Ok(then))?;
    session.expect_nth(fixture.name, &side, 1, || {
        Ok(endpoint.capture.seen(transport, local, remote)?.since(then))
    })?;
    let one = Side::sender(&client, at_client.local, local);
    fixture.expect(&one, &endpoint.capture).map(drop)
}
