//! The sensor from the start to the last read.

use std::{fs::File, panic::resume_unwind, path::PathBuf, sync::Arc, thread};

use aya::{Btf, BtfError, Ebpf, EbpfLoader};
use metrics::Values;
use socket_common::{Counter, FLAG_HANDSHAKE, Flow, Late, PeerKey, SocketOwner, Traffic, Tuple};

#[cfg(feature = "ebpf-log")]
use super::program_log::ProgramLog;
use super::{
    attach::{self, AttachTargets, Attached},
    dns::{self, DnsRing},
    existing::existing_sockets,
    features::{KERNEL_BTF, Prototypes},
    handshakes::{self, Handshakes},
    load::{
        fitted, given_btf, load, no_btf, open_records, open_ring, open_tables, tasks_come_between,
    },
    missed::{self, Missed},
    records::RecordCounters,
    sample::{self, Sampler},
    sets::{Program, early, hooks},
    settings::ProgramSettings,
    tables::{OpenFlows, Tables},
};
use crate::{
    Degraded, Halves, HookSet, RecordBuffer, SensorError, SocketConfig, Source,
    metrics::{OWNERS_MISSED, PROGRAMS_MISSED, RECORDS_DISORDERED, RECORDS_LOST, UNKNOWN_RECORDS},
    tracefs::clear_own_programs,
};
use linux::clock::Clock;

/// What the sensor needs to know of the host beside its configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// The set to attach; not `Auto`.
    pub set: HookSet,
    /// Mount point of cgroup v2.
    pub cgroup: Option<PathBuf>,
    /// Whether IPv6 is watched.
    pub ipv6: bool,
    /// Address range of `tcp_v4_rcv` and `tcp_v6_rcv`; zeroes if unknown.
    pub receive_functions: [[u64; 2]; 2],
    /// How records leave the kernel; not `Auto`. By perf rings only the `kprobe` set.
    pub buffer: RecordBuffer,
    /// Type information to use where the kernel publishes none and no file is given.
    pub types: Option<Vec<u8>>,
    /// Whether only processes are watched, and no sockets.
    pub only_processes: bool,
}

/// Loaded and attached programs with their tables. Dropping it detaches everything.
pub struct Sensor {
    /// `None` once detached. What the loader held beside is dropped: it takes megabytes.
    programs: Option<Vec<Attached>>,
    tables: Tables,
    records: Arc<RecordCounters>,
    settings: ProgramSettings,
    /// Until it is taken; `None` if no DNS packets are handed over.
    dns: Option<DnsRing>,
    /// `None` where the kernel does not run programs on demand.
    sampler: Option<Sampler>,
    missed_before: Missed,
    /// The counter of spilled flows when they were last taken.
    spilled: u64,
    /// Position of the walk over open flows.
    walk: OpenFlows,
    handshakes: Handshakes,
    #[cfg(feature = "ebpf-log")]
    program_log: ProgramLog,
}

/// Why there are no programs that the agent runs itself.
const NOT_EARLY: &str = "there is no such program for kernels before 5.8, nor for any other whose records \
                         leave by perf rings";

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
    ) -> Result<(Halves, Vec<Degraded>), SensorError> {
        Self::load_and_attach(config, options).inspect_err(|_| {
            if let Err(error) = clear_own_programs() {
                log::warn!(target: "sensor", "probes are left, without effect: {error}");
            }
        })
    }

    fn load_and_attach(
        config: &SocketConfig,
        options: &Options,
    ) -> Result<(Halves, Vec<Degraded>), SensorError> {
        let target = given_btf(config.btf.as_deref(), options.types.as_deref())?;
        let (kernel_btf, prototypes, mut loader) = read_kernel();
        let no_kernel_btf = |error: &BtfError| no_btf(KERNEL_BTF.as_ref(), error);
        let object = match (&target, &kernel_btf, prototypes.types()) {
            (Some(target), ..) => fitted(options.buffer, &target.btf, &target.types)?,
            (None, Ok(btf), Some(types)) => fitted(options.buffer, btf, types)?,
            (None, Err(error), _) => return Err(no_kernel_btf(error)),
            (None, Ok(_), None) => return Err(no_kernel_btf(&BtfError::InvalidHeader)),
        };
        drop(target);
        let kernel_btf = kernel_btf.ok();
        #[cfg(feature = "ebpf-log")]
        ProgramLog::set_level(&mut loader);
        let mut ebpf = load(&mut loader, &object, config, options.buffer)?;
        #[cfg(feature = "ebpf-log")]
        let program_log = ProgramLog::open(&mut ebpf);
        drop((loader, object));
        let settings = ProgramSettings::new(&ebpf, config, options, &prototypes)?;
        let tables = open_tables(&mut ebpf)?;
        let records = open_records(&ebpf, config, options.buffer)?;
        let perf = options.buffer == RecordBuffer::Perf;
        let cgroup = root_cgroup(options)?;
        let targets = AttachTargets {
            set: options.set.name(),
            cgroup: cgroup.as_ref(),
            kernel_btf: kernel_btf.as_ref(),
            prototypes: &prototypes,
            ipv6: options.ipv6,
            copied: tasks_come_between(),
        };
        let mut programs = if perf { early() } else { hooks(options.set) };
        if options.only_processes {
            programs.retain(Program::is_of_processes);
        }
        let (programs, mut degraded) = attach::all(&mut ebpf, &programs, &targets)?;
        let hands_over = config.dns.from_sockets() && counts_packets(&programs);
        let dns = hands_over.then(|| open_ring(&ebpf, "DNS", dns::LONGEST)).transpose()?;
        let sampler = if options.only_processes {
            None
        } else {
            run_by_the_agent(&mut ebpf, perf, kernel_btf.as_ref(), &mut degraded)
        };
        let sensor = Self {
            programs: Some(programs),
            tables,
            records: records.counters(),
            settings,
            dns: dns.map(DnsRing::new),
            sampler,
            missed_before: Missed::default(),
            spilled: 0,
            walk: OpenFlows::default(),
            handshakes: Handshakes::new(config.tables.pending),
            #[cfg(feature = "ebpf-log")]
            program_log,
        };
        Ok((Halves { tables: Box::new(sensor), records: Box::new(records) }, degraded))
    }

    /// What the kernel has skipped, as long as the programs are there and when they went.
    fn missed(&self) -> Missed {
        let programs = self.programs.as_deref();
        programs.map_or(self.missed_before, |programs| Missed::of(programs, &self.tables))
    }
}

/// Reads the kernel's types and makes a loader, at the same time: what the kernel publishes is large, and the
/// loader begins with reading it, whether it is used or not.
fn read_kernel<'a>() -> (Result<Btf, BtfError>, Prototypes, EbpfLoader<'a>) {
    thread::scope(|scope| {
        let read = scope.spawn(|| (Btf::from_sys_fs(), Prototypes::of_kernel()));
        let loader = EbpfLoader::new();
        let (btf, prototypes) = read.join().unwrap_or_else(|panic| resume_unwind(panic));
        (btf, prototypes, loader)
    })
}

/// Whether the programs that count packets are attached, in both directions.
fn counts_packets(programs: &[Attached]) -> bool {
    let is_attached = |name| programs.iter().any(|program| program.name == name);
    ["cgroup_egress", "cgroup_ingress"].into_iter().all(is_attached)
}

/// The root of the cgroup v2 hierarchy; `None` if there is none and the set can do without.
fn root_cgroup(options: &Options) -> Result<Option<File>, SensorError> {
    match (&options.cgroup, options.set) {
        (Some(path), _) => Ok(File::open(path).ok()),
        (None, HookSet::Cgroup) => Err(SensorError::NoCgroup),
        (None, _) => Ok(None),
    }
}

impl Source for Sensor {
    fn detach(&mut self) {
        self.missed_before = self.missed();
        missed::log_skipped(self.programs.iter().flatten());
        self.programs = None;
        if let Err(error) = clear_own_programs() {
            log::warn!(target: "sensor", "probes are left, without effect: {error}");
        }
        #[cfg(feature = "ebpf-log")]
        self.program_log.flush();
    }

    fn reconfigure(&mut self, config: &SocketConfig) -> Result<(), SensorError> {
        self.settings.set_idle(config.flow_inactive_timeout)
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
        let more = self.tables.spill.take_batch(|_, flow| each(flow))?;
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
        if flow.id != flow.socket_id {
            return self.tables.peers.take(&PeerKey::of(flow));
        }
        let mut taken = self.tables.flows.take(&flow.sock)?;
        if let Some(flow) = taken.as_mut().filter(|flow| flow.flags & FLAG_HANDSHAKE != 0) {
            let own = self.tables.pending.get(&flow.tuple).filter(|own| own.child == flow.sock);
            if let Some(handshake) = own {
                self.tables.pending.remove(&flow.tuple);
                add(&mut flow.traffic, &handshakes::left(&handshake));
            }
        }
        Ok(taken)
    }

    fn tidy(&mut self) -> Result<(), SensorError> {
        if let Err(error) = self.settings.refresh() {
            log::warn!(target: "sensor", "times may be wrong after a suspend: {error}");
        }
        #[cfg(feature = "ebpf-log")]
        self.program_log.flush();
        self.handshakes.tidy(&mut self.tables.pending, Clock::boottime())
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

    fn counters(&self) -> Values {
        let of_programs = Counter::ALL.into_iter();
        let mut counters: Values =
            of_programs.map(|counter| (counter.metric(), self.tables.count(counter))).collect();
        counters.add(&UNKNOWN_RECORDS, self.records.unknown());
        let missed = self.missed();
        counters.add(&PROGRAMS_MISSED, missed.programs);
        counters.add(&OWNERS_MISSED, missed.owners);
        if let Some((lost, disordered)) = self.records.lost() {
            // Kernels from 5.1 on tell the programs, which count it as what it was.
            let of_programs =
                [Counter::ClosedLost, Counter::LateLost, Counter::ProcessLost, Counter::SocketLost];
            let counted: u64 = of_programs.map(|counter| self.tables.count(counter)).iter().sum();
            counters.add(&RECORDS_LOST, lost.saturating_sub(counted));
            counters.add(&RECORDS_DISORDERED, disordered);
        }
        counters
    }
}

/// Programs that the agent runs itself: looks up the sockets that are open, and returns what samples them.
fn run_by_the_agent(
    ebpf: &mut Ebpf,
    perf: bool,
    kernel_btf: Option<&Btf>,
    degraded: &mut Vec<Degraded>,
) -> Option<Sampler> {
    let sampled = if perf { Err(NOT_EARLY.to_owned()) } else { Sampler::load(ebpf) };
    let sampler = sampled.inspect_err(|reason| {
        degraded.push(Degraded {
            hook: "sample".into(),
            reason: reason.clone(),
            effect: "the state of connections that are still open is not reported",
        });
    });
    let existing =
        if perf { Err(NOT_EARLY.to_owned()) } else { existing_sockets(ebpf, kernel_btf) };
    if let Err(reason) = existing {
        degraded.push(Degraded {
            hook: "iter_files at task_file".into(),
            reason,
            effect: "sockets that were open before the start have no owner",
        });
    }
    sampler.ok()
}

fn add(traffic: &mut Traffic, more: &Traffic) {
    traffic.packets_out += more.packets_out;
    traffic.bytes_out += more.bytes_out;
    traffic.packets_in += more.packets_in;
    traffic.bytes_in += more.bytes_in;
}
