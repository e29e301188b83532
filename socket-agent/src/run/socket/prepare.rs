//! From the configuration to a running sensor.

use std::{panic::resume_unwind, path::Path, sync::Arc, thread};

use pipeline::Publisher;

use super::{agent::Agent, sockets::Sockets, tables::KernelTables};
use crate::{
    run::{
        changes::Changes,
        shared::{STATE, Shared},
    },
    settings::Metrics,
};
use linux::{Kernel, Names, clock::Clock};
use sensor::{
    Degraded, HookSet, RecordBuffer, SocketConfig, Source,
    host::{self, Facility, HostFacts, ksyms},
    tracefs,
};

/// Starts everything.
pub(super) fn agent(
    socket: &SocketConfig,
    metrics: &Metrics,
    shared: Arc<Shared>,
    publisher: Publisher,
) -> anyhow::Result<Agent> {
    // A long file, which is read while the kernel is asked what it can do.
    let functions = thread::spawn(receive_functions);
    let facts = HostFacts::probe_for_hooks().with_btf_file(socket.btf.clone());
    let choice = host::choose(&facts, wanted(socket)?)?;
    for reason in &choice.reasons {
        log::info!(target: "sensor", "hook set {}: {reason}", choice.set);
    }
    let described = socket.btf.is_some() || facts.has(Facility::Btf);
    let functions = functions.join().unwrap_or_else(|panic| resume_unwind(panic));
    let buffer = match socket.buffer {
        RecordBuffer::Auto if facts.has(Facility::RingBuffer) => RecordBuffer::Ring,
        RecordBuffer::Auto => RecordBuffer::Perf,
        asked_for => asked_for,
    };
    let chosen = Start { set: choice.set, described, buffer, receive_functions: functions };
    let (sensor, degraded) = start(socket, chosen)?;
    for hook in &degraded {
        log::warn!(target: "sensor", "{} not attached: {}: {}", hook.hook, hook.effect, hook.reason);
    }

    if let Err(error) = shared.processes().scan_proc() {
        log::warn!(target: "process", "{error}");
    }
    let tables = KernelTables::new(sensor);
    let changes = Changes::new(metrics);
    let names = Names::new(Path::new("/"));
    let sockets = Sockets::new(socket, ipv6(socket)?);
    let clock = Clock::now();
    Ok(Agent::new(choice.set, socket, changes, tables, sockets, shared, names, clock, publisher))
}

/// The hook set that is asked for: by perf rings only one hands over records.
fn wanted(socket: &SocketConfig) -> anyhow::Result<HookSet> {
    match (socket.buffer, socket.hooks) {
        (RecordBuffer::Perf, HookSet::Auto) => Ok(HookSet::Kprobe),
        (RecordBuffer::Perf, set @ (HookSet::Fentry | HookSet::Cgroup)) => anyhow::bail!(
            "socket.record_buffer: perf, but the programs of hook set {set} hand over their records by a \
             ring buffer alone; leave it out, or set socket.hooks: kprobe"
        ),
        (_, set) => Ok(set),
    }
}

/// What was chosen to start.
#[cfg_attr(not(feature = "ebpf"), expect(dead_code, reason = "the tracefs set asks for less"))]
struct Start {
    set: HookSet,
    /// There is type information.
    described: bool,
    buffer: RecordBuffer,
    receive_functions: [[u64; 2]; 2],
}

/// Starts the sensor of a set; with it come the hooks that it has to do without.
fn start(socket: &SocketConfig, chosen: Start) -> anyhow::Result<(Box<dyn Source>, Vec<Degraded>)> {
    let ipv6 = ipv6(socket)?;
    if chosen.set == HookSet::Tracefs {
        let kernel = Kernel::running().version();
        let options = tracefs::Options {
            ipv6,
            receive_functions: chosen.receive_functions,
            second_filter: if kernel < (4, 14) { second_filter() } else { [0, 0] },
            listener_passed_by: kernel >= (4, 4),
            keep_rings: kernel < (4, 15),
            state: STATE.into(),
        };
        let (sensor, degraded) = tracefs::Sensor::start(socket, &options)?;
        return Ok((Box::new(sensor), degraded));
    }
    start_programs(socket, chosen, ipv6)
}

/// Starts a set of eBPF programs.
#[cfg(feature = "ebpf")]
fn start_programs(
    socket: &SocketConfig,
    Start { set, described, buffer, receive_functions }: Start,
    ipv6: bool,
) -> anyhow::Result<(Box<dyn Source>, Vec<Degraded>)> {
    use sensor::ebpf::{Options, Sensor};
    let (types, mut degraded) = if described {
        (None, Vec::new())
    } else {
        let (types, failed) = tracefs::by_trying(socket, STATE.as_ref())?;
        (Some(types), failed)
    };
    let cgroup = host::cgroup2_mount();
    if buffer == RecordBuffer::Perf {
        log::info!(target: "sensor", "records leave by perf rings");
    }
    let options = Options { set, cgroup, ipv6, receive_functions, buffer, types };
    let (sensor, missing) = Sensor::start(socket, &options)?;
    degraded.extend(missing);
    Ok((Box::new(sensor), degraded))
}

/// There are none.
#[cfg(not(feature = "ebpf"))]
fn start_programs(
    _: &SocketConfig,
    Start { set, .. }: Start,
    _ipv6: bool,
) -> anyhow::Result<(Box<dyn Source>, Vec<Degraded>)> {
    anyhow::bail!("hook set {set}: this build has no eBPF programs; use the set tracefs")
}

/// Whether IPv6 is watched.
fn ipv6(socket: &SocketConfig) -> anyhow::Result<bool> {
    let present = Path::new("/proc/net/if_inet6").exists();
    match socket.enable_ipv6 {
        Some(true) if !present => anyhow::bail!(
            "socket.enable_ipv6: true, but this kernel has no IPv6 (/proc/net/if_inet6 is \
             missing); load the ipv6 module, or set it to false"
        ),
        Some(wanted) => Ok(wanted),
        None => Ok(present),
    }
}

/// Where the TCP receive path lies in memory: how its drops are told from others.
fn receive_functions() -> [[u64; 2]; 2] {
    let names = ["tcp_v4_rcv", "tcp_v6_rcv"];
    match ksyms::read(&names) {
        Ok(symbols) => {
            names.map(|name| symbols.range(name).map_or([0, 0], |range| [range.start, range.end]))
        }
        Err(error) => {
            log::warn!(
                target: "sensor",
                "{error}: the last packets of closed connections (TIME_WAIT) are not counted"
            );
            [[0, 0]; 2]
        }
    }
}

/// Where kernels before 4.14 may ask the socket filter a second time.
fn second_filter() -> [u64; 2] {
    const NAME: &str = "tcp_v6_do_rcv";
    let range = ksyms::read(&[NAME]).ok().and_then(|symbols| symbols.range(NAME));
    range.map_or([0, 0], |range| [range.start, range.end])
}
