//! With `socket.enable_ipv6: false`.

use anyhow::Result;

use super::{Scenario, Watcher, pair::Pair, udp};
use crate::{endpoint::Family, expect::Side, fixture::Fixture};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::watched("ipv6_off/tcp_v4", Watcher::Narrow, |fixture| tcp(fixture, Family::V4)),
    Scenario::watched("ipv6_off/tcp_mapped", Watcher::Narrow, |fixture| {
        tcp(fixture, Family::Mapped)
    }),
    Scenario::watched("ipv6_off/udp_three_peers", Watcher::Narrow, three_peers),
    Scenario::watched("ipv6_off/nothing_of_ipv6", Watcher::Narrow, nothing),
];

fn tcp(fixture: &Fixture<'_>, family: Family) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let pair = Pair::meet(fixture, &endpoint, family)?;
    pair.echo(900)?;
    pair.close_client_first()?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    fixture.expect_both(&client, &server, &endpoint)
}

fn three_peers(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    for side in &udp::to_three_peers(fixture, &endpoint)? {
        fixture.expect(side, &endpoint.capture)?;
    }
    Ok(())
}

/// Both transports over IPv6 make no document; one over IPv4, made after them, does.
fn nothing(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let hidden = Pair::meet(fixture, &endpoint, Family::V6)?;
    hidden.echo(100)?;
    hidden.close_client_first()?;
    let (receiver, sender) = (&hidden.server, &hidden.client);
    let at_receiver = receiver.udp(endpoint.any_port(Family::V6)?)?;
    let at_sender = sender.udp(endpoint.any_port(Family::V6)?)?;
    sender.send_to(at_sender, 10, at_receiver.local)?;
    receiver.receive(at_receiver, 10)?;
    let to = receiver.udp(endpoint.any_port(Family::V4)?)?;
    let from = sender.udp(endpoint.any_port(Family::V4)?)?;
    sender.send_to(from, 20, to.local)?;
    receiver.receive(to, 20)?;
    for (worker, sock) in
        [(sender, at_sender), (sender, from), (receiver, at_receiver), (receiver, to)]
    {
        worker.close(sock)?;
    }
    // Any further document of a worker is one too many when the agent ends.
    fixture.expect_both(
        &Side::sender(sender, from.local, to.local),
        &Side::receiver(receiver, to.local, from.local),
        &endpoint,
    )
}
