//! TCP over loopback.

use anyhow::Result;

use super::{Scenario, pair::Pair};
use crate::{
    endpoint::{Endpoint, Family},
    fixture::Fixture,
    worker::{Command, PATIENCE},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::shared("tcp/echo_v4", |fixture| echo(fixture, &fixture.loopback()?, Family::V4)),
    Scenario::shared("tcp/echo_v6", |fixture| echo(fixture, &fixture.loopback()?, Family::V6)),
    Scenario::shared("tcp/echo_mapped", |fixture| {
        echo(fixture, &fixture.loopback()?, Family::Mapped)
    }),
    Scenario::shared("tcp/echo_host_v4", |fixture| echo(fixture, &fixture.host()?, Family::V4)),
    Scenario::shared("tcp/echo_host_v6", |fixture| echo(fixture, &fixture.host()?, Family::V6)),
    Scenario::shared("tcp/server_closes_first", server_closes_first),
    Scenario::shared("tcp/half_close", half_close),
    Scenario::shared("tcp/reset", reset),
    Scenario::shared("tcp/close_with_unread_data", unread_data),
    Scenario::shared("tcp/send_after_peer_closed", send_after_close),
    Scenario::shared("tcp/sendfile", |fixture| {
        zero_copy(fixture, |fd| Command::SendFile { fd, bytes: 300_000 })
    }),
    Scenario::shared("tcp/splice", |fixture| {
        zero_copy(fixture, |fd| Command::Splice { fd, bytes: 60_000 })
    }),
    Scenario::shared("tcp/peek", peek),
    Scenario::shared("tcp/large", large),
];

fn echo(fixture: &Fixture<'_>, endpoint: &Endpoint, family: Family) -> Result<()> {
    let pair = Pair::meet(fixture, endpoint, family)?;
    pair.echo(1000)?;
    pair.echo(20_000)?;
    pair.close_client_first()?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    fixture.expect_both(&client, &server, endpoint)
}

fn server_closes_first(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    pair.echo(1000)?;
    pair.close_server_first()?;
    let (client, server) = pair.sides("fin_remote", "fin_local")?;
    fixture.expect_both(&client, &server, &endpoint)
}

fn half_close(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let pair = Pair::meet(fixture, &endpoint, Family::V6)?;
    pair.client.send(pair.at_client, 700)?;
    pair.client.shutdown(pair.at_client)?;
    pair.server.drain(pair.at_server, 700)?;
    // The other direction stays open.
    pair.server.send(pair.at_server, 50_000)?;
    pair.client.receive(pair.at_client, 50_000)?;
    pair.server.close(pair.at_server)?;
    pair.client.drain(pair.at_client, 0)?;
    pair.client.close(pair.at_client)?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    fixture.expect_both(&client, &server, &endpoint)
}

fn reset(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    pair.echo(1000)?;
    pair.client.abort(pair.at_client)?;
    pair.server.expect_reset(pair.at_server)?;
    pair.server.close(pair.at_server)?;
    let (client, server) = pair.sides("reset_local", "reset_remote")?;
    fixture.expect_both(&client, &server, &endpoint)
}

/// Closing with data unread resets the connection.
fn unread_data(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    pair.client.send(pair.at_client, 5000)?;
    pair.server.receive(pair.at_server, 10)?;
    pair.server.close(pair.at_server)?;
    pair.client.expect_reset(pair.at_client)?;
    pair.client.close(pair.at_client)?;
    let (client, server) = pair.sides("reset_remote", "reset_local")?;
    fixture.expect_both(&client, &server, &endpoint)
}

/// Data to a socket that is closed already is answered with a reset.
fn send_after_close(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    pair.server.close(pair.at_server)?;
    pair.client.drain(pair.at_client, 0)?;
    pair.client.send(pair.at_client, 100)?;
    let (client, server) = pair.sides("reset_remote", "fin_local")?;
    let what = "the reset";
    endpoint.capture.wait(client.key(), PATIENCE, what, |seen| seen.received.resets >= 1)?;
    pair.client.close(pair.at_client)?;
    fixture.expect_both(&client, &server, &endpoint)
}

fn zero_copy(fixture: &Fixture<'_>, send: fn(i32) -> Command) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    let command = send(pair.at_client.fd);
    let (Command::SendFile { bytes, .. } | Command::Splice { bytes, .. }) = command else {
        anyhow::bail!("{command:?} does not send")
    };
    pair.client.begin(&command)?;
    pair.server.receive(pair.at_server, bytes)?;
    pair.client.finish()?;
    pair.close_client_first()?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    fixture.expect_both(&client, &server, &endpoint)
}

fn peek(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    pair.client.send(pair.at_client, 3000)?;
    for _ in 0..3 {
        pair.server.step(&Command::Peek { fd: pair.at_server.fd })?;
    }
    pair.server.receive(pair.at_server, 3000)?;
    pair.close_client_first()?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    fixture.expect_both(&client, &server, &endpoint)
}

fn large(fixture: &Fixture<'_>) -> Result<()> {
    const BYTES: u64 = 100 << 20;
    let endpoint = fixture.loopback()?;
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    pair.client.begin(&Command::Send { fd: pair.at_client.fd, bytes: BYTES, to: None })?;
    pair.server.receive(pair.at_server, BYTES)?;
    pair.client.finish()?;
    pair.close_client_first()?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    let (transport, local, remote) = client.key();
    fixture.expect_both(&client, &server, &endpoint)?;
    let sent = endpoint.capture.seen(transport, local, remote)?.sent;
    anyhow::ensure!(sent.bytes > BYTES, "the capture itself saw only {sent:?}");
    Ok(())
}
