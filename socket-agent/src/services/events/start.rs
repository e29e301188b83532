//! Chooses a hook set, starts its sensor and puts it to the test; where one fails, `auto` goes on with the next.

use std::{panic::resume_unwind, path::Path, thread};

use crate::services::STATE;
use linux::Kernel;
use sensor::{
    Degraded, DnsConfig, Halves, HookSet, Outcome, RecordBuffer, SelfTest, SocketConfig,
    SocketEvents, Tables,
    host::{self, Choice, Facility, HostFacts, ksyms},
    tracefs,
};
#[cfg(feature = "ebpf")]
use sensor::{ebpf::capacity, host::Memory};

/// A sensor that runs.
pub(crate) struct Started {
    pub(crate) choice: Choice,
    pub(crate) halves: Halves,
    /// The hooks that it has to do without.
    pub(crate) degraded: Vec<Degraded>,
    /// How large its tables are, which may be less than the configuration says.
    pub(crate) tables: Tables,
    pub(crate) test: SelfTest,
    pub(crate) outcome: Outcome,
}

/// Starts the best set that this host can attach and that sees what it should, or the one that is asked for.
/// `attached` is called when the hooks of a set are in place, before it is tried.
///
/// # Errors
///
/// There is none, or not the one that is asked for.
pub(crate) fn start(
    socket: &SocketConfig,
    facts: &mut HostFacts,
    attached: &mut dyn FnMut(),
) -> anyhow::Result<Started> {
    // A long file, which is read while the kernel is asked what it can do.
    let functions = thread::spawn(receive_functions);
    let wanted = wanted(socket)?;
    let ipv6 = ipv6(socket)?;
    let mut choice = host::choose(facts, wanted);
    let functions = functions.join().unwrap_or_else(|panic| resume_unwind(panic));
    loop {
        let chosen = choice?;
        let described = socket.btf.is_some() || facts.has(Facility::Btf);
        let buffer = match socket.buffer {
            RecordBuffer::Auto if facts.has(Facility::RingBuffer) => RecordBuffer::Ring,
            RecordBuffer::Auto => RecordBuffer::Perf,
            asked_for => asked_for,
        };
        let set = chosen.set;
        let plan = Plan {
            set,
            described,
            buffer,
            ipv6,
            receive_functions: functions,
            only_processes: false,
        };
        let reason = match attempt(socket, plan, attached) {
            Ok((Began { halves, degraded, tables }, test, outcome)) => {
                return Ok(Started { choice: chosen, halves, degraded, tables, test, outcome });
            }
            Err(error) if wanted == HookSet::Auto => error,
            Err(error) => return Err(error),
        };
        log::warn!(target: "sensor", "hook set {set} cannot be used: {reason}");
        facts.rule_out(set, reason.to_string());
        choice = host::choose(facts, wanted);
    }
}

/// Starts the hooks on processes alone, as eBPF programs; `attached` is called when they are in place.
///
/// # Errors
///
/// This kernel cannot have them.
pub(super) fn processes(attached: &mut dyn FnMut()) -> anyhow::Result<Halves> {
    // Bytes of the ring: some thousand short records.
    const RING: u32 = 1 << 20;
    let tables =
        Tables { flows: 1, peers: 1, owners: 1, pending: 1, late: 1, spill: 1, ring: RING };
    let dns = DnsConfig { enabled: false, ..DnsConfig::default() };
    let events = SocketEvents::Off;
    let config = SocketConfig { tables, dns, events, ..SocketConfig::default() };
    let facts = HostFacts::probe_for_hooks();
    let choice = host::choose(&facts, HookSet::Auto)?;
    if choice.set == HookSet::Tracefs || !facts.has(Facility::Btf) {
        anyhow::bail!("this kernel has no hooks on processes that need no trying");
    }
    let buffer =
        if facts.has(Facility::RingBuffer) { RecordBuffer::Ring } else { RecordBuffer::Perf };
    let plan = Plan {
        set: choice.set,
        described: true,
        buffer,
        ipv6: false,
        receive_functions: [[0; 2]; 2],
        only_processes: true,
    };
    let Began { halves, degraded, tables: _ } = start_programs(&config, plan)?;
    attached();
    for hook in &degraded {
        log::warn!(target: "sensor", "{} not attached: {}: {}", hook.hook, hook.effect, hook.reason);
    }
    Ok(halves)
}

/// Starts the sensor of a set and tries it.
fn attempt(
    socket: &SocketConfig,
    plan: Plan,
    attached: &mut dyn FnMut(),
) -> anyhow::Result<(Began, SelfTest, Outcome)> {
    let (set, ipv6) = (plan.set, plan.ipv6);
    let Began { mut halves, degraded, tables } = begin(socket, plan)?;
    attached();
    // Kernels that take `tracefs` miss packets for other reasons, too, where they lack a hook.
    let whole = match set {
        HookSet::Tracefs => degraded.is_empty(),
        _ => !degraded.iter().any(Degraded::loses_packets),
    };
    let (test, outcome) = SelfTest::run(&mut halves, ipv6, whole)?;
    if let Outcome::Failed(_) = outcome {
        halves.tables.detach();
        anyhow::bail!("hook set {set}: {outcome}; use another set, or auto");
    }
    Ok((Began { halves, degraded, tables }, test, outcome))
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

/// Choice of what to start.
#[cfg_attr(not(feature = "ebpf"), expect(dead_code, reason = "the tracefs set asks for less"))]
struct Plan {
    set: HookSet,
    /// There is type information.
    described: bool,
    buffer: RecordBuffer,
    ipv6: bool,
    receive_functions: [[u64; 2]; 2],
    /// No sockets.
    only_processes: bool,
}

/// A sensor that has not been tried yet.
struct Began {
    halves: Halves,
    degraded: Vec<Degraded>,
    tables: Tables,
}

/// Starts the sensor of a set; with it come the hooks that it has to do without.
fn begin(socket: &SocketConfig, plan: Plan) -> anyhow::Result<Began> {
    if plan.set == HookSet::Tracefs {
        let kernel = Kernel::running().version();
        let options = tracefs::Options {
            ipv6: plan.ipv6,
            receive_functions: plan.receive_functions,
            second_filter: if kernel < (4, 14) { second_filter() } else { [0, 0] },
            listener_passed_by: kernel >= (4, 4),
            keep_rings: kernel < (4, 15),
            misses_per_failed_read: misses_per_failed_read(kernel),
            state: STATE.into(),
        };
        let (halves, degraded) = tracefs::Sensor::start(socket, &options)?;
        return Ok(Began { halves, degraded, tables: socket.tables });
    }
    start_programs(socket, plan)
}

/// Starts a set of eBPF programs.
#[cfg(feature = "ebpf")]
fn start_programs(
    socket: &SocketConfig,
    Plan { set, described, buffer, ipv6, receive_functions, only_processes }: Plan,
) -> anyhow::Result<Began> {
    use sensor::{
        SensorError,
        ebpf::{Options, Sensor},
    };
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
    let options = Options { set, cgroup, ipv6, receive_functions, buffer, types, only_processes };
    let mut config = if only_processes { socket.clone() } else { within_memory(socket)? };
    let (halves, missing) = loop {
        match Sensor::start(&config, &options) {
            // What is free may be in pieces, or others may have taken it meanwhile.
            Err(error @ SensorError::Memory { .. }) => match capacity::halved(&config) {
                Some(smaller) => {
                    log::warn!(
                        target: "sensor",
                        "{error}; trying with {}",
                        capacity::mebibytes(capacity::bytes(&smaller))
                    );
                    config = smaller;
                }
                None => return Err(error.into()),
            },
            other => break other?,
        }
    };
    degraded.extend(missing);
    Ok(Began { halves, degraded, tables: config.tables })
}

/// The configuration with tables that leave the host most of the memory it has.
#[cfg(feature = "ebpf")]
fn within_memory(socket: &SocketConfig) -> anyhow::Result<SocketConfig> {
    let (Some(machine), Some(memory)) = (Memory::of_machine(), Memory::available()) else {
        return Ok(socket.clone());
    };
    let share = capacity::share(machine.available, memory.available)?;
    let Some(smaller) = capacity::shrunk(socket, share) else { return Ok(socket.clone()) };
    log::warn!(
        target: "sensor",
        "tables are smaller than configured, as {} {} are available: {} instead of {}",
        capacity::mebibytes(memory.available),
        memory.limited_by,
        capacity::describe(&smaller),
        capacity::mebibytes(capacity::bytes(socket))
    );
    Ok(smaller)
}

/// There are none.
#[cfg(not(feature = "ebpf"))]
fn start_programs(_: &SocketConfig, Plan { set, .. }: Plan) -> anyhow::Result<Began> {
    anyhow::bail!("hook set {set}: this build has no eBPF programs; use the set tracefs")
}

/// Whether IPv6 is watched.
pub(crate) fn ipv6(socket: &SocketConfig) -> anyhow::Result<bool> {
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

/// How often a kernel counts a read of a probe that meets no memory among the hits it was skipped for. From 4.4 on
/// x86_64 reads with the function that copies from user space, from 5.8 on only at addresses of that, as those of
/// structures that are not there are; it tries the byte that it failed at once more. What else there is before 5.14
/// tries once. Source: `__probe_kernel_read`, `probe_mem_read`, `copy_user_handle_tail`.
fn misses_per_failed_read(kernel: (u32, u32)) -> u64 {
    match kernel {
        (5, 14..) | (6.., _) => 0,
        _ if cfg!(target_arch = "x86_64") && ((4, 4)..(5, 14)).contains(&kernel) => 2,
        _ => 1,
    }
}

/// Where kernels before 4.14 may ask the socket filter a second time.
fn second_filter() -> [u64; 2] {
    const NAME: &str = "tcp_v6_do_rcv";
    let range = ksyms::read(&[NAME]).ok().and_then(|symbols| symbols.range(NAME));
    range.map_or([0, 0], |range| [range.start, range.end])
}
