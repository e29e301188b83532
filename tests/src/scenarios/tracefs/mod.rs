//! What only the `tracefs` set leaves in the kernel, and what only it can lose.

mod guesses;
mod two;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{Scenario, pair::Pair};
use crate::{
    agent::{Agent, Doc, Timeouts},
    endpoint::Family,
    fixture::{Fixture, same_conversation},
    net::Netns,
    skip::skip,
    worker::{Command, Worker},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::own("tracefs/killed", killed).only("tracefs"),
    Scenario::own("tracefs/killed_programs", killed_programs).only("kprobe"),
    Scenario::own("tracefs/guesses_are_right", guesses::are_right).only("tracefs"),
    Scenario::own("tracefs/two_agents", two::agents).only("tracefs"),
    Scenario::own("tracefs/udp_burst", udp_burst).only("tracefs"),
    Scenario::own("tracefs/short_connections", short_connections).only("tracefs"),
];

const BURST: u64 = 200_000;
const CONNECTIONS: usize = 2_000;
/// What was sent is reported within this time, on an emulated machine too.
const PATIENCE: Duration = Duration::from_secs(120);

/// Probes of agents in the kernel, as `GROUP/EVENT`.
fn probes() -> Result<Vec<String>> {
    probes_of("socket_agent_")
}

/// Probes whose name begins so.
fn probes_of(prefix: &str) -> Result<Vec<String>> {
    let places = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"].map(Path::new);
    let events: Option<PathBuf> =
        places.iter().map(|place| place.join("kprobe_events")).find(|file| file.exists());
    let events = events.ok_or_else(|| skip("tracefs is not mounted where the agent would look"))?;
    let text = fs::read_to_string(&events).with_context(|| events.display().to_string())?;
    let names = text.lines().filter_map(|line| line.split_once(':')?.1.split(' ').next());
    Ok(names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect())
}

/// Killed under load, the agent leaves its probes; the next one removes them, and sees all there is.
fn killed(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let (server, client) = fixture.couple(&endpoint)?;
    let listener = server.listen(endpoint.any_port(Family::V4)?)?;
    server.begin(&Command::Serve { fd: listener.fd, count: 300, bytes: 64 })?;

    let first = Agent::start(fixture.options, &Netns::current()?)?;
    let group = format!("socket_agent_{}_", first.pid());
    client.begin(&Command::Burst { address: listener.local, count: 300, bytes: 64 })?;
    let seen = first.wait_for(PATIENCE, |documents| (!documents.is_empty()).then_some(()));
    ensure!(seen.is_some(), "the agent reported nothing before it was killed");
    drop(first);
    let left = probes()?;
    ensure!(left.iter().any(|name| name.starts_with(&group)), "no probe was left: {left:?}");

    let session = fixture.agent(Timeouts::default())?;
    let now = probes()?;
    ensure!(!now.iter().any(|name| name.starts_with(&group)), "stale probes are left: {now:?}");
    let groups: std::collections::HashSet<_> =
        now.iter().filter_map(|name| name.split('/').next()).collect();
    ensure!(groups.len() == 1, "there are several groups: {groups:?}");
    for worker in [&client, &server] {
        finish(worker)?;
    }
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    pair.echo(500)?;
    pair.close_client_first()?;
    let (one, two) = pair.sides("fin_local", "fin_remote")?;
    let one = session.expect(fixture.name, &one, &endpoint.capture)?;
    let two = session.expect(fixture.name, &two, &endpoint.capture)?;
    same_conversation(&one, &two)?;
    session.stop()?;
    let left = probes()?;
    ensure!(left.is_empty(), "the agent that was stopped left {left:?}");
    Ok(())
}

/// As [`killed`], where probes of eBPF programs are written through tracefs.
fn killed_programs(fixture: &Fixture<'_>) -> Result<()> {
    if Path::new("/sys/bus/event_source/devices/kprobe").exists() {
        return Err(skip("from 4.17 on probes of programs go with their process"));
    }
    let first = Agent::start(fixture.options, &Netns::current()?)?;
    let own = format!("kprobes/aya_{}_", first.pid());
    ensure!(!probes_of(&own)?.is_empty(), "an agent at work has no probes");
    drop(first);
    ensure!(!probes_of(&own)?.is_empty(), "there is nothing to clear");
    let second = Agent::start(fixture.options, &Netns::current()?)?;
    let left = probes_of(&own)?;
    ensure!(left.is_empty(), "stale probes are left: {left:?}");
    second.stop()?;
    let left = probes_of("kprobes/aya_")?;
    ensure!(left.is_empty(), "the agent that was stopped left {left:?}");
    Ok(())
}

fn finish(worker: &Worker) -> Result<()> {
    worker.finish().map(drop)
}

/// Of a burst of datagrams each is counted, or missing in the counters.
fn udp_burst(fixture: &Fixture<'_>) -> Result<()> {
    let agent = Agent::start(fixture.options, &Netns::current()?)?;
    let (sender, receiver) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    let (from, to) = (sender.local_addr()?, receiver.local_addr()?);
    sender.connect(to)?;
    let start = Instant::now();
    for _ in 0..BURST {
        sender.send(&[0x5a; 20]).context("sending a datagram")?;
    }
    let took = start.elapsed();
    drop((sender, receiver));
    let of = |doc: &Doc, local: u16, remote: u16| {
        let ends = [doc.number("source.port"), doc.number("destination.port")];
        let packets = |side: &str| doc.number(&format!("{side}.packets"));
        // The sender began, at either end.
        let ours = ends == [Some(from.port().into()), Some(to.port().into())];
        let local_is_sender = doc.text("network.direction") == "egress";
        (ours && local_is_sender == (local == from.port()) && remote != local)
            .then(|| packets("source"))
            .flatten()
    };
    let ports = [(from.port(), to.port()), (to.port(), from.port())];
    let counted = agent
        .wait_for(PATIENCE, |documents| {
            let find = |(local, remote)| documents.iter().find_map(|doc| of(doc, local, remote));
            Some([find(ports[0])?, find(ports[1])?])
        })
        .context("there are no documents of both sockets")?;
    let stopped = agent.stop()?;
    let counter = |name: &str| stopped.counters.get(name).copied().unwrap_or(0);
    let lost = counter("samples_lost") + counter("programs_missed");
    let missing: u64 = counted.iter().map(|packets| BURST - packets.min(&BURST)).sum();
    println!(
        "{}: {BURST} datagrams in {took:?}: {counted:?} counted, {lost} samples lost",
        fixture.name
    );
    ensure!(counted.iter().all(|packets| *packets <= BURST), "too many packets: {counted:?}");
    ensure!(missing <= lost, "{missing} packets are missing, but only {lost} samples were lost");
    Ok(())
}

/// Of many short connections each is reported from both ends, or missing in the counters.
fn short_connections(fixture: &Fixture<'_>) -> Result<()> {
    let agent = Agent::start(fixture.options, &Netns::current()?)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let to = listener.local_addr()?;
    let server = thread::spawn(move || -> Result<()> {
        for _ in 0..CONNECTIONS {
            let (mut stream, _) = listener.accept().context("accept")?;
            let mut question = [0; 10];
            stream.read_exact(&mut question).context("reading a question")?;
            stream.write_all(&question).context("answering")?;
        }
        Ok(())
    });
    let start = Instant::now();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(to).context("connect")?;
        stream.write_all(&[0x5a; 10]).context("asking")?;
        stream.read_to_end(&mut Vec::new()).context("reading an answer")?;
    }
    let took = start.elapsed();
    server.join().map_err(|_| anyhow::anyhow!("the server panicked"))??;
    let ended = |documents: &[Doc]| {
        let ours = documents.iter().filter(|doc| {
            doc.number("destination.port") == Some(to.port().into())
                && doc.text("network.transport") == "tcp"
                && doc.text("flow.final") == "true"
        });
        ours.count()
    };
    // Where samples were lost some may never end.
    agent.wait_for(PATIENCE, |documents| (ended(documents) >= 2 * CONNECTIONS).then_some(()));
    let stopped = agent.stop()?;
    let counter = |name: &str| stopped.counters.get(name).copied().unwrap_or(0);
    let lost = counter("samples_lost") + counter("programs_missed");
    let seen = ended(&stopped.documents);
    println!(
        "{}: {CONNECTIONS} connections in {took:?}: {seen} documents, {lost} samples lost",
        fixture.name
    );
    ensure!(seen <= 2 * CONNECTIONS, "a connection was reported more than once: {seen} documents");
    let missing = (2 * CONNECTIONS - seen) as u64;
    ensure!(missing <= lost, "{missing} documents are missing, but only {lost} samples were lost");
    Ok(())
}
