//! With `socket.enable_ipv6: false`.

use anyhow::Result;

use super::{Scenario, pair::Pair, udp};
use crate::{
    agent::Timeouts,
    expect::{Session, Side},
    lab::Lab,
    place::Family,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::own("ipv6_off/tcp_v4", |lab| tcp(lab, Family::V4)),
    Scenario::own("ipv6_off/tcp_mapped", |lab| tcp(lab, Family::Mapped)),
    Scenario::own("ipv6_off/udp_three_peers", three_peers),
    Scenario::own("ipv6_off/nothing_of_ipv6", nothing),
];

fn agent(lab: &Lab<'_>) -> Result<Session> {
    lab.agent_with(Timeouts::default(), &["socket.enable_ipv6: false"])
}

fn tcp(lab: &Lab<'_>, family: Family) -> Result<()> {
    let place = lab.loopback()?;
    let session = agent(lab)?;
    let pair = Pair::meet(lab, &place, family)?;
    pair.echo(900)?;
    pair.close_client_first()?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    session.expect(lab.name, &client, &place.capture)?;
    session.expect(lab.name, &server, &place.capture)?;
    session.stop().map(drop)
}

fn three_peers(lab: &Lab<'_>) -> Result<()> {
    let place = lab.loopback()?;
    let session = agent(lab)?;
    for side in &udp::to_three_peers(lab, &place)? {
        session.expect(lab.name, side, &place.capture)?;
    }
    session.stop().map(drop)
}

/// Both transports over IPv6 make no document; one over IPv4, made after them, does.
fn nothing(lab: &Lab<'_>) -> Result<()> {
    let place = lab.loopback()?;
    let session = agent(lab)?;
    let hidden = Pair::meet(lab, &place, Family::V6)?;
    hidden.echo(100)?;
    hidden.close_client_first()?;
    let (receiver, sender) = (&hidden.server, &hidden.client);
    let at_receiver = receiver.udp(place.any_port(Family::V6)?)?;
    let at_sender = sender.udp(place.any_port(Family::V6)?)?;
    sender.send_to(at_sender, 10, at_receiver.local)?;
    receiver.receive(at_receiver, 10)?;
    let to = receiver.udp(place.any_port(Family::V4)?)?;
    let from = sender.udp(place.any_port(Family::V4)?)?;
    sender.send_to(from, 20, to.local)?;
    receiver.receive(to, 20)?;
    for (puppet, sock) in
        [(sender, at_sender), (sender, from), (receiver, at_receiver), (receiver, to)]
    {
        puppet.close(sock)?;
    }
    session.expect(lab.name, &Side::sender(sender, from.local, to.local), &place.capture)?;
    session.expect(lab.name, &Side::receiver(receiver, to.local, from.local), &place.capture)?;
    // Any further document of a puppet is one too many.
    session.stop().map(drop)
}
