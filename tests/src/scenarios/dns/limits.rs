//! Agents that are set up otherwise.

use std::{thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    asking::{ip, name_of},
    message::{self, A},
    site::{Site, check, sees_sockets},
};
use crate::{
    agent::Timeouts,
    endpoint::{Endpoint, Family},
    expect::Session,
    fixture::Fixture,
    skip::skip,
    worker::Worker,
};

pub(super) fn disabled(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let session = fixture.agent_with(Timeouts::default(), &["socket.dns.enabled: false"])?;
    let site = Site::unseen(fixture, &session, &endpoint, Family::V4)?;
    let client = site.client()?;
    let name = name_of(fixture, "off");
    let records = [message::address(&name, ip(&endpoint, Family::V4)?)];
    site.ask_and_close(&client, &name, A, &records)?;
    let (one, two) = site.visit(&client)?;
    for (doc, end) in [(&one, "destination"), (&one, "source"), (&two, "own")] {
        check(doc, end, "", "")?;
    }
    ensure!(one.field("related.hosts").is_none(), "{}", one.json());
    site.end()?;
    session.stop().map(drop)
}

/// The name outlives the flow of its question and its own time to live of one second.
pub(super) fn pause(fixture: &Fixture<'_>) -> Result<()> {
    let timeouts = Timeouts { flow_inactive: "2s", flow_termination: "1s", socket_inactive: "2s" };
    let endpoint = fixture.loopback()?;
    let session = fixture.agent_with(timeouts, &[])?;
    let site = Site::open(fixture, &session, &endpoint, Family::V4)?;
    let client = site.client()?;
    let name = name_of(fixture, "pause");
    let records = [message::address(&name, ip(&endpoint, Family::V4)?)];
    site.ask_and_close(&client, &name, A, &records)?;
    site.end()?;
    // The pause itself is what is tested.
    thread::sleep(Duration::from_secs(10));
    let site = Site::unseen(fixture, &session, &endpoint, Family::V4)?;
    check(&site.visit(&client)?.0, "destination", &name, "asked")?;
    site.end()?;
    session.stop().map(drop)
}

/// Packets with the first 128 bytes of each kept: more than fit into a ring of 256 KiB.
const FLOOD: u32 = 2000;

/// What finds the ring of the programs full, and what is longer than they may hand over, is counted.
pub(super) fn ring(fixture: &Fixture<'_>) -> Result<()> {
    let settings = &["socket.dns.af_packet.snaplen: 128", "socket.dns.af_packet.ring: 64KiB"];
    let session = fixture.agent_with(Timeouts::default(), settings)?;
    if !sees_sockets(&session) {
        session.stop()?;
        return Err(skip("no program hands DNS packets over here"));
    }
    let endpoint = fixture.loopback()?;
    let site = Site::open(fixture, &session, &endpoint, Family::V4)?;
    let client = site.client()?;
    cut(fixture, &site, &client, &endpoint)?;
    flood(&session, &site, &client, &endpoint)?;
    site.end()?;
    let counters = session.counters()?;
    for name in ["dns_cut", "dns_dropped"] {
        ensure!(counters.get(name).is_some_and(|count| *count > 0), "{name}: {counters:?}");
    }
    Ok(())
}

/// The address of the name stands behind what is captured.
fn cut(fixture: &Fixture<'_>, site: &Site<'_>, client: &Worker, endpoint: &Endpoint) -> Result<()> {
    let name = name_of(fixture, "long");
    let mut records: Vec<_> =
        (0..9).map(|last| message::address(&name, [198, 51, 100, last].into())).collect();
    records.push(message::address(&name, ip(endpoint, Family::V4)?));
    site.ask_and_close(client, &name, A, &records)?;
    check(&site.visit(client)?.0, "destination", "", "")
}

/// More packets than any ring holds, while nobody reads it.
fn flood(session: &Session, site: &Site<'_>, client: &Worker, endpoint: &Endpoint) -> Result<()> {
    let agent = Pid::from_raw(session.pid().cast_signed());
    let flood = client.udp(endpoint.any_port(Family::V4)?)?;
    kill(agent, Signal::SIGSTOP).context("stopping the agent")?;
    let sent = (0..FLOOD).try_for_each(|_| client.send_to(flood, 9, site.at_server.local));
    kill(agent, Signal::SIGCONT).context("letting the agent go on")?;
    sent?;
    client.close(flood)
}

/// Limits that are too low: what is lost is counted.
pub(super) fn losses(fixture: &Fixture<'_>) -> Result<()> {
    let session = fixture.agent_with(
        Timeouts::default(),
        &[
            "socket.dns.type: af_packet",
            "socket.dns.af_packet.snaplen: 128",
            "socket.dns.af_packet.namespaces: 2",
            "socket.dns.names: 4",
        ],
    )?;
    let endpoint = fixture.loopback()?;
    let site = Site::open(fixture, &session, &endpoint, Family::V4)?;
    let client = site.client()?;
    for host in 0..6 {
        let name = name_of(fixture, &format!("host{host}"));
        let records = [message::address(&name, [192, 0, 2, host].into())];
        let sock = site.ask(&client, &name, A, &records)?;
        client.close(sock)?;
    }
    cut(fixture, &site, &client, &endpoint)?;
    flood(&session, &site, &client, &endpoint)?;
    site.end()?;
    // A namespace beyond the limit, seen by the agent as soon as its process runs.
    let third = fixture.loopback()?;
    let beyond = Site::unseen(fixture, &session, &third, Family::V4)?;
    let asking = beyond.client()?;
    let name = name_of(fixture, "beyond");
    let records = [message::address(&name, ip(&third, Family::V4)?)];
    beyond.ask_and_close(&asking, &name, A, &records)?;
    check(&beyond.visit(&asking)?.0, "destination", "", "")?;
    beyond.end()?;
    let counters = session.counters()?;
    let lost =
        ["dns_cut", "dns_names_evicted", "dns_namespaces_missed", "dns_dropped", "dns_unseen"];
    for name in lost {
        ensure!(counters.get(name).is_some_and(|count| *count > 0), "{name}: {counters:?}");
    }
    Ok(())
}
