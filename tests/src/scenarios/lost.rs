//! An end of a socket that the agent was not shown.

use anyhow::{Context, Result, ensure};

use super::{Scenario, pair::Pair};
use crate::{
    agent::{Table, Timeouts},
    endpoint::Family,
    expect::Side,
    fixture::Fixture,
    skip::skip,
    worker::Sock,
};

pub(super) const SCENARIOS: &[Scenario] = &[Scenario::own("lost/release", release)];

/// Where `struct Flow` has the local port: after three numbers and two addresses.
const LOCAL_PORT: usize = 3 * 8 + 2 * 16;
/// Connections until the kernel takes an address up again; it does so at once as a rule.
const MOST: usize = 2000;

/// A flow whose socket was closed unseen is in the table. When the socket's address is taken up by
/// another connection it is reported, once, and the other is counted for itself.
fn release(fixture: &Fixture<'_>) -> Result<()> {
    fixture.needs_ebpf()?;
    let endpoint = fixture.loopback()?;
    let session = fixture.agent(Timeouts::default())?;
    let flows = Table::of(session.pid(), "FLOWS")?;
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    pair.echo(300)?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    let address = address_of(&flows, pair.at_client)?;
    let mut flow = flows.get(address)?.context("the flow has gone")?;
    let (transport, local, remote) = client.key();
    let seen = endpoint.capture.seen(transport, local, remote)?;
    pair.close_client_first()?;
    session.expect(fixture.name, &client, &endpoint.capture)?;
    session.expect(fixture.name, &server, &endpoint.capture)?;

    // As another flow, whose end was lost.
    flow[0] ^= 1;
    flows.put(address, &flow)?;
    let listener = pair.server.listen(endpoint.any_port(Family::V4)?)?;
    for _ in 0..MOST {
        let at_client = pair.client.connect(listener.local)?;
        let at_server = pair.server.accept(listener)?;
        let now = flows.get(address)?;
        let taken = now.is_none_or(|now| now[..8] != flow[..8]);
        pair.client.close(at_client)?;
        pair.server.drain(at_server, 0)?;
        pair.server.close(at_server)?;
        let near = Side::connected(&pair.client, at_client)?.ended("fin_local");
        let far = Side::accepted(&pair.server, at_server)?.ended("fin_remote");
        if !taken {
            // Not waited for, or this would take a second each time.
            session.admit(fixture.name, &near);
            session.admit(fixture.name, &far);
        } else {
            session.expect(fixture.name, &near, &endpoint.capture)?;
            session.expect(fixture.name, &far, &endpoint.capture)?;
            session.expect_nth(fixture.name, &client.ended("closed"), 1, || Ok(seen))?;
            return session.stop().map(drop);
        }
    }
    // The kernel's allocator decides.
    Err(skip(format!("no other socket took the address {address:#x} in {MOST} connections")))
}

fn address_of(flows: &Table, sock: Sock) -> Result<u64> {
    let port = sock.local.port().to_ne_bytes();
    let mut found = Vec::new();
    for key in flows.keys()? {
        let flow = flows.get(key)?;
        if flow.is_some_and(|flow| flow[LOCAL_PORT..LOCAL_PORT + 2] == port) {
            found.push(key);
        }
    }
    ensure!(found.len() == 1, "{} flows with the local port of {sock:?}", found.len());
    Ok(found[0])
}
