//! The sensor from loading to the last read.

use std::{
    borrow::Cow,
    fs::File,
    io::Read,
    os::fd::{AsFd, BorrowedFd},
    panic::resume_unwind,
    path::{Path, PathBuf},
    thread,
};

use aya::{
    Btf, BtfError, Ebpf, EbpfLoader, Endianness,
    maps::{Array, Map, MapData},
    programs::Iter,
};
use socket_common::{
    Counter, FEATURE_BOOTTIME, Flow, Late, PeerKey, REPLIES_HIDDEN, Settings, SocketOwner,
    TELL_CONNECTIONS, TELL_LISTENERS, TWICE, Tuple,
};

use super::{
    attach::{self, Attached, Degraded, Places},
    buffer::RingBuffer,
    dns::{self, DnsRing},
    error::{SensorError, one_line},
    features::{self, KERNEL_BTF, Prototypes},
    ring,
    sample::{self, Sampler},
    sets::{COPIES, hooks},
    sys,
    tables::{OpenFlows, Plain, Table, Tables},
};
use crate::{
    config::{HookSet, SocketConfig, SocketEvents},
    sensor::{Event, Source, host::Kernel},
};

/// The eBPF object, part of the agent.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("SOCKET_EBPF_OBJECT_PATH"));

/// Size of a ring that nothing is put into: a page, which the loader makes of it.
const UNUSED: u32 = 4096;

/// What the sensor needs to know of the host beside its configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// The set to attach; not `Auto`.
    pub set: HookSet,
    /// Where cgroup v2 is mounted.
    pub cgroup: Option<PathBuf>,
    /// Whether IPv6 is watched.
    pub ipv6: bool,
    /// Address range of `tcp_v4_rcv` and `tcp_v6_rcv`; zeroes if unknown.
    pub receive_functions: [[u64; 2]; 2],
    /// Type information to use where the kernel publishes none and no file is given.
    pub types: Option<Vec<u8>>,
}

/// Things that one copy of a hook has dealt with and the other has not been shown yet: far more than there
/// are between two tracepoints of one event, so that what is left behind does not matter.
const NOTES: u32 = 8192;

/// Loaded and attached programs with their tables. Dropping it detaches everything.
pub struct Sensor {
    /// `None` once detached. What the loader held beside is dropped: it takes megabytes.
    programs: Option<Vec<Attached>>,
    tables: Tables,
    ring: RingBuffer,
    /// Until it is taken; `None` if no DNS packets are handed over.
    dns: Option<DnsRing>,
    /// `None` where the kernel does not run programs on demand.
    sampler: Option<Sampler>,
    unknown_records: u64,
    missed_before: u64,
    /// The counter of spilled flows when they were last taken.
    spilled: u64,
    /// Where the look at open flows stands.
    walk: OpenFlows,
}

impl Sensor {
    /// Loads the object, attaches the set, then looks up the sockets that are already open.
    ///
    /// # Errors
    ///
    /// The type information does not fit, the kernel refuses the maps, or a program that the set
    /// cannot do without. Hooks that only make it less exact are returned instead.
    pub fn start(
        config: &SocketConfig,
        options: &Options,
    ) -> Result<(Self, Vec<Degraded>), SensorError> {
        let target = given_btf(config.btf.as_deref(), options.types.as_deref())?;
        // What the kernel publishes is large: it is read for attaching while the object is fitted.
        let (loaded, kernel_btf, prototypes) = thread::scope(|scope| {
            let read = scope.spawn(|| (Btf::from_sys_fs(), Prototypes::of_kernel()));
            let loaded = load(config, target.as_ref());
            let (btf, prototypes) = read.join().unwrap_or_else(|panic| resume_unwind(panic));
            (loaded, btf, prototypes)
        });
        let kernel_btf = match kernel_btf {
            Err(error) if target.is_none() => return Err(no_btf(KERNEL_BTF.as_ref(), &error)),
            btf => btf.ok(),
        };
        let mut ebpf = loaded?;
        write_settings(&mut ebpf, config, options, &prototypes)?;
        let tables = open_tables(&mut ebpf)?;
        let ring = open_ring(&ebpf, "EVENTS", ring::LONGEST)?;
        let cgroup = match (&options.cgroup, options.set) {
            (Some(path), _) => File::open(path).ok(),
            (None, HookSet::Cgroup) => return Err(SensorError::NoCgroup),
            (None, _) => None,
        };
        let kernel_btf = kernel_btf.as_ref();
        let places = Places {
            set: options.set.name(),
            cgroup: cgroup.as_ref(),
            kernel_btf,
            prototypes: &prototypes,
            ipv6: options.ipv6,
            twice: tasks_come_between(),
        };
        let (programs, mut degraded) = attach::all(&mut ebpf, &hooks(options.set), &places)?;
        let counts_packets = |name| programs.iter().any(|program| program.name == name);
        let hands_over = config.dns.from_sockets()
            && ["cgroup_egress", "cgroup_ingress"].into_iter().all(counts_packets);
        let dns = hands_over.then(|| open_ring(&ebpf, "DNS", dns::LONGEST)).transpose()?;
        let sampler = Sampler::load(&mut ebpf).inspect_err(|reason| {
            degraded.push(Degraded {
                hook: "sample".into(),
                reason: reason.clone(),
                effect: "the state of connections that are still open is not reported",
            });
        });
        if let Err(reason) = existing_sockets(&mut ebpf, kernel_btf) {
            degraded.push(Degraded {
                hook: "iter_files at task_file".into(),
                reason,
                effect: "sockets that were open before the start have no owner",
            });
        }
        Ok((
            Self {
                programs: Some(programs),
                tables,
                ring,
                dns: dns.map(DnsRing::new),
                sampler: sampler.ok(),
                unknown_records: 0,
                missed_before: 0,
                spilled: 0,
                walk: OpenFlows::default(),
            },
            degraded,
        ))
    }

    /// Logs which programs the kernel has skipped, and how often.
    fn tell_missed(&self) {
        let counts = self.programs.iter().flatten().filter_map(|Attached { name, fd, .. }| {
            let count = sys::recursion_misses(fd.as_ref()?.as_fd()).ok()?;
            (count > 0).then(|| format!("{name} {count}"))
        });
        let counts: Vec<String> = counts.collect();
        if !counts.is_empty() {
            log::info!(target: "sensor", "runs that the kernel skipped: {}", counts.join(", "));
        }
    }

    /// Runs of programs that the kernel skipped because another program was running on that CPU.
    fn missed(&self) -> u64 {
        let Some(programs) = &self.programs else { return self.missed_before };
        let of = |wanted: &str| -> Option<u64> {
            let Attached { fd, .. } = programs.iter().find(|program| program.name == wanted)?;
            sys::recursion_misses(fd.as_ref()?.as_fd()).ok()
        };
        let is_copy = |name: &str| COPIES.iter().any(|end| name.ends_with(end));
        let firsts = programs.iter().filter(|program| !is_copy(program.name));
        let missed = firsts.map(|first| {
            let missed = of(first.name).unwrap_or(0);
            // Of several copies one sees what another misses: at most the lowest number was seen by none,
            // and nothing of what a copy says it stood in for.
            let copies = COPIES.iter().filter_map(|end| of(&format!("{}{end}", first.name)));
            let left = missed.saturating_sub(self.tables.caught(first.name));
            copies.min().map_or(missed, |least| least.min(left))
        });
        missed.sum()
    }
}

impl Source for Sensor {
    fn detach(&mut self) {
        self.missed_before = self.missed();
        self.tell_missed();
        self.programs = None;
    }

    fn next_event(&mut self) -> Option<Event> {
        ring::next(&mut self.ring, &mut self.unknown_records)
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }

    fn take_dns(&mut self) -> Option<DnsRing> {
        self.dns.take()
    }

    fn take_spilled(&mut self, each: &mut dyn FnMut(Flow)) -> Result<bool, SensorError> {
        // Walking the table costs far more than reading the counter, and it is nearly always empty.
        // The counter may lose an increment, so the last look does not trust it.
        let spilled = self.tables.count(Counter::Spilled);
        if spilled == self.spilled && self.programs.is_some() {
            return Ok(false);
        }
        let more = self.tables.spill.take_lot(|_, flow| each(flow))?;
        if !more {
            self.spilled = spilled;
        }
        Ok(more)
    }

    fn open_flows(&mut self, each: &mut dyn FnMut(Flow)) -> Result<bool, SensorError> {
        let mut walk = std::mem::take(&mut self.walk);
        let more = self.tables.open_flows(&mut walk, each)?;
        if more {
            self.walk = walk;
        }
        Ok(more)
    }

    fn sample(&mut self, flows: &mut [Flow]) -> Result<(), SensorError> {
        match &self.sampler {
            Some(sampler) => sampler.sample(flows),
            None => {
                sample::unknown(flows);
                Ok(())
            }
        }
    }

    fn evict(&mut self, flow: &Flow) -> Result<Option<Flow>, SensorError> {
        if flow.id == flow.socket_id {
            return self.tables.flows.take(&flow.sock);
        }
        self.tables.peers.take(&PeerKey {
            socket_id: flow.socket_id,
            remote: flow.tuple.remote,
            port: flow.tuple.remote_port,
            family: flow.tuple.family,
            reserved: 0,
            reserved2: 0,
        })
    }

    fn take_late(&mut self, flow: u64, tuple: &Tuple) -> Result<Option<Late>, SensorError> {
        // Without a namespace where packets do not tell theirs.
        let anywhere = Tuple { netns: 0, ..*tuple };
        let own = |key: &&Tuple| self.tables.late.get(key).is_some_and(|late| late.flow == flow);
        match [tuple, &anywhere].into_iter().find(own) {
            Some(key) => self.tables.late.take(key),
            None => Ok(None),
        }
    }

    fn owners(&mut self, each: &mut dyn FnMut(SocketOwner)) -> Result<(), SensorError> {
        self.tables.owners.each(|_, owner| each(owner))
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let mut counters: Vec<_> = Counter::ALL
            .iter()
            .map(|&(counter, name)| (name, self.tables.count(counter)))
            .collect();
        counters.push(("unknown_records", self.unknown_records));
        counters.push(("programs_missed", self.missed()));
        counters
    }
}

/// Whether a task may be put aside in the midst of a tracepoint program: since 7.0 they are protected by a
/// read lock, no longer by preemption being disabled. Nothing else tells.
fn tasks_come_between() -> bool {
    Kernel::running().version() >= (7, 0)
}

/// The type information that the object is fitted to, if it is another than the kernel publishes.
fn given_btf(file: Option<&Path>, types: Option<&[u8]>) -> Result<Option<Btf>, SensorError> {
    let (place, bytes) = match (file, types) {
        (Some(path), _) => (path, Cow::Owned(features::read_file(path)?)),
        (None, Some(types)) => (Path::new(KERNEL_BTF), Cow::Borrowed(types)),
        (None, None) => return Ok(None),
    };
    let btf = Btf::parse(&bytes, Endianness::default());
    btf.map(Some).map_err(|error| no_btf(place, &error))
}

fn no_btf(place: &Path, error: &BtfError) -> SensorError {
    SensorError::Btf {
        place: place.into(),
        reason: one_line(error),
        remedy: "give the BTF of the running kernel with --btf FILE",
    }
}

fn load(config: &SocketConfig, target: Option<&Btf>) -> Result<Ebpf, SensorError> {
    let tables = &config.tables;
    // It begins with what the kernel publishes.
    let mut loader = EbpfLoader::new();
    if target.is_some() {
        loader.btf(target);
    }
    loader
        .map_max_entries("FLOWS", tables.flows)
        .map_max_entries("PEERS", tables.peers)
        .map_max_entries("OWNERS", tables.owners)
        .map_max_entries("PENDING", tables.pending)
        .map_max_entries("LATE", tables.late)
        .map_max_entries("SPILL", tables.spill)
        .map_max_entries("EVENTS", tables.ring)
        .map_max_entries("DNS", if config.dns.from_sockets() { config.dns.ring } else { UNUSED })
        .map_max_entries("DONE", if tasks_come_between() { NOTES } else { 1 })
        .load(OBJECT)
        .map_err(object_error)
}

fn object_error(error: impl std::error::Error) -> SensorError {
    let reason = one_line(&error);
    let remedy = if reason.contains("Operation not permitted") || reason.contains("os error 1)") {
        "run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"
    } else if reason.contains("os error 12)") || reason.contains("os error 7)") {
        "make the tables smaller (socket.tables.*)"
    } else {
        "run `socket-agent doctor`; a --btf file must be of the running kernel"
    };
    SensorError::Object { reason, remedy: remedy.into() }
}

fn take_map(ebpf: &mut Ebpf, name: &'static str) -> Result<Map, SensorError> {
    ebpf.take_map(name).ok_or_else(|| no_map(name))
}

fn no_map(name: &str) -> SensorError {
    SensorError::Object {
        reason: format!("it has no map {name}"),
        remedy: "build the agent again".into(),
    }
}

fn open_ring(ebpf: &Ebpf, name: &'static str, longest: usize) -> Result<RingBuffer, SensorError> {
    // Borrowed, as programs that are loaded later name the map by its descriptor.
    let Some(Map::RingBuf(map)) = ebpf.map(name) else { return Err(no_map(name)) };
    let failed = |source| SensorError::Map { map: name, source };
    // The loader may have made it larger: a power of two, and whole pages.
    let size = map.info().map_err(object_error)?.max_entries();
    let fd = map.fd().as_fd().try_clone_to_owned().map_err(failed)?;
    RingBuffer::map(fd, size, longest).map_err(failed)
}

fn open_tables(ebpf: &mut Ebpf) -> Result<Tables, SensorError> {
    let (counts, caught) = (take_map(ebpf, "COUNTS")?, take_map(ebpf, "CAUGHT")?);
    Ok(Tables {
        flows: Table::open(take_map(ebpf, "FLOWS")?, "FLOWS")?,
        peers: Table::open(take_map(ebpf, "PEERS")?, "PEERS")?,
        owners: Table::open(take_map(ebpf, "OWNERS")?, "OWNERS")?,
        late: Table::open(take_map(ebpf, "LATE")?, "LATE")?,
        spill: Table::open(take_map(ebpf, "SPILL")?, "SPILL")?,
        counts: counts.try_into().map_err(object_error)?,
        caught: caught.try_into().map_err(object_error)?,
    })
}

fn write_settings(
    ebpf: &mut Ebpf,
    config: &SocketConfig,
    options: &Options,
    prototypes: &Prototypes,
) -> Result<(), SensorError> {
    let [tcp_v4_rcv, tcp_v6_rcv] = options.receive_functions;
    let hidden = if prototypes.hides_replies() { REPLIES_HIDDEN } else { 0 };
    let tell = match config.events {
        SocketEvents::Off => 0,
        SocketEvents::Listeners => TELL_LISTENERS,
        SocketEvents::All => TELL_LISTENERS | TELL_CONNECTIONS,
    };
    let twice = if tasks_come_between() { TWICE } else { 0 };
    let features = FEATURE_BOOTTIME | hidden | tell | twice;
    let settings = Settings {
        idle_ns: config.flow_inactive_timeout.as_nanos().try_into().unwrap_or(u64::MAX),
        tcp_v4_rcv,
        tcp_v6_rcv,
        features,
        ipv6: options.ipv6.into(),
        dns_snaplen: if config.dns.from_sockets() { config.dns.snaplen } else { 0 },
        reserved: 0,
    };
    // Borrowed, not taken: programs that are loaded later name the map by its descriptor.
    let map = ebpf.map_mut("SETTINGS").ok_or_else(|| no_map("SETTINGS"))?;
    let mut array: Array<&mut MapData, Plain<Settings>> = map.try_into().map_err(object_error)?;
    array.set(0, Plain(settings), 0).map_err(object_error)
}

/// Runs the iterator over all open files, which fills the tables with the sockets it finds.
fn existing_sockets(ebpf: &mut Ebpf, btf: Option<&Btf>) -> Result<(), String> {
    let btf = btf.ok_or("the kernel publishes no BTF")?;
    let program: &mut Iter = ebpf
        .program_mut("iter_files")
        .ok_or("the embedded object has no such program")?
        .try_into()
        .map_err(|_| "the embedded object has it as another type")?;
    let run = |program: &mut Iter| -> Result<File, Box<dyn std::error::Error>> {
        program.load("task_file", btf)?;
        let link = program.attach()?;
        Ok(program.take_link(link)?.into_file()?)
    };
    let mut file = run(program).map_err(|error| one_line(error.as_ref()))?;
    let mut nothing = Vec::new();
    file.read_to_end(&mut nothing).map_err(|error| error.to_string())?;
    Ok(())
}
