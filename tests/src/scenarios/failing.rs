//! Connections that never come to be.

use anyhow::{Result, ensure};

use super::Scenario;
use crate::{
    agent::Doc,
    capture::Transport,
    endpoint::{Endpoint, Family},
    expect::{Direction, Side},
    fixture::Fixture,
    worker::{Command, Sock, Worker},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::shared("failing/refused_v4", |fixture| refused(fixture, Family::V4)),
    Scenario::shared("failing/refused_v6", |fixture| refused(fixture, Family::V6)),
    Scenario::shared("failing/timed_out", timed_out),
    Scenario::shared("failing/cancelled", cancelled),
];

fn refused(fixture: &Fixture<'_>, family: Family) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let client = Worker::spawn(&endpoint.netns, "client")?;
    let side = connect_refused(&client, &endpoint, &endpoint, family)?;
    says_why(&fixture.expect(&side, &endpoint.capture)?, "ECONNREFUSED")
}

/// The document of a connect that failed names the error.
fn says_why(doc: &Doc, code: &str) -> Result<()> {
    let reported = doc.text("error.code");
    ensure!(
        reported == code && !doc.text("error.message").is_empty(),
        "error.code is {reported:?}"
    );
    Ok(())
}

/// Connects from `here` to a port of `there` that nothing listens on.
pub(super) fn connect_refused(
    client: &Worker,
    here: &Endpoint,
    there: &Endpoint,
    family: Family,
) -> Result<Side> {
    let sock = client.bind(here.any_port(family)?)?;
    let remote = there.closed_port(family)?;
    let errno = client.fail(&Command::ConnectBound { fd: sock.fd, address: remote })?;
    let seen = here.capture.seen(Transport::Tcp, sock.local, remote)?;
    ensure!(errno == libc::ECONNREFUSED, "connecting to a closed port: errno {errno}, {seen:?}");
    client.close(sock)?;
    let side = Side::of(client, Transport::Tcp, sock.local, remote, Direction::Egress);
    Ok(side.began("connect").ended("refused").failed())
}

/// A SYN and its repetitions are lost; the kernel gives up after some seconds.
fn timed_out(fixture: &Fixture<'_>) -> Result<()> {
    let (here, there) = fixture.wire(false)?;
    let _lost = there.lose()?;
    let client = Worker::spawn(&here.netns, "client")?;
    let (sock, remote) = bound(&client, &here, &there)?;
    client.step(&Command::SynRetries { fd: sock.fd, retries: 1 })?;
    let errno = client.fail(&Command::ConnectBound { fd: sock.fd, address: remote })?;
    ensure!(errno == libc::ETIMEDOUT, "connecting to nowhere gave errno {errno}");
    client.close(sock)?;
    let side = Side::of(&client, Transport::Tcp, sock.local, remote, Direction::Egress);
    let side = side.began("connect").ended("timeout").failed();
    let (transport, local, remote) = side.key();
    let seen = here.capture.seen(transport, local, remote)?;
    ensure!(seen.sent.syns >= 2, "the SYN was not repeated: {seen:?}");
    says_why(&fixture.expect(&side, &here.capture)?, "ETIMEDOUT")
}

/// The process closes the socket while the connect is under way.
fn cancelled(fixture: &Fixture<'_>) -> Result<()> {
    let (here, there) = fixture.wire(false)?;
    let _lost = there.lose()?;
    let client = Worker::spawn(&here.netns, "client")?;
    let (sock, remote) = bound(&client, &here, &there)?;
    client.step(&Command::Nonblocking { fd: sock.fd })?;
    let errno = client.fail(&Command::ConnectBound { fd: sock.fd, address: remote })?;
    ensure!(errno == libc::EINPROGRESS, "a connect that does not wait gave errno {errno}");
    client.close(sock)?;
    let side = Side::of(&client, Transport::Tcp, sock.local, remote, Direction::Egress);
    fixture.expect(&side.began("connect").ended("cancelled").failed(), &here.capture).map(drop)
}

fn bound(
    client: &Worker,
    here: &Endpoint,
    there: &Endpoint,
) -> Result<(Sock, std::net::SocketAddr)> {
    Ok((client.bind(here.any_port(Family::V4)?)?, there.closed_port(Family::V4)?))
}
