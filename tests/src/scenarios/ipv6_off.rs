//! With `socket.enable_ipv6: false`.

use anyhow::Result;

use super::{Scenario, Watcher, pair::Pair, udp};
use crate::{expect::Side, lab::Lab, place::Family};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::watched("ipv6_off/tcp_v4", Watcher::Narrow, |lab| tcp(lab, Family::V4)),
    Scenario::watched("ipv6_off/tcp_mapped", Watcher::Narrow, |lab| tcp(lab, Family::Mapped)),
    Scenario::watched("ipv6_off/udp_three_peers", Watcher::Narrow, three_peers),
    Scenario::watched("ipv6_off/nothing_of_ipv6", Watcher::Narrow, nothing),
];

fn tcp(lab: &Lab<'_>, family: Family) -> Result<()> {
    let place = lab.loopback()?;
    let pair = Pair::meet(lab, &place, family)?;
    pair.echo(900)?;
    pair.close_client_first()?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    lab.expect_both(&client, &server, &place)
}

fn three_peers(lab: &Lab<'_>) -> Result<()> {
    let place = lab.loopback()?;
    for side in &udp::to_three_peers(lab, &place)? {
        lab.expect(side, &place.capture)?;
    }
    Ok(())
}

/// Both transports over IPv6 make no document; one over IPv4, made after them, does.
fn nothing(lab: &Lab<'_>) -> Result<()> {
    let place = lab.loopback()?;
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
    for (worker, sock) in
        [(sender, at_sender), (sender, from), (receiver, at_receiver), (receiver, to)]
    {
        worker.close(sock)?;
    }
    // Any further document of a worker is one too many when the agent ends.
    lab.expect_both(
        &Side::sender(sender, from.local, to.local),
        &Side::receiver(receiver, to.local, from.local),
        &place,
    )
}
