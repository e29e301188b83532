//! Two namespaces joined by a wire: what each end counts is what a capture at that end counts, packet
//! by packet, with offloads off and on.

use std::io;

use anyhow::{Result, ensure};

use super::{Scenario, Watcher, failing::connect_refused, pair::Pair};
use crate::{
    capture::Count,
    endpoint::{Endpoint, Family},
    expect::{Session, Side},
    fixture::{Fixture, same_conversation},
    skip::skip,
    worker::{Command, PATIENCE, Worker},
};

/// A scenario for both families, with offloads off and on.
macro_rules! matrix {
    ($($name:literal => $function:expr),* $(,)?) => {
        &[$(
            Scenario::shared(concat!("wire/", $name, "_v4"), |fixture| $function(fixture, Family::V4, false)),
            Scenario::shared(concat!("wire/", $name, "_v6"), |fixture| $function(fixture, Family::V6, false)),
            Scenario::shared(concat!("wire/", $name, "_v4_offload"), |fixture| $function(fixture, Family::V4, true)),
            Scenario::shared(concat!("wire/", $name, "_v6_offload"), |fixture| $function(fixture, Family::V6, true)),
        )*]
    };
}

pub(super) const SCENARIOS: &[Scenario] = matrix! {
    "client_closes_first" => client_closes_first,
    "server_closes_first" => server_closes_first,
    "reset" => reset,
    "unread_data" => unread_data,
    "no_time_wait" => no_time_wait,
    "refused" => refused,
    "data_lost" => data_lost,
    "syn_lost" => syn_lost,
    "synack_lost" => synack_lost,
    "bulk" => bulk,
    "udp" => udp,
    "udp_fragmented" => udp_fragmented,
};

pub(super) const AT_END: &[Scenario] =
    &[Scenario::watched("wire/last_ack_lost", Watcher::AtEnd, last_ack_lost)];

/// Checks both ends, each against the capture on its side.
fn expect_across(
    session: &Session,
    fixture: &Fixture<'_>,
    (here, client): (&Endpoint, &Side),
    (there, server): (&Endpoint, &Side),
) -> Result<()> {
    let one = session.expect(fixture.name, client, &here.capture)?;
    let two = session.expect(fixture.name, server, &there.capture)?;
    same_conversation(&one, &two)
}

/// Without loss, both captures have to agree: a check of the truth itself.
fn expect_lossless(
    fixture: &Fixture<'_>,
    (here, client): (&Endpoint, &Side),
    (there, server): (&Endpoint, &Side),
) -> Result<()> {
    expect_across(fixture.shared()?, fixture, (here, client), (there, server))?;
    let (transport, local, remote) = client.key();
    let left = here.capture.seen(transport, local, remote)?;
    let right = there.capture.seen(transport, remote, local)?;
    // Where packets overtake each other, one end takes for a retransmission what the other does not.
    let plain = |count: Count| Count { retransmits: 0, ..count };
    let agree =
        plain(left.sent) == plain(right.received) && plain(left.received) == plain(right.sent);
    ensure!(agree, "the captures contradict each other: {left:?} {right:?}");
    Ok(())
}

fn client_closes_first(fixture: &Fixture<'_>, family: Family, offloads: bool) -> Result<()> {
    let (here, there) = fixture.wire(offloads)?;
    let pair = Pair::across(&here, &there, family)?;
    pair.echo(100)?;
    pair.echo(30_000)?;
    pair.close_client_first()?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    expect_lossless(fixture, (&here, &client), (&there, &server))
}

fn server_closes_first(fixture: &Fixture<'_>, family: Family, offloads: bool) -> Result<()> {
    let (here, there) = fixture.wire(offloads)?;
    let pair = Pair::across(&here, &there, family)?;
    pair.echo(100)?;
    pair.close_server_first()?;
    let (client, server) = pair.sides("fin_remote", "fin_local")?;
    expect_lossless(fixture, (&here, &client), (&there, &server))
}

fn reset(fixture: &Fixture<'_>, family: Family, offloads: bool) -> Result<()> {
    let (here, there) = fixture.wire(offloads)?;
    let pair = Pair::across(&here, &there, family)?;
    pair.echo(100)?;
    pair.client.abort(pair.at_client)?;
    pair.server.expect_reset(pair.at_server)?;
    pair.server.close(pair.at_server)?;
    let (client, server) = pair.sides("reset_local", "reset_remote")?;
    expect_lossless(fixture, (&here, &client), (&there, &server))
}

fn unread_data(fixture: &Fixture<'_>, family: Family, offloads: bool) -> Result<()> {
    let (here, there) = fixture.wire(offloads)?;
    let pair = Pair::across(&here, &there, family)?;
    pair.client.send(pair.at_client, 500)?;
    pair.server.receive(pair.at_server, 10)?;
    pair.server.close(pair.at_server)?;
    pair.client.expect_reset(pair.at_client)?;
    pair.client.close(pair.at_client)?;
    let (client, server) = pair.sides("reset_remote", "reset_local")?;
    expect_lossless(fixture, (&here, &client), (&there, &server))
}

/// The kernel keeps no socket for the end of the connection, and answers the last FIN with a reset that
/// belongs to no socket.
fn no_time_wait(fixture: &Fixture<'_>, family: Family, offloads: bool) -> Result<()> {
    let (here, there) = fixture.wire(offloads)?;
    here.netns.set("net/ipv4/tcp_max_tw_buckets", "0").map_err(|error| {
        let cause = error.root_cause().downcast_ref::<io::Error>();
        match cause.map(io::Error::kind) {
            Some(io::ErrorKind::NotFound) => {
                skip("this kernel has one limit of TIME_WAIT for all network namespaces")
            }
            _ => error,
        }
    })?;
    let pair = Pair::across(&here, &there, family)?;
    pair.client.shutdown(pair.at_client)?;
    pair.server.drain(pair.at_server, 0)?;
    // The answer acknowledges the FIN.
    pair.server.send(pair.at_server, 100)?;
    pair.client.receive(pair.at_client, 100)?;
    pair.client.close(pair.at_client)?;
    pair.server.close(pair.at_server)?;
    let (client, server) = pair.sides("fin_local", "reset_remote")?;
    here.capture.wait(client.key(), PATIENCE, "a reset", |seen| seen.sent.resets > 0)?;
    expect_lossless(fixture, (&here, &client), (&there, &server))
}

fn refused(fixture: &Fixture<'_>, family: Family, offloads: bool) -> Result<()> {
    let (here, there) = fixture.wire(offloads)?;
    let client = Worker::spawn(&here.netns, "client")?;
    let side = connect_refused(&client, &here, &there, family)?;
    fixture.expect(&side, &here.capture).map(drop)
}

/// Segments that are lost count for the sender, as often as they were sent, and not for the receiver.
fn data_lost(fixture: &Fixture<'_>, family: Family, offloads: bool) -> Result<()> {
    let (here, there) = fixture.wire(offloads)?;
    let pair = Pair::across(&here, &there, family)?;
    pair.echo(100)?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    let loss = there.lose()?;
    pair.client.send(pair.at_client, 4000)?;
    let what = "a retransmission";
    here.capture.wait(client.key(), PATIENCE, what, |seen| seen.sent.retransmits > 0)?;
    loss.lift()?;
    pair.server.receive(pair.at_server, 4000)?;
    pair.echo(100)?;
    pair.close_client_first()?;
    expect_across(fixture.shared()?, fixture, (&here, &client), (&there, &server))
}

fn syn_lost(fixture: &Fixture<'_>, family: Family, offloads: bool) -> Result<()> {
    handshake_lost(fixture, family, offloads, true)
}

/// A SYN-ACK is sent by a request socket, and so is its repetition.
fn synack_lost(fixture: &Fixture<'_>, family: Family, offloads: bool) -> Result<()> {
    handshake_lost(fixture, family, offloads, false)
}

fn handshake_lost(fixture: &Fixture<'_>, family: Family, offloads: bool, syn: bool) -> Result<()> {
    let (here, there) = fixture.wire(offloads)?;
    let server = Worker::spawn(&there.netns, "server")?;
    let client = Worker::spawn(&here.netns, "client")?;
    let listener = server.listen(there.any_port(family)?)?;
    let at_client = client.bind(here.any_port(family)?)?;
    let (local, remote) = (at_client.local, listener.local);
    let ends = (crate::capture::Transport::Tcp, local, remote);

    let loss = if syn { there.lose()? } else { here.lose()? };
    client.begin(&Command::ConnectBound { fd: at_client.fd, address: remote })?;
    here.capture.wait(ends, PATIENCE, "a second SYN", |seen| seen.sent.syns > 1)?;
    loss.lift()?;
    client.finish()?;
    let at_server = server.accept(listener)?;
    let at_client = crate::worker::Sock { peer: Some(remote), ..at_client };
    let pair = Pair { server, client, at_server, at_client };
    pair.echo(100)?;
    pair.close_client_first()?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    expect_across(fixture.shared()?, fixture, (&here, &client), (&there, &server))
}

/// The last acknowledgement is lost, so the last FIN comes again and is answered from TIME_WAIT.
fn last_ack_lost(fixture: &Fixture<'_>) -> Result<()> {
    let (here, there) = fixture.wire(false)?;
    let pair = Pair::across(&here, &there, Family::V4)?;
    pair.echo(100)?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    pair.client.close(pair.at_client)?;
    pair.server.drain(pair.at_server, 0)?;
    let loss = there.lose()?;
    pair.server.close(pair.at_server)?;
    there.capture.wait(server.key(), PATIENCE, "a second FIN", |seen| seen.sent.fins > 1)?;
    let (transport, local, remote) = server.key();
    let before = there.capture.seen(transport, local, remote)?;
    loss.lift()?;
    let what = "an acknowledgement out of TIME_WAIT";
    there.capture.wait(server.key(), PATIENCE, what, |seen| {
        seen.received.packets > before.received.packets
    })?;
    let session = fixture.shared()?;
    for (endpoint, side) in [(&here, client), (&there, server)] {
        let (transport, local, remote) = side.key();
        let seen = endpoint.capture.seen(transport, local, remote)?;
        session.expect_at_end(fixture.name, side, seen);
    }
    Ok(())
}

fn bulk(fixture: &Fixture<'_>, family: Family, offloads: bool) -> Result<()> {
    const BYTES: u64 = 5_000_000;
    let (here, there) = fixture.wire(offloads)?;
    let pair = Pair::across(&here, &there, family)?;
    pair.client.begin(&Command::Send { fd: pair.at_client.fd, bytes: BYTES, to: None })?;
    pair.server.receive(pair.at_server, BYTES)?;
    pair.client.finish()?;
    pair.close_client_first()?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    // A receiver short of memory may drop what its capture has seen: no claim that both agree.
    expect_across(fixture.shared()?, fixture, (&here, &client), (&there, &server))
}

fn udp(fixture: &Fixture<'_>, family: Family, offloads: bool) -> Result<()> {
    datagrams(fixture, family, offloads, &[1, 500, 1400])
}

/// A datagram longer than the wire carries at once travels in fragments.
fn udp_fragmented(fixture: &Fixture<'_>, family: Family, offloads: bool) -> Result<()> {
    if !fixture.options.is_described() {
        return Err(skip("what lies behind a route, its MTU too, is not found by trying"));
    }
    datagrams(fixture, family, offloads, &[4000])
}

fn datagrams(fixture: &Fixture<'_>, family: Family, offloads: bool, sizes: &[u64]) -> Result<()> {
    let (here, there) = fixture.wire(offloads)?;
    let server = Worker::spawn(&there.netns, "server")?;
    let client = Worker::spawn(&here.netns, "client")?;
    let at_server = server.udp(there.any_port(family)?)?;
    let at_client = client.udp(here.any_port(family)?)?;
    for bytes in sizes {
        client.send_to(at_client, *bytes, at_server.local)?;
        server.receive(at_server, *bytes)?;
        server.send_to(at_server, *bytes, at_client.local)?;
        client.receive(at_client, *bytes)?;
    }
    client.close(at_client)?;
    server.close(at_server)?;
    let one = Side::sender(&client, at_client.local, at_server.local);
    let two = Side::receiver(&server, at_server.local, at_client.local);
    expect_lossless(fixture, (&here, &one), (&there, &two))
}
