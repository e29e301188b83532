//! Processes that are gone, or odd, when their flow is reported.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use nix::{
    sys::time::TimeValLike as _,
    time::{ClockId, clock_gettime},
};

use super::Scenario;
use crate::{
    agent::{Doc, kernel_version},
    capture::Transport,
    endpoint::{Endpoint, Family},
    expect::{Direction, Side},
    fixture::Fixture,
    skip::skip,
    worker::{
        Sock, Worker,
        one_shot::{BYTES, MEMORY, OneShot, Way},
    },
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::shared("process/lives_a_millisecond", |fixture| one_shot_sends(fixture, Way::Plain)),
    Scenario::shared("process/leader_has_exited", |fixture| {
        one_shot_sends(fixture, Way::Leaderless)
    }),
    Scenario::shared("process/executed_from_memory", |fixture| {
        one_shot_sends(fixture, Way::Memory)
    }),
    Scenario::shared("process/executed_by_a_thread", |fixture| {
        one_shot_sends(fixture, Way::FromThread)
    }),
    Scenario::shared("process/named_like_a_kernel_thread", |fixture| {
        one_shot_sends(fixture, Way::Disguised)
    }),
    Scenario::shared("process/thousands_of_arguments", many_arguments),
    Scenario::shared("process/pid_used_again", pid_used_again),
];

/// A UDP server, and where it hears.
fn server(endpoint: &Endpoint) -> Result<(Worker, Sock)> {
    let server = Worker::spawn(&endpoint.netns, "server")?;
    let sock = server.udp(endpoint.any_port(Family::V4)?)?;
    Ok((server, sock))
}

/// The end of a one-shot process that has sent from `local`.
fn side(one_shot: &OneShot, local: SocketAddr, target: SocketAddr) -> Side {
    let (pid, arguments) = (one_shot.pid, one_shot.arguments.clone());
    let side = Side::of_any(pid, arguments, Transport::Udp, local, target, Direction::Egress);
    let side = side.began("send").ended("closed").complete(false);
    if one_shot.way == Way::Memory { side.executable(MEMORY) } else { side }
}

/// Parent and start are those of a process that a test has started a moment ago.
fn check_birth(doc: &Doc) -> Result<()> {
    let parent = doc.text("process.parent.pid");
    ensure!(parent == std::process::id().to_string(), "process.parent.pid is {parent}");
    let time = |field: &str| {
        humantime::parse_rfc3339(&doc.text(field)).with_context(|| format!("{field} is no time"))
    };
    let (born, sent) = (time("process.start")?, time("event.start")?);
    let age = sent.duration_since(born).unwrap_or_default();
    ensure!(age.as_secs() < 60, "process.start is {born:?}, {age:?} before it sent");
    // To the tick of the kernel's clock.
    ensure!(born <= sent, "process.start {born:?} is after event.start {sent:?}");
    Ok(())
}

/// # Errors
/// A skip for the set that reads less of a process.
fn read_whole(fixture: &Fixture<'_>) -> Result<()> {
    if fixture.options.hooks == "tracefs" {
        return Err(skip("the set tracefs reads a bounded part of what a process executes"));
    }
    Ok(())
}

fn one_shot_sends(fixture: &Fixture<'_>, way: Way) -> Result<()> {
    read_whole(fixture)?;
    if fixture.options.is_early() && matches!(way, Way::Memory | Way::FromThread) {
        return Err(skip("the programs for kernels before 5.8 do not tell where an executable is"));
    }
    let endpoint = fixture.loopback()?;
    let server = server(&endpoint)?;
    // More, and longer ones, than any fixed number of small buffers would hold.
    let extra: Vec<String> = (0..40).map(|number| format!("{number:0>200}")).collect();
    let mut one_shot = OneShot::start(&endpoint.netns, server.1.local, way, &extra)?;
    landed(fixture, &endpoint, server, &mut one_shot).map(drop)
}

/// As many as are carried of a process that is gone, 16 KiB.
fn many_arguments(fixture: &Fixture<'_>) -> Result<()> {
    read_whole(fixture)?;
    let endpoint = fixture.loopback()?;
    let server = server(&endpoint)?;
    let extra: Vec<String> = (0..3000).map(|number| format!("{number:0>4}")).collect();
    let mut one_shot = OneShot::start(&endpoint.netns, server.1.local, Way::Plain, &extra)?;
    let length: usize = one_shot.arguments.iter().map(|argument| argument.len() + 1).sum();
    ensure!((12_288..16_384).contains(&length), "the arguments take {length} bytes");
    landed(fixture, &endpoint, server, &mut one_shot).map(drop)
}

/// Two processes with one pid are two processes.
fn pid_used_again(fixture: &Fixture<'_>) -> Result<()> {
    const TRIES: usize = 20;
    if kernel_version() < (5, 5) {
        return Err(skip("kernels before 5.5 choose the pids of processes themselves"));
    }
    let endpoint = fixture.loopback()?;
    for _ in 0..TRIES {
        let (one, two) = (server(&endpoint)?, server(&endpoint)?);
        let mut first = OneShot::start(&endpoint.netns, one.1.local, Way::Plain, &[])?;
        first.wait()?;
        next_tick()?;
        // Someone else may have been given the pid meanwhile.
        let second = OneShot::start_as(first.pid, &endpoint.netns, two.1.local)?;
        let first = landed(fixture, &endpoint, one, &mut first)?;
        let Some(mut second) = second else { continue };
        let second = landed(fixture, &endpoint, two, &mut second)?;
        let ids = [first, second].map(|doc| doc.text("process.entity_id"));
        ensure!(ids[0] != ids[1], "two processes of one pid have one entity_id: {ids:?}");
        return Ok(());
    }
    anyhow::bail!("the pid of a process that was gone could not be had in {TRIES} tries")
}

/// Waits until the kernel's clock tick, 10 ms, is over: processes are distinguished by pid and the tick
/// they started in.
fn next_tick() -> Result<()> {
    let tick = || {
        Ok::<_, anyhow::Error>(
            clock_gettime(ClockId::CLOCK_BOOTTIME)?.num_nanoseconds() / 10_000_000,
        )
    };
    let now = tick()?;
    while tick()? == now {
        std::thread::yield_now();
    }
    Ok(())
}

/// Checks both ends of what a one-shot process sent; returns the document of its own.
fn landed(
    fixture: &Fixture<'_>,
    endpoint: &Endpoint,
    (server, sock): (Worker, Sock),
    one_shot: &mut OneShot,
) -> Result<Doc> {
    let from = server.receive(sock, BYTES)?.context("a datagram from nobody")?;
    one_shot.wait()?;
    server.close(sock)?;
    fixture.expect(&Side::receiver(&server, sock.local, from), &endpoint.capture)?;
    let doc = fixture.expect(&side(one_shot, from, sock.local), &endpoint.capture)?;
    check_birth(&doc)?;
    Ok(doc)
}
