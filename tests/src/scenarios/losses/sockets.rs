//! Sockets and packets that are out of the ordinary.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};

use super::{bench, bench_with, retry, settle};
use crate::{
    agent::{Options, Timeouts},
    endpoint::{Endpoint, Family},
    fixture::Fixture,
    load::{
        bench::{Bench, Outcome},
        expected_totals::SERVER,
        wire::Wire,
        worker::Job,
        worker_handle::LoadWorker,
    },
    scenarios::pair::Pair,
    worker::{PATIENCE, Worker},
};

fn v4(endpoint: &Endpoint) -> Result<Ipv4Addr> {
    match endpoint.any_port(Family::V4)?.ip() {
        IpAddr::V4(ip) => Ok(ip),
        IpAddr::V6(ip) => bail!("{ip} is not an IPv4 address"),
    }
}

fn v6(endpoint: &Endpoint) -> Result<Ipv6Addr> {
    match endpoint.any_port(Family::V6)?.ip() {
        IpAddr::V6(ip) => Ok(ip),
        IpAddr::V4(ip) => bail!("{ip} is not an IPv6 address"),
    }
}

/// Handshakes that are under way at the same time.
const HANDSHAKES: u32 = 300;

/// What becomes of an agent that is shown [`HANDSHAKES`] under way at the same time.
fn handshakes(fixture: &Fixture<'_>, settings: &'static [&'static str]) -> Result<Outcome> {
    let (here, there) = fixture.wire(true)?;
    let options = Options { settings, log: fixture.log(), ..fixture.options.clone() };
    let lost = here.lose()?;
    let keep = Job::Keep { address: v4(&there)?, count: HANDSHAKES };
    let bench = Bench::watch(&options, there.netns.share()?)?;
    let mut server = LoadWorker::start(&there.netns, &keep)?;
    let mut to = server.server()?;
    to.set_ip(v4(&there)?);
    let mut client = LoadWorker::start(&here.netns, &Job::Begin { server: to, count: HANDSHAKES })?;
    client.expect("begun")?;
    drop(lost);
    client.go_on()?;
    client.expect("connected")?;
    server.expect("held")?;
    client.end()?;
    server.expect("closed")?;
    server.end()?;
    bench.finish()
}

/// A table has room for as many handshakes as it was made for; some more here, for those of others on this host.
pub(super) fn pending_held(fixture: &Fixture<'_>) -> Result<()> {
    retry(|| {
        let outcome = handshakes(fixture, &["socket.tables.pending: 320"])?;
        for name in ["pending_missed", "pending_full"] {
            let lost = outcome.counter(name)?;
            ensure!(lost == 0, "{name} is {lost} of {HANDSHAKES} handshakes in 320 places");
        }
        match outcome.unbalanced(Default::default()) {
            Some(wrong) => bail!("{wrong}: {:?}", outcome.stopped.counters),
            None => Ok(()),
        }
    })
}

/// A flood of SYNs takes all room in the table. Handshakes of connections that are made meanwhile are counted as
/// missed; soon there is room again.
pub(super) fn syn_flood(fixture: &Fixture<'_>) -> Result<()> {
    const ROOM: usize = 64;
    const FLOOD: u32 = 400;
    const CONNECTIONS: u64 = 5;
    retry(|| {
        let bench = bench(fixture, &["socket.tables.pending: 64"])?;
        let table = bench.table("PENDING")?;
        let server = Worker::spawn(&bench.netns, "server")?;
        let client = Worker::spawn(&bench.netns, "client")?;
        let listener = server.listen((SERVER, 0).into())?;
        let connect = || -> Result<()> {
            for _ in 0..CONNECTIONS {
                let at_client = client.connect(listener.local)?;
                let at_server = server.accept(listener)?;
                client.close(at_client)?;
                server.drain(at_server, 0)?;
                server.close(at_server)?;
            }
            Ok(())
        };
        let to = SocketAddrV4::new(SERVER, listener.local.port());
        let flood = Job::FloodSyns { server: to, count: FLOOD };
        let mut flood = LoadWorker::start(&bench.netns, &flood)?;
        flood.expect("flooded")?;
        let there = table.count()?;
        ensure!(there == ROOM, "{there} handshakes in {ROOM} places after {FLOOD} SYNs");
        connect()?;
        let deadline = Instant::now() + PATIENCE;
        while table.count()? > ROOM / 2 {
            ensure!(Instant::now() < deadline, "there is no room again");
            thread::sleep(Duration::from_millis(50));
        }
        connect()?;
        flood.end()?;
        let outcome = bench.finish()?;
        let (missed, full) = (outcome.counter("pending_missed")?, outcome.counter("pending_full")?);
        ensure!(missed == CONNECTIONS, "{missed} of {CONNECTIONS} handshakes were missed");
        let least = u64::from(FLOOD) - ROOM as u64 + CONNECTIONS;
        ensure!(full >= least, "{full} handshakes found the table full, not {least}");
        let ends = outcome.reported.ends.len() as u64;
        ensure!(ends == 4 * CONNECTIONS, "{ends} ends have a document");
        Ok(())
    })
}

/// Handshakes that find no room in the table: the connections lack them.
pub(super) fn pending_full(fixture: &Fixture<'_>) -> Result<()> {
    const COUNT: u32 = HANDSHAKES;
    retry(|| {
        let outcome = handshakes(fixture, &["socket.tables.pending: 1"])?;
        let count = |name| outcome.counter(name);
        let (missed, unmatched) = (count("pending_missed")?, count("late_unmatched")?);
        ensure!(0 < missed && missed <= COUNT.into(), "{missed} handshakes of {COUNT} were missed");
        let full = count("pending_full")?;
        ensure!(full >= missed, "{missed} handshakes were missed, and {full} found the table full");
        // A SYN, a SYN-ACK and the acknowledgement; what was repeated more often.
        let sum = |wire: Wire| wire.packets_in + wire.packets_out;
        let lacking = sum(outcome.wire).saturating_sub(sum(outcome.reported.wire));
        ensure!(
            (missed..=8 * missed + unmatched).contains(&lacking),
            "{lacking} packets are in no document, {missed} handshakes were missed"
        );
        let ends = outcome.reported.ends.len();
        ensure!(ends == COUNT as usize, "{ends} of {COUNT} connections have a document");
        Ok(())
    })
}

/// Packets for a port that nobody listens on, and the replies to them, are nobody's. The refused
/// connect has its SYN and the reset.
pub(super) fn refused(fixture: &Fixture<'_>) -> Result<()> {
    const COUNT: u64 = 20;
    let bench = bench(fixture, &[])?;
    let mut client = LoadWorker::start(&bench.netns, &Job::Refused { count: COUNT as u32 })?;
    client.made(COUNT as u32)?;
    client.end()?;
    let outcome = settle(bench, &[])?;
    let unmatched = outcome.counter("late_unmatched")?;
    ensure!(unmatched >= 2 * COUNT, "{unmatched} packets of {COUNT} refusals were counted");
    let documents = outcome.reported.ends.len() as u64;
    ensure!(documents == COUNT, "{documents} documents of {COUNT} refused connects");
    Ok(())
}

/// A connection that was forgotten after a pause begins in its midst.
pub(super) fn midway(fixture: &Fixture<'_>) -> Result<()> {
    let timeouts = Timeouts { flow_inactive: "1s", socket_inactive: "1s", ..Timeouts::default() };
    let bench = bench_with(fixture, &[], timeouts)?;
    let server = Worker::spawn(&bench.netns, "server")?;
    let client = Worker::spawn(&bench.netns, "client")?;
    let listener = server.listen((SERVER, 0).into())?;
    let at_client = client.connect(listener.local)?;
    let at_server = server.accept(listener)?;
    let pair = Pair { server, client, at_server, at_client };
    pair.echo(100)?;
    let ends = bench.reader.wait(2, PATIENCE);
    ensure!(ends == 2, "{ends} ends were reported after a pause");
    pair.echo(100)?;
    pair.close_client_first()?;
    let outcome = settle(bench, &[])?;
    let midway = outcome.counter("midway")?;
    ensure!(midway >= 2, "two connections went on, {midway} were counted");
    Ok(())
}

/// A packet with more IPv6 extension headers than the programs follow.
pub(super) fn headers(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let address = v6(&endpoint)?;
    let bench = bench(fixture, &[])?;
    let mut sender = LoadWorker::start(&endpoint.netns, &Job::Extended { address, headers: 5 })?;
    sender.expect("arrived")?;
    sender.end()?;
    let outcome = settle(bench, &["unparsed"])?;
    let counted = outcome.counter("unparsed")?;
    ensure!(counted == 2, "a packet sent and received was counted {counted} times");
    Ok(())
}
