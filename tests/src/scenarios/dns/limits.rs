//! Agents that are set up otherwise.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    asking::{ip, name_of},
    message::{self, A},
    site::{PORT, Site, check, wait_for_ring},
};
use crate::{
    agent::Timeouts,
    lab::Lab,
    net::{
        Netns, link,
        watch::{Usable, Watch},
    },
    place::Family,
    puppet::{PATIENCE, Puppet},
};

pub(super) fn disabled(lab: &Lab<'_>) -> Result<()> {
    let place = lab.loopback()?;
    let session = lab.agent_with(Timeouts::default(), &["socket.dns.enabled: false"])?;
    let site = Site::unseen(lab, &session, &place, Family::V4)?;
    let client = site.client()?;
    let name = name_of(lab, "off");
    let records = [message::address(&name, ip(&place, Family::V4)?)];
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
pub(super) fn pause(lab: &Lab<'_>) -> Result<()> {
    let timeouts = Timeouts { flow_inactive: "2s", flow_termination: "1s", socket_inactive: "2s" };
    let place = lab.loopback()?;
    let session = lab.agent_with(timeouts, &[])?;
    let site = Site::open(lab, &session, &place, Family::V4)?;
    let client = site.client()?;
    let name = name_of(lab, "pause");
    let records = [message::address(&name, ip(&place, Family::V4)?)];
    site.ask_and_close(&client, &name, A, &records)?;
    site.end()?;
    // The pause itself is what is tested.
    thread::sleep(Duration::from_secs(10));
    let site = Site::unseen(lab, &session, &place, Family::V4)?;
    check(&site.visit(&client)?.0, "destination", &name, "asked")?;
    site.end()?;
    session.stop().map(drop)
}

/// A packet socket would keep a namespace from going away: it is closed once no process is left.
pub(super) fn namespace_that_goes(lab: &Lab<'_>) -> Result<()> {
    let netns = Netns::create()?;
    let last = Puppet::spawn(&netns, "last")?;
    wait_for_ring(last.pid(), true)?;
    drop(last);
    let deadline = Instant::now() + PATIENCE;
    // The thread that looks is no process of its own, so it does not count.
    while netns.run(|| Ok(fs::read_to_string("/proc/thread-self/net/packet")?))?.lines().count() > 1
    {
        ensure!(Instant::now() < deadline, "{}: the agent still looks at it", lab.name);
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

const LATE: &str = "late0";

/// The interface does not exist when the agent begins to look at the namespace.
pub(super) fn interface(lab: &Lab<'_>) -> Result<()> {
    const HERE: [u8; 4] = [10, 214, 0, 1];
    const THERE: [u8; 4] = [10, 214, 0, 2];
    let setting = &["socket.dns.af_packet.interface: late0"];
    let session = lab.agent_with(Timeouts::default(), setting)?;
    let (here, there) = (Netns::create()?, Netns::create()?);
    let client = Puppet::spawn(&here, "client")?;
    let server = Puppet::spawn(&there, "names")?;
    wait_for_ring(client.pid(), false)?;
    link::veth(LATE, &here, &there)?;
    let watches = [(&here, HERE), (&there, THERE)].map(|(netns, address)| {
        netns.run(|| {
            let watch = Watch::open()?;
            link::up(LATE)?;
            link::add_address(LATE, address.into(), 24)?;
            Ok((watch, link::index(LATE)?))
        })
    });
    for watch in watches {
        let (watch, index) = watch?;
        watch.wait([Usable::Interface(index)])?;
    }
    wait_for_ring(client.pid(), true)?;

    let name = name_of(lab, "late");
    let at_server = server.udp((THERE, PORT).into())?;
    let sock = client.udp((HERE, 0).into())?;
    let query = message::query(6, &name, A);
    let answer = message::answer(6, &name, A, &[message::address(&name, THERE.into())]);
    client.send_bytes(sock, &query, Some(at_server.local))?;
    server.receive(at_server, query.len() as u64)?;
    server.send_bytes(at_server, &answer, Some(sock.local))?;
    client.receive(sock, answer.len() as u64)?;
    let listener = server.listen((THERE, 0).into())?;
    let at_client = client.connect(listener.local)?;
    client.close(at_client)?;
    let at_listener = server.accept(listener)?;
    server.drain(at_listener, 0)?;
    server.close(at_listener)?;
    let pid = u64::from(client.pid());
    let doc = session.wait_for(|docs| {
        let is = |doc: &&crate::agent::Doc| {
            doc.number("process.pid") == Some(pid) && doc.text("network.transport") == "tcp"
        };
        docs.iter().find(is).cloned()
    });
    let Some(doc) = doc else { anyhow::bail!("no document of the client's connection") };
    check(&doc, "destination", &name, "asked")?;
    let lost = session.counters()?;
    ensure!(lost.get("dns_dropped") == Some(&0), "{lost:?}");
    Ok(())
}

/// Packets with the first 128 bytes of each kept: more than fit into a ring of 256 KiB.
const FLOOD: u32 = 2000;

/// Limits that are too low: what is lost is counted.
pub(super) fn losses(lab: &Lab<'_>) -> Result<()> {
    let session = lab.agent_with(
        Timeouts::default(),
        &[
            "socket.dns.af_packet.snaplen: 128",
            "socket.dns.af_packet.namespaces: 2",
            "socket.dns.names: 4",
        ],
    )?;
    let place = lab.loopback()?;
    let site = Site::open(lab, &session, &place, Family::V4)?;
    let client = site.client()?;
    for host in 0..6 {
        let name = name_of(lab, &format!("host{host}"));
        let records = [message::address(&name, [192, 0, 2, host].into())];
        let sock = site.ask(&client, &name, A, &records)?;
        client.close(sock)?;
    }
    // The address stands behind what is captured.
    let name = name_of(lab, "long");
    let mut records: Vec<_> =
        (0..9).map(|last| message::address(&name, [198, 51, 100, last].into())).collect();
    records.push(message::address(&name, ip(&place, Family::V4)?));
    site.ask_and_close(&client, &name, A, &records)?;
    check(&site.visit(&client)?.0, "destination", "", "")?;
    // More than the ring of a namespace holds, while nobody reads it.
    let agent = Pid::from_raw(session.pid().cast_signed());
    let flood = client.udp(place.any_port(Family::V4)?)?;
    kill(agent, Signal::SIGSTOP).context("stopping the agent")?;
    let sent = (0..FLOOD).try_for_each(|_| client.send_to(flood, 9, site.at_server.local));
    kill(agent, Signal::SIGCONT).context("letting the agent go on")?;
    sent?;
    client.close(flood)?;
    site.end()?;
    // A namespace beyond the limit, seen by the agent as soon as its process runs.
    let third = lab.loopback()?;
    let beyond = Site::unseen(lab, &session, &third, Family::V4)?;
    let asking = beyond.client()?;
    let name = name_of(lab, "beyond");
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
