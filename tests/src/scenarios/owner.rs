//! Who is behind a socket when several processes or users had a hand in it.

use anyhow::{Context, Result, bail};

use super::{Scenario, pair::Pair};
use crate::{
    endpoint::{Endpoint, Family},
    expect::Side,
    fixture::Fixture,
    worker::{Command, LAST, PATIENCE, Reply, Sock, Worker},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::shared("owner/worker_forked_before_accept", worker_accepts),
    Scenario::shared("owner/child_serves_what_parent_accepted", child_serves),
    Scenario::shared("owner/passed_after_accept", passed_after_accept),
    Scenario::shared("owner/passed_after_connect", passed_after_connect),
    Scenario::shared("owner/udp_exits_at_once", udp_exits_at_once),
    Scenario::shared("owner/tcp_exits_at_once", tcp_exits_at_once),
    Scenario::shared("owner/interrupts_hit_others", interrupts_hit_others),
    Scenario::shared("owner/other_user", |fixture| other_user(fixture, false)),
    Scenario::shared("owner/acts_as_other_user", |fixture| other_user(fixture, true)),
    Scenario::shared("owner/threads", threads),
];

/// Request and answer, then the client closes first; both ends are checked.
fn serve(
    fixture: &Fixture<'_>,
    endpoint: &Endpoint,
    (client, at_client): (&Worker, Sock),
    (server, at_server): (&Worker, Sock),
) -> Result<()> {
    client.send(at_client, 400)?;
    server.receive(at_server, 400)?;
    server.send(at_server, 900)?;
    client.receive(at_client, 900)?;
    client.close(at_client)?;
    server.drain(at_server, 0)?;
    server.close(at_server)?;
    fixture.expect_both(
        &Side::connected(client, at_client)?.ended("fin_local"),
        &Side::accepted(server, at_server)?.ended("fin_remote"),
        endpoint,
    )
}

fn worker_accepts(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (master, client) = fixture.couple(&endpoint)?;
    let listener = master.listen(endpoint.any_port(Family::V4)?)?;
    let worker = master.fork()?;
    // The connection is complete before anyone accepts it.
    let at_client = client.connect(listener.local)?;
    let at_worker = worker.accept(listener)?;
    serve(fixture, &endpoint, (&client, at_client), (&worker, at_worker))
}

fn child_serves(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (master, client) = fixture.couple(&endpoint)?;
    let listener = master.listen(endpoint.any_port(Family::V4)?)?;
    let at_client = client.connect(listener.local)?;
    let sock = master.accept(listener)?;
    let child = master.fork()?;
    master.close(sock)?;
    serve(fixture, &endpoint, (&client, at_client), (&child, sock))
}

fn passed_after_accept(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (acceptor, client) = fixture.couple(&endpoint)?;
    let worker = Worker::spawn(&endpoint.netns, "worker")?;
    acceptor.link(&worker)?;
    let listener = acceptor.listen(endpoint.any_port(Family::V4)?)?;
    let at_client = client.connect(listener.local)?;
    let sock = acceptor.accept(listener)?;
    let at_worker = acceptor.pass(sock, &worker)?;
    serve(fixture, &endpoint, (&client, at_client), (&worker, at_worker))
}

fn passed_after_connect(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (server, opener) = fixture.couple(&endpoint)?;
    let worker = Worker::spawn(&endpoint.netns, "worker")?;
    opener.link(&worker)?;
    let listener = server.listen(endpoint.any_port(Family::V4)?)?;
    let sock = opener.connect(listener.local)?;
    let at_server = server.accept(listener)?;
    let at_worker = opener.pass(sock, &worker)?;
    serve(fixture, &endpoint, (&worker, at_worker), (&server, at_server))
}

fn udp_exits_at_once(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (server, mut client) = fixture.couple(&endpoint)?;
    let at_server = server.udp(endpoint.any_port(Family::V4)?)?;
    client.last_words(vec![
        Command::Udp { address: endpoint.any_port(Family::V4)? },
        Command::Send { fd: LAST, bytes: 321, to: Some(at_server.local) },
    ])?;
    let from = server.receive(at_server, 321)?.context("a datagram from nobody")?;
    server.close(at_server)?;
    fixture.expect_both(
        &Side::sender(&client, from, at_server.local),
        &Side::receiver(&server, at_server.local, from),
        &endpoint,
    )
}

fn tcp_exits_at_once(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (server, mut client) = fixture.couple(&endpoint)?;
    let listener = server.listen(endpoint.any_port(Family::V4)?)?;
    client.last_words(vec![
        Command::Connect { address: listener.local },
        Command::Send { fd: LAST, bytes: 321, to: None },
    ])?;
    let at_server = server.accept(listener)?;
    server.drain(at_server, 321)?;
    server.close(at_server)?;
    let from = at_server.peer.context("a connection from nobody")?;
    let at_client = Sock { fd: LAST, local: from, peer: Some(at_server.local) };
    fixture.expect_both(
        &Side::connected(&client, at_client)?.ended("fin_local"),
        &Side::accepted(&server, at_server)?.ended("fin_remote"),
        &endpoint,
    )
}

/// A server that never touches a connection owns it all the same: what it receives arrives in the
/// context of whoever is running, here of a client and of a bystander that keeps the CPUs busy.
fn interrupts_hit_others(fixture: &Fixture<'_>) -> Result<()> {
    const CONNECTIONS: u32 = 400;
    let endpoint = fixture.loopback()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let (peer, bystander) = fixture.couple(&endpoint)?;
    let busy = peer.listen(endpoint.any_port(Family::V4)?)?;
    peer.begin(&Command::Serve { fd: busy.fd, count: CONNECTIONS, bytes: 10_000 })?;
    bystander.begin(&Command::Burst { address: busy.local, count: CONNECTIONS, bytes: 10_000 })?;

    let at_udp = server.udp(endpoint.any_port(Family::V4)?)?;
    let listener = server.listen(endpoint.any_port(Family::V4)?)?;
    let from = client.udp(endpoint.any_port(Family::V4)?)?;
    let at_client = client.connect(listener.local)?;
    for _ in 0..20 {
        client.send(at_client, 2000)?;
        client.send_to(from, 300, at_udp.local)?;
    }
    let one = Side::connected(&client, at_client)?.ended("reset_remote");
    let other = Sock { fd: LAST, local: listener.local, peer: Some(at_client.local) };
    let two = Side::accepted(&server, other)?.ended("reset_local");
    let (three, four) = (
        Side::sender(&client, from.local, at_udp.local),
        Side::receiver(&server, at_udp.local, from.local),
    );
    let what = "all that was sent";
    endpoint.capture.wait(four.key(), PATIENCE, what, |seen| seen.received.packets == 20)?;
    // Closing the listener resets what it has not accepted.
    server.close(listener)?;
    server.close(at_udp)?;
    client.expect_reset(at_client)?;
    client.close(at_client)?;
    client.close(from)?;
    fixture.expect_both(&one, &two, &endpoint)?;
    fixture.expect_both(&three, &four, &endpoint)?;

    let ends = [(&bystander, "fin_local"), (&peer, "fin_remote")];
    let mut sides = Vec::new();
    for (worker, ended) in ends {
        let Reply::ManyConnections(ends) = worker.finish()? else { bail!("expected connections") };
        for (local, remote) in ends {
            let sock = Sock { fd: LAST, local, peer: Some(remote) };
            let side = if ended == "fin_local" {
                Side::connected(worker, sock)?
            } else {
                Side::accepted(worker, sock)?
            };
            sides.push(side.ended(ended));
        }
    }
    fixture.shared()?.expect_all(fixture.name, &sides, &endpoint.capture)
}

/// Who has become another user after its program was executed.
fn other_user(fixture: &Fixture<'_>, effective: bool) -> Result<()> {
    const UID: u32 = 12_345;
    const GID: u32 = 23_456;
    let endpoint = fixture.loopback()?;
    let (server, client) = fixture.couple(&endpoint)?;
    client.step(&Command::SetIds { uid: UID, gid: GID, effective })?;
    let listener = server.listen(endpoint.any_port(Family::V4)?)?;
    let at_client = client.connect(listener.local)?;
    let at_server = server.accept(listener)?;
    let pair = Pair { server, client, at_server, at_client };
    pair.echo(100)?;
    pair.close_client_first()?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    let client = if effective { client.acting_as(UID, GID) } else { client.user(UID, GID) };
    fixture.expect_both(&client, &server, &endpoint)
}

/// Every step on a thread of its own: the process is the owner.
fn threads(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let threaded = |command| Command::Threaded(Box::new(command));
    let listener = server.listen(endpoint.any_port(Family::V4)?)?;
    let at_client = client.socket(&threaded(Command::Connect { address: listener.local }))?;
    let at_server = server.socket(&threaded(Command::Accept { fd: listener.fd }))?;
    client.step(&threaded(Command::Send { fd: at_client.fd, bytes: 600, to: None }))?;
    server.step(&threaded(Command::Receive { fd: at_server.fd, bytes: 600 }))?;
    let pair = Pair { server, client, at_server, at_client };
    pair.close_client_first()?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    fixture.expect_both(&client, &server, &endpoint)
}
