//! UDP over loopback: one flow for each peer.

use anyhow::{Context, Result};

use super::Scenario;
use crate::{
    expect::Side,
    lab::Lab,
    place::{Family, through},
    puppet::{Command, Puppet},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::shared("udp/unconnected_v4", |lab| exchange(lab, Family::V4, false)),
    Scenario::shared("udp/unconnected_v6", |lab| exchange(lab, Family::V6, false)),
    Scenario::shared("udp/unconnected_mapped", |lab| exchange(lab, Family::Mapped, false)),
    Scenario::shared("udp/connected_v4", |lab| exchange(lab, Family::V4, true)),
    Scenario::shared("udp/connected_v6", |lab| exchange(lab, Family::V6, true)),
    Scenario::shared("udp/connected_mapped", |lab| exchange(lab, Family::Mapped, true)),
    Scenario::shared("udp/three_peers", three_peers),
    Scenario::shared("udp/one_way", one_way),
    Scenario::shared("udp/late", late),
    Scenario::shared("udp/port_used_again", port_used_again),
];

/// Three datagrams one way, one back.
fn exchange(lab: &Lab<'_>, family: Family, connected: bool) -> Result<()> {
    let place = lab.loopback()?;
    let (server, client) = lab.couple(&place)?;
    let at_server = server.udp(place.any_port(family)?)?;
    let at_client = client.udp(place.any_port(family)?)?;
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
    lab.expect_both(&one, &two, &place)
}

fn three_peers(lab: &Lab<'_>) -> Result<()> {
    let place = lab.loopback()?;
    let client = Puppet::spawn(&place.netns, "client")?;
    let at_client = client.udp(place.any_port(Family::V4)?)?;
    let mut sides = Vec::new();
    let mut servers = Vec::new();
    for number in 1..=3 {
        let server = Puppet::spawn(&place.netns, "server")?;
        let at_server = server.udp(place.any_port(Family::V4)?)?;
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
    for side in &sides {
        lab.expect(side, &place.capture)?;
    }
    Ok(())
}

fn one_way(lab: &Lab<'_>) -> Result<()> {
    let place = lab.loopback()?;
    let (server, client) = lab.couple(&place)?;
    let at_server = server.udp(place.any_port(Family::V4)?)?;
    let at_client = client.udp(place.any_port(Family::V4)?)?;
    // An empty datagram is a packet as well.
    client.send_to(at_client, 0, at_server.local)?;
    server.receive(at_server, 0)?;
    client.close(at_client)?;
    server.close(at_server)?;
    let one = Side::sender(&client, at_client.local, at_server.local);
    let two = Side::receiver(&server, at_server.local, at_client.local);
    lab.expect_both(&one, &two, &place)
}

/// A datagram to a socket that is closed already reaches no socket: it belongs to the sender's flow
/// only, and makes no document of its own.
fn late(lab: &Lab<'_>) -> Result<()> {
    let place = lab.loopback()?;
    let (server, client) = lab.couple(&place)?;
    let at_server = server.udp(place.any_port(Family::V4)?)?;
    let at_client = client.udp(place.any_port(Family::V4)?)?;
    client.send_to(at_client, 50, at_server.local)?;
    server.receive(at_server, 50)?;
    let one = Side::sender(&client, at_client.local, at_server.local);
    let two = Side::receiver(&server, at_server.local, at_client.local);
    let (transport, local, remote) = two.key();
    let before = place.capture.seen(transport, local, remote)?;
    server.close(at_server)?;
    client.send_to(at_client, 60, at_server.local)?;
    client.close(at_client)?;
    lab.expect(&one, &place.capture)?;
    lab.shared()?.expect_nth(lab.name, &two, 0, || Ok(before))?;
    Ok(())
}

/// Another socket on the same port is another flow, counted from zero.
fn port_used_again(lab: &Lab<'_>) -> Result<()> {
    let place = lab.loopback()?;
    let (server, client) = lab.couple(&place)?;
    let first = server.udp(place.any_port(Family::V4)?)?;
    let at_client = client.udp(place.any_port(Family::V4)?)?;
    let side = Side::receiver(&server, first.local, at_client.local);
    let (transport, local, remote) = side.key();

    client.send_to(at_client, 50, first.local)?;
    server.receive(first, 50)?;
    server.close(first)?;
    let then = place.capture.seen(transport, local, remote)?;

    let second = server.udp(local)?;
    client.send_to(at_client, 60, second.local)?;
    client.send_to(at_client, 70, second.local)?;
    server.receive(second, 60)?;
    server.receive(second, 70)?;
    server.step(&Command::Close { fd: second.fd })?;
    client.close(at_client)?;

    let session = lab.shared()?;
    session.expect_nth(lab.name, &side, 0, || Ok(then))?;
    session.expect_nth(lab.name, &side, 1, || {
        Ok(place.capture.seen(transport, local, remote)?.since(then))
    })?;
    let one = Side::sender(&client, at_client.local, local);
    lab.expect(&one, &place.capture).map(drop)
}
