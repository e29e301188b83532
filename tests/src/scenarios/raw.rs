//! Raw sockets beside those of connections: they are shown copies of what others receive, and what they send
//! says that it is of others.

use anyhow::{Result, ensure};

use super::{
    Rest, Scenario,
    pair::{Pair, UdpPair, seen},
};
use crate::{
    capture::Seen,
    endpoint::{Endpoint, Family},
    expect::Side,
    fixture::Fixture,
    worker::{PATIENCE, Sock, Worker},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::shared("raw/tcp_v4", |fixture| overheard_tcp(fixture, Family::V4, false)),
    Scenario::shared("raw/tcp_v6", |fixture| overheard_tcp(fixture, Family::V6, false)),
    Scenario::shared("raw/tcp_midway_v4", |fixture| overheard_tcp(fixture, Family::V4, true)),
    Scenario::shared("raw/tcp_midway_v6", |fixture| overheard_tcp(fixture, Family::V6, true)),
    Scenario::shared("raw/udp_v4", |fixture| overheard_udp(fixture, Family::V4)),
    Scenario::shared("raw/udp_v6", |fixture| overheard_udp(fixture, Family::V6)),
    Scenario::shared("raw/forged_tcp_v4", |fixture| forged_tcp(fixture, Family::V4)),
    Scenario::shared("raw/forged_tcp_v6", |fixture| forged_tcp(fixture, Family::V6)),
    Scenario::shared("raw/forged_udp", forged_udp),
    Scenario::before("raw/connected_before", connected_before),
];

/// Raw sockets that listen in at the same time.
const LISTENING_IN: usize = 3;

/// A process with raw sockets of a protocol, as `nmap` and `hping` have them.
fn listening_in(endpoint: &Endpoint, family: Family, protocol: i32) -> Result<Worker> {
    let worker = Worker::spawn(&endpoint.netns, "raw")?;
    for _ in 0..LISTENING_IN {
        worker.raw(protocol, endpoint.any_port(family)?)?;
    }
    Ok(worker)
}

/// Packets of a connection count once, however many raw sockets hear them: from its beginning on, or, `midway`,
/// from its midst.
fn overheard_tcp(fixture: &Fixture<'_>, family: Family, midway: bool) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let listen_in = || listening_in(&endpoint, family, libc::IPPROTO_TCP);
    let mut raw = if midway { None } else { Some(listen_in()?) };
    let pair = Pair::meet(fixture, &endpoint, family)?;
    pair.echo(300)?;
    if midway {
        raw = Some(listen_in()?);
    }
    pair.echo(40_000)?;
    pair.close_client_first()?;
    drop(raw);
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    fixture.expect_both(&client, &server, &endpoint)
}

fn overheard_udp(fixture: &Fixture<'_>, family: Family) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let raw = listening_in(&endpoint, family, libc::IPPROTO_UDP)?;
    let pair = UdpPair::meet(fixture, &endpoint, family)?;
    for bytes in [10, 200, 3000] {
        pair.ask(bytes)?;
    }
    pair.answer(77)?;
    pair.close()?;
    drop(raw);
    let (one, two) = pair.sides();
    fixture.expect_both(&one, &two, &endpoint)
}

/// Ports at the beginning of a TCP or UDP header.
fn ports(from: Sock, to: Sock) -> Vec<u8> {
    [from.local.port().to_be_bytes(), to.local.port().to_be_bytes()].concat()
}

/// Sends from a raw socket what says that it goes from one socket to another; what a capture sees of it, from the
/// side of `from`.
fn forge(
    endpoint: &Endpoint,
    family: Family,
    protocol: i32,
    side: &Side,
    packet: &[u8],
) -> Result<Seen> {
    let forger = Worker::spawn(&endpoint.netns, "forger")?;
    let raw = forger.raw(protocol, endpoint.any_port(family)?)?;
    let before = seen(endpoint, side)?;
    let (_, _, mut to) = side.key();
    to.set_port(0);
    forger.send_bytes(raw, packet, Some(to))?;
    endpoint.capture.wait(side.key(), PATIENCE, "what was forged", |seen| {
        seen.sent.packets > before.sent.packets
    })?;
    Ok(seen(endpoint, side)?.since(before))
}

/// An acknowledgement that a raw socket makes up is not the server's, for which it passes itself off. Its checksum
/// is wrong, so that the client's socket is not shown it.
fn forged_tcp(fixture: &Fixture<'_>, family: Family) -> Result<()> {
    const ACK: u8 = 0x10;
    let endpoint = fixture.loopback()?;
    let session = fixture.shared()?;
    let pair = Pair::meet(fixture, &endpoint, family)?;
    pair.echo(300)?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    let mut header = ports(pair.at_server, pair.at_client);
    header.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, ACK, 0x10, 0, 0xba, 0xd1, 0, 0]);
    let forged = forge(&endpoint, family, libc::IPPROTO_TCP, &server, &header)?;
    ensure!(forged.sent.packets == 1, "one packet was forged, and seen {forged:?}");
    pair.echo(500)?;
    pair.close_client_first()?;
    session.expect_nth(fixture.name, &client, 0, || {
        let Seen { sent, received } = seen(&endpoint, &client)?;
        Ok(Seen { sent, received: received.since(forged.sent) })
    })?;
    session.expect_nth(fixture.name, &server, 0, || {
        let Seen { sent, received } = seen(&endpoint, &server)?;
        Ok(Seen { sent: sent.since(forged.sent), received })
    })?;
    Ok(())
}

/// A datagram that a raw socket makes up is received by whom it is for, and is not sent by whom it says.
fn forged_udp(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let session = fixture.shared()?;
    let pair = UdpPair::meet(fixture, &endpoint, Family::V4)?;
    pair.ask(10)?;
    pair.answer(20)?;
    let (one, two) = pair.sides();
    let mut datagram = ports(pair.at_server, pair.at_client);
    // Length, no checksum, data.
    datagram.extend([0, 13, 0, 0]);
    datagram.extend(b"false");
    let forged = forge(&endpoint, Family::V4, libc::IPPROTO_UDP, &two, &datagram)?;
    pair.client.receive(pair.at_client, 5)?;
    pair.close()?;
    fixture.expect(&one, &endpoint.capture)?;
    session.expect_nth(fixture.name, &two, 0, || {
        let Seen { sent, received } = seen(&endpoint, &two)?;
        Ok(Seen { sent: sent.since(forged.sent), received })
    })?;
    Ok(())
}

/// Raw sockets that are open when the agent starts, one connected, are no connections and no servers: not even at
/// the end, when all flows are reported that are open.
fn connected_before(fixture: &Fixture<'_>) -> Result<Rest> {
    let endpoint = fixture.loopback()?;
    let raw = listening_in(&endpoint, Family::V6, libc::IPPROTO_UDP)?;
    let at_raw = raw.raw(libc::IPPROTO_TCP, endpoint.any_port(Family::V6)?)?;
    let mut to = endpoint.any_port(Family::V6)?;
    to.set_port(4242);
    raw.udp_connect(at_raw, to)?;
    Ok(Box::new(move |fixture| {
        fixture.keep(raw);
        let pair = Pair::meet(fixture, &endpoint, Family::V6)?;
        pair.echo(500)?;
        pair.close_client_first()?;
        let (client, server) = pair.sides("fin_local", "fin_remote")?;
        fixture.expect_both(&client, &server, &endpoint)
    }))
}
