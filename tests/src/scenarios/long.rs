//! Flows that go on for longer than the report period, and large ones.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Scenario, Watcher, pair::Pair};
use crate::{
    agent::{Doc, Timeouts},
    endpoint::{Endpoint, Family},
    expect::{Session, Side},
    fixture::Fixture,
    skip::skip,
    worker::Command,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::watched("long/tcp_is_reported_again_and_again", Watcher::Often, reports_tcp),
    Scenario::watched("long/udp_is_reported_again_and_again", Watcher::Often, reports_udp),
    Scenario::watched("long/reported_and_then_stopped", Watcher::Often, then_stopped),
    // What the agent makes of pause and period; the kernel knows nothing of either.
    Scenario::own("long/reported_and_then_idle", then_idle).portable(),
    Scenario::own("long/period_zero_is_never", never).portable(),
    // An emulated machine would take minutes.
    Scenario::own("long/beyond_4_gib", beyond_4_gib).portable(),
];

const PERIOD: &[&str] = &["socket.flow_report_period: 300ms"];

/// Documents of one end that are not final.
fn reports<'d>(documents: &'d [Doc], side: &Side) -> Vec<&'d Doc> {
    documents.iter().filter(|doc| side.is_reported_by(doc) && !is_final(doc)).collect()
}

fn is_final(doc: &Doc) -> bool {
    doc.text("flow.final") == "true"
}

/// Lets both ends speak until each has been reported so many times more.
fn keep_on(
    session: &Session,
    ends: [&Side; 2],
    times: usize,
    speak: impl Fn() -> Result<()>,
) -> Result<()> {
    for _ in 0..times {
        let reported = ends.map(|side| reports(&session.documents(), side).len());
        speak()?;
        let more = session.wait_for(|documents| {
            let now = ends.map(|side| reports(documents, side).len());
            (now[0] > reported[0] && now[1] > reported[1]).then_some(())
        });
        more.context("no report of a flow that goes on came")?;
    }
    Ok(())
}

/// All documents of one flow, in order: counts grow, the last one alone is final.
///
/// Round-trip times are reported if the kernel's types are `described`.
fn check_series(documents: &[Doc], side: &Side, closed: bool, described: bool) -> Result<()> {
    let series: Vec<&Doc> = documents.iter().filter(|doc| side.is_reported_by(doc)).collect();
    let Some((last, before)) = series.split_last() else { anyhow::bail!("no document") };
    ensure!(before.len() >= 2, "only {} reports before the last", before.len());
    ensure!(is_final(last), "the last document is not final");
    let first = series[0];
    for field in
        ["flow.id", "event.start", "network.community_id", "network.direction", "flow.complete"]
    {
        let differs = series.iter().find(|doc| doc.text(field) != first.text(field));
        ensure!(differs.is_none(), "{field} changed from {} in {differs:?}", first.text(field));
    }
    for (one, next) in series.iter().zip(series.iter().skip(1)) {
        for field in [
            "source.packets",
            "source.bytes",
            "destination.packets",
            "network.bytes",
            "event.duration",
        ] {
            ensure!(one.number(field) <= next.number(field), "{field} shrank: {one:?} {next:?}");
        }
        ensure!(!is_final(one), "two final documents of one flow");
    }
    for one in before.iter().zip(before.iter().skip(1)) {
        let packets = [one.0, one.1].map(|doc| doc.number("network.packets"));
        ensure!(packets[0] < packets[1], "a report without anything new: {packets:?}");
    }
    for (number, doc) in series.iter().enumerate() {
        let types = doc.text("event.type");
        let begins = number == 0 && doc.text("flow.complete") == "true";
        ensure!(types.contains("\"start\"") == begins, "document {number}: event.type {types}");
        let ends = closed && is_final(doc);
        ensure!(types.contains("\"end\"") == ends, "document {number}: event.type {types}");
        let (ended, tcp) = (doc.text("system.audit.socket.ended"), doc.text("network.transport"));
        ensure!((ended == "ongoing") != is_final(doc), "document {number} ended {ended}");
        if !is_final(doc) && tcp == "tcp" {
            let state = doc.text("system.audit.socket.tcp.state");
            ensure!(state == "established", "document {number}: state {state}");
            let round_trip = doc.number("system.audit.socket.tcp.srtt_us");
            ensure!((round_trip > Some(0)) == described, "the round-trip time is {round_trip:?}");
        }
    }
    Ok(())
}

fn reports_tcp(fixture: &Fixture<'_>) -> Result<()> {
    fixture.needs_ebpf()?;
    let endpoint = fixture.loopback()?;
    let session = fixture.shared()?;
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    keep_on(session, [&client, &server], 3, || pair.echo(2000))?;
    pair.close_client_first()?;
    finish(fixture, session, &endpoint, [&client, &server])
}

fn finish(
    fixture: &Fixture<'_>,
    session: &Session,
    endpoint: &Endpoint,
    ends: [&Side; 2],
) -> Result<()> {
    for side in ends {
        session.expect(fixture.name, side, &endpoint.capture)?;
    }
    let documents = session.documents();
    let described = fixture.options.is_described();
    ends.into_iter().try_for_each(|side| check_series(&documents, side, true, described))
}

fn reports_udp(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let session = fixture.shared()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let at_server = server.udp(endpoint.any_port(Family::V6)?)?;
    let at_client = client.udp(endpoint.any_port(Family::V6)?)?;
    let one = Side::sender(&client, at_client.local, at_server.local);
    let two = Side::receiver(&server, at_server.local, at_client.local);
    keep_on(session, [&one, &two], 3, || {
        client.send_to(at_client, 99, at_server.local)?;
        server.receive(at_server, 99).map(drop)
    })?;
    client.close(at_client)?;
    server.close(at_server)?;
    finish(fixture, session, &endpoint, [&one, &two])
}

/// A pause ends the flow with a final document; what follows is another flow.
fn then_idle(fixture: &Fixture<'_>) -> Result<()> {
    let idle = Timeouts { flow_inactive: "4s", flow_termination: "1s", socket_inactive: "30m" };
    let endpoint = fixture.loopback()?;
    let session = fixture.agent_with(idle, PERIOD)?;
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    let (client, server) = pair.sides("idle", "idle")?;
    keep_on(&session, [&client, &server], 2, || pair.echo(700))?;
    let one = session.expect(fixture.name, &client, &endpoint.capture)?;
    session.expect(fixture.name, &server, &endpoint.capture)?;
    let seen = |side: &Side| {
        let (transport, local, remote) = side.key();
        endpoint.capture.seen(transport, local, remote)
    };
    let then = [seen(&client)?, seen(&server)?];
    pair.echo(50)?;
    pair.close_client_first()?;
    let [client, server] =
        [client.ended("fin_local"), server.ended("fin_remote")].map(|side| side.complete(false));
    let two = session.expect_nth(fixture.name, &client, 1, || Ok(seen(&client)?.since(then[0])))?;
    session.expect_nth(fixture.name, &server, 1, || Ok(seen(&server)?.since(then[1])))?;
    let ids = [one, two].map(|doc| doc.text("flow.id"));
    ensure!(ids[0] != ids[1], "what followed the pause has the id of what went before: {ids:?}");
    session.stop().map(drop)
}

/// What is open when the agent stops has a last document with all its counts.
fn then_stopped(fixture: &Fixture<'_>) -> Result<()> {
    fixture.needs_ebpf()?;
    let endpoint = fixture.loopback()?;
    let session = fixture.shared()?;
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    let (client, server) = pair.sides("open", "open")?;
    keep_on(session, [&client, &server], 2, || pair.echo(1234))?;
    let described = fixture.options.is_described();
    for side in [client, server] {
        let (transport, local, remote) = side.key();
        let seen = endpoint.capture.seen(transport, local, remote)?;
        session.expect_at_end(fixture.name, side.clone(), seen);
        session.ask_at_end(fixture.name, move |documents, _| {
            check_series(documents, &side, false, described)
        });
    }
    // What is open stays so until the agent has ended.
    fixture.keep((endpoint, pair));
    Ok(())
}

/// Without a period there is one document, however long it takes.
fn never(fixture: &Fixture<'_>) -> Result<()> {
    fixture.needs_ebpf()?;
    let endpoint = fixture.loopback()?;
    let often = fixture.agent_with(Timeouts::default(), PERIOD)?;
    let session = fixture.agent_with(Timeouts::default(), &["socket.flow_report_period: 0s"])?;
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    // The other agent tells how time goes by.
    keep_on(&often, [&client, &server], 3, || pair.echo(10))?;
    pair.close_client_first()?;
    finish(fixture, &often, &endpoint, [&client, &server])?;
    often.stop()?;
    for side in [&client, &server] {
        session.expect(fixture.name, side, &endpoint.capture)?;
        let early = reports(&session.documents(), side).len();
        ensure!(early == 0, "{early} documents that are not final");
    }
    session.stop().map(drop)
}

/// More than 32 bits of bytes on one connection.
fn beyond_4_gib(fixture: &Fixture<'_>) -> Result<()> {
    const BYTES: u64 = (4 << 30) + (200 << 20);
    const SAMPLE: u64 = 128 << 20;
    const AFFORDABLE: Duration = Duration::from_secs(60);
    let endpoint = fixture.loopback()?;
    let session = fixture.agent(Timeouts::default())?;
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    let stream = |bytes| -> Result<()> {
        pair.client.begin(&Command::Send { fd: pair.at_client.fd, bytes, to: None })?;
        pair.server.receive(pair.at_server, bytes)?;
        pair.client.finish().map(drop)
    };
    let start = Instant::now();
    stream(SAMPLE)?;
    let needs = start.elapsed() * (BYTES / SAMPLE) as u32;
    if needs > AFFORDABLE {
        return Err(skip(format!("4 GiB would take {needs:.0?} here")));
    }
    stream(BYTES - SAMPLE)?;
    pair.close_client_first()?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    for side in [&client, &server] {
        let doc = session.expect(fixture.name, side, &endpoint.capture)?;
        ensure!(doc.number("source.bytes") > Some(BYTES), "only {:?}", doc.number("source.bytes"));
    }
    session.stop().map(drop)
}
