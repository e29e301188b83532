//! The sensor from the first probe to the last record.

use std::{
    collections::HashMap,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use metrics::Values as MetricValues;
use socket_common::{Flow, Late, SocketOwner, Tuple};

use super::{
    aggregate::{Aggregator, Context},
    clock::SampleClock,
    decode::{self, Values},
    drops::Drops,
    format,
    group::{Group, Misses},
    install::{Installer, Kind, Options, STACK},
    losses::{LOST, Losses},
    mount::Tracing,
    offsets,
    probe::{DROPPED, EXEC, Field, Observation, Shapes, Task},
    processes::Processes,
    skipped::Skipped,
    start::{aggregator, clear_stale, enable, guessed, open_rings, own_netns},
    tasks::TaskTable,
};
use crate::{
    Degraded, Event, Halves, Records, SensorError, SocketConfig, Source,
    metrics::{PROGRAMS_MISSED, SAMPLES_DISORDERED, SAMPLES_LOST, UNKNOWN_RECORDS},
    perf::{Merge, Record, Rings, What},
};
use linux::clock::Clock;

/// How long a record may take from its time stamp until it can be read, nanoseconds. On a machine
/// whose CPUs are shared with others that is more than the time the kernel takes.
const SETTLED: u64 = 20_000_000;

/// Probes, their rings and the flows made of their records. Dropping it removes the probes.
///
/// Records are made of what the tables hold, so that both are behind one lock.
#[derive(Clone)]
pub struct Sensor(Arc<Mutex<Probes>>);

/// The records that it makes.
struct Reader {
    sensor: Sensor,
    ring: OwnedFd,
}

/// See [`Sensor`].
struct Probes {
    // Dropped in this order: events before the probes they are of, these before the file system.
    rings: Rings,
    group: Group,
    _tracing: Tracing,
    kinds: HashMap<u16, Kind>,
    shapes: Shapes,
    receive: [[u64; 2]; 2],
    second_filter: [u64; 2],
    netns: u32,
    merge: Merge,
    clock: SampleClock,
    aggregator: Aggregator<TaskTable>,
    processes: Processes,
    losses: Losses,
    /// The buffer that each CPU's socket filter saw last.
    filtered: HashMap<u32, u64>,
    detached: bool,
    /// Whether a tracepoint reports each program that is executed, beside the probe.
    has_exec_paths: bool,
    /// Where the kernel counts failed reads with what it skips.
    skipped: Option<Skipped>,
    /// Where a tracepoint reports each packet that is dropped, beside the probe.
    drops: Option<Drops>,
    missed_before: Vec<Misses>,
}

// === impl Sensor ===

impl Sensor {
    /// Writes the probes and starts to read them.
    ///
    /// # Errors
    ///
    /// There is no tracefs, perf events are refused, or a probe that the set cannot do without.
    /// Probes that only make it less exact are returned instead.
    pub fn start(
        config: &SocketConfig,
        options: &Options,
    ) -> Result<(Halves, Vec<Degraded>), SensorError> {
        let (probes, degraded) = Probes::start(config, options)?;
        let ring = probes.rings.descriptor().try_clone_to_owned();
        let ring = ring.map_err(|error| SensorError::Hook {
            set: "tracefs",
            hook: "perf rings".into(),
            reason: error.to_string(),
            remedy: "raise the number of files that a process may open",
        })?;
        let sensor = Self(Arc::new(Mutex::new(probes)));
        let records = Box::new(Reader { sensor: sensor.clone(), ring });
        Ok((Halves { tables: Box::new(sensor), records }, degraded))
    }

    fn lock(&self) -> MutexGuard<'_, Probes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Reader ===

impl Records for Reader {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }

    fn next_event(&mut self) -> Option<Event> {
        self.sensor.lock().next_event()
    }
}

// === impl Probes ===

impl Probes {
    /// Writes the probes and starts to read them.
    ///
    /// # Errors
    ///
    /// There is no tracefs, perf events are refused, or a probe that the set cannot do without.
    /// Probes that only make it less exact are returned instead.
    fn start(
        config: &SocketConfig,
        options: &Options,
    ) -> Result<(Self, Vec<Degraded>), SensorError> {
        let tracing = Tracing::find(config.tracefs.path.as_deref())?;
        clear_stale(&tracing)?;
        let mut group = Group::new(&tracing);
        let (offsets, shapes, mut degraded) = match offsets::from_btf(config.btf.as_deref())? {
            Some((offsets, shapes)) => (offsets, shapes, Vec::new()),
            None => guessed(&mut group, config, options)?,
        };
        log::debug!(target: "sensor", "members without a known place: {:?}", offsets.missing());
        let mut rings = open_rings(config)?;
        let mut installer = Installer {
            tracing: &tracing,
            group: &mut group,
            rings: &mut rings,
            offsets: &offsets,
            shapes: &shapes,
            options,
        };
        let (kinds, missing) = installer.all()?;
        degraded.extend(missing);
        let has = |task| kinds.values().any(|kind| kind.observation == Observation::Task(task));
        let probed = [Task::Fork, Task::Exec, Task::Exit].into_iter().all(has);
        let has_exec_paths = probed && has(Task::ExecPath);
        let observes = |observation| kinds.values().any(|kind| kind.observation == observation);
        let drops = observes(Observation::Dropped) && observes(Observation::DropTracepoint);
        enable(&mut rings)?;
        let aggregator = aggregator(config, options);
        let limits = &config.tracefs;
        let mut merge = Merge::new(limits.perf_queue_size as usize);
        if options.keep_rings {
            merge.keep_rings();
        }
        let (drift, period) = (limits.clock_max_drift, limits.clock_sync_period);
        let sensor = Self {
            clock: SampleClock::new(rings.clock(), drift, period),
            rings,
            group,
            _tracing: tracing,
            kinds,
            shapes,
            receive: options.receive_functions,
            second_filter: options.second_filter,
            netns: own_netns(),
            merge,
            aggregator,
            processes: Processes::new(probed),
            losses: Losses::new(limits.lost_queue_size.into()),
            filtered: HashMap::new(),
            detached: false,
            has_exec_paths,
            skipped: Skipped::distinguished(options.misses_per_failed_read),
            drops: drops.then(Drops::default),
            missed_before: Vec::new(),
        };
        Ok((sensor, degraded))
    }

    /// Reads the rings, and takes in what is old enough.
    fn pump(&mut self) {
        if !self.detached {
            self.clock.synchronise();
        }
        let until = if self.detached {
            u64::MAX
        } else {
            self.clock.sample(Clock::boottime()).saturating_sub(SETTLED)
        };
        let Self { rings, merge, losses, .. } = self;
        rings.read(&mut |record, _cpu| match record {
            Some(record) => merge.push(record),
            None => losses.unreadable += 1,
        });
        self.look_at_misses();
        for record in self.merge.take(until) {
            if let Some(skipped) = &mut self.skipped {
                skipped.reached(record.time);
            }
            self.take(&record);
        }
        if let Some(skipped) = &mut self.skipped {
            skipped.reached(until);
        }
    }

    /// Asks the kernel now and then how often it has skipped probes.
    fn look_at_misses(&mut self) {
        let Self { skipped: Some(skipped), group, clock, detached: false, .. } = self else {
            return;
        };
        let now = clock.sample(Clock::boottime());
        if skipped.is_due(now) {
            skipped.counted(now, group.missed());
        }
    }

    fn take(&mut self, record: &Record) {
        let context =
            Context { now: self.clock.boottime(record.time), pid: record.pid, tid: record.tid };
        match &record.what {
            What::Sample(raw) => self.sample(raw, record.cpu, context),
            What::Lost(count) => self.losses.add(record.cpu, *count),
            What::Comm { pid, tid, comm } if pid == tid => {
                self.aggregator.tasks.change(*pid, |owner| *owner = owner.with_comm(*comm));
            }
            What::Fork { pid, tid, parent } if pid == tid => {
                let tasks = &mut self.aggregator.tasks;
                let event = self.processes.forked((*pid, *parent), context.now, tasks);
                event.into_iter().for_each(|event| self.aggregator.push(event));
            }
            What::Exit { pid, tid } if pid == tid => {
                let tasks = &mut self.aggregator.tasks;
                let event = self.processes.ended(*pid, context.now, tasks);
                event.into_iter().for_each(|event| self.aggregator.push(event));
            }
            What::Comm { .. } | What::Fork { .. } | What::Exit { .. } => {}
        }
    }

    fn sample(&mut self, raw: &[u8], cpu: u32, context: Context) {
        let kind = format::id_of(raw).and_then(|id| self.kinds.get(&id));
        let Some(kind) = kind else {
            self.losses.unreadable += 1;
            return;
        };
        let values = Values {
            layout: &kind.layout,
            raw,
            shapes: &self.shapes,
            receive: &self.receive,
            netns: self.netns,
        };
        if let Observation::Task(change) = kind.observation {
            let tasks = &mut self.aggregator.tasks;
            if let Some(event) = self.processes.take(change, &values, context, tasks) {
                self.aggregator.push(event);
            }
            return;
        }
        // Where the filter has been asked for a packet, it was counted then.
        let buffer = values.get(Field::Skb);
        if let Some(skipped) = &mut self.skipped {
            skipped.sample(kind.event, &values);
        }
        if let Some(drops) = &mut self.drops {
            match kind.observation {
                Observation::Dropped => drops.probed(cpu, buffer),
                Observation::DropTracepoint => drops.traced(cpu, buffer),
                _ => {}
            }
        }
        match kind.observation {
            Observation::Received => {
                let stack = kind.layout.bytes(raw, Field::Stack, STACK * size_of::<usize>());
                if asked_again(stack, &self.receive, self.second_filter) {
                    return;
                }
                self.filtered.insert(cpu, buffer);
            }
            Observation::Child if self.filtered.get(&cpu) == Some(&buffer) => return,
            _ => {}
        }
        match decode::fact(kind.observation, &values) {
            Ok(Some(fact)) => self.aggregator.take(fact, context),
            Ok(None) => {}
            Err(counter) => self.aggregator.count(counter),
        }
    }

    /// Hits that the kernel did not pass on, by probe.
    fn missed(&self) -> Vec<(String, u64)> {
        let mut missed = match &self.skipped {
            Some(skipped) => skipped.known(),
            None if self.detached => counts(&self.missed_before),
            None => counts(&self.group.missed()),
        };
        if let Some(drops) = &self.drops {
            missed.retain(|(probe, _)| probe != DROPPED);
            missed.push((DROPPED.to_owned(), drops.missed()));
        }
        if self.has_exec_paths {
            // What the kernel counts here are reads without memory.
            missed.retain(|(probe, _)| probe != EXEC);
            missed.push((EXEC.to_owned(), self.processes.missed()));
        }
        missed
    }

    fn next_event(&mut self) -> Option<Event> {
        self.aggregator.next_event().or_else(|| {
            self.pump();
            self.aggregator.next_event()
        })
    }

    fn detach(&mut self) {
        self.rings.close_events();
        self.missed_before = self.group.missed();
        self.detached = true;
        if let Some(skipped) = &mut self.skipped {
            // Behind the last record there is.
            skipped.counted(u64::MAX - 1, self.missed_before.clone());
        }
        self.pump();
        self.group.clear();
        for (cpu, count) in &self.losses.by_cpu {
            log::warn!(target: "sensor", "CPU {cpu}: {count} samples lost: {LOST}");
        }
        self.log_missed();
    }

    fn log_missed(&self) {
        let missed = self.missed().into_iter().filter(|(_, count)| *count > 0);
        let missed: Vec<_> = missed.map(|(probe, count)| format!("{probe} {count}")).collect();
        if !missed.is_empty() {
            log::info!(target: "sensor", "runs that the kernel skipped: {}", missed.join(", "));
        }
    }
}

impl Source for Sensor {
    fn reconfigure(&mut self, config: &SocketConfig) -> Result<(), SensorError> {
        let idle = config.flow_inactive_timeout.as_nanos().try_into().unwrap_or(u64::MAX);
        self.lock().aggregator.set_idle(idle);
        Ok(())
    }

    fn detach(&mut self) {
        self.lock().detach();
    }

    fn take_spilled(&mut self, _each: &mut dyn FnMut(Flow)) -> Result<bool, SensorError> {
        Ok(false)
    }

    fn open_flows(&mut self, each: &mut dyn FnMut(Flow)) -> Result<bool, SensorError> {
        self.lock().aggregator.open_flows().for_each(|flow| each(*flow));
        Ok(false)
    }

    /// Nothing more is known than what the records say.
    fn sample(&mut self, _: &mut [Flow]) -> Result<(), SensorError> {
        Ok(())
    }

    fn evict(&mut self, flow: &Flow) -> Result<Option<Flow>, SensorError> {
        Ok(self.lock().aggregator.evict(flow))
    }

    fn take_late(&mut self, flow: u64, tuple: &Tuple) -> Result<Option<Late>, SensorError> {
        Ok(self.lock().aggregator.take_late(flow, tuple))
    }

    fn owners(&mut self, each: &mut dyn FnMut(SocketOwner)) -> Result<(), SensorError> {
        let probes = self.lock();
        probes.aggregator.owners().for_each(|owner| each(*owner));
        probes.aggregator.tasks.bound_before().for_each(each);
        Ok(())
    }

    fn counters(&self) -> MetricValues {
        let probes = self.lock();
        let mut counters = probes.aggregator.counters();
        counters.add(&UNKNOWN_RECORDS, probes.losses.unreadable);
        counters.add(&PROGRAMS_MISSED, probes.missed().iter().map(|(_, count)| count).sum());
        counters.add(&SAMPLES_LOST, probes.losses.by_cpu.values().sum());
        counters.add(&SAMPLES_DISORDERED, probes.merge.disordered());
        counters
    }
}

fn counts(misses: &[Misses]) -> Vec<(String, u64)> {
    misses.iter().map(|misses| (misses.probe.clone(), misses.count)).collect()
}

/// Whether the socket filter is asked for a packet that it was asked for already: the first of the
/// functions on the stack that receive decides.
fn asked_again(stack: &[u8], receive: &[[u64; 2]; 2], second: [u64; 2]) -> bool {
    let within = |word: u64, [from, to]: [u64; 2]| (from..to).contains(&word);
    let words = stack
        .chunks_exact(size_of::<usize>())
        .filter_map(|word| Some(usize::from_ne_bytes(word.try_into().ok()?) as u64));
    let mut callers = words
        .filter(|word| within(*word, second) || receive.iter().any(|range| within(*word, *range)));
    callers.next().is_some_and(|word| within(word, second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_asked_again_is_told_by_who_asks() {
        let bytes = |words: &[usize]| -> Vec<u8> {
            words.iter().flat_map(|word| word.to_ne_bytes()).collect()
        };
        let (receive, second) = ([[100, 200], [300, 400]], [500, 600]);
        assert!(asked_again(&bytes(&[7, 8, 9, 550, 350]), &receive, second));
        assert!(!asked_again(&bytes(&[7, 8, 350, 550]), &receive, second));
        assert!(!asked_again(&bytes(&[7, 8]), &receive, second));
        assert!(!asked_again(&[], &receive, [0, 0]));
    }
}
