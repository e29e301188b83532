//! The loop of the socket dataset, between start and stop.

use std::{
    os::fd::OwnedFd,
    sync::Arc,
    time::{Duration, Instant},
};

use socket_common::Flow;

use metrics::Values;
use pipeline::{OUTPUT_WAITED_MS, Publisher};

use super::{
    metrics::{CLOCK_STEPS, DOCUMENTS, TABLE_READ_FAILURES},
    names::NameService,
    sockets::{DocumentContext, Sockets},
    tables::KernelTables,
    wall_clock::WallClock,
};
use crate::services::{Delivered, FlowSource, Memory, Report, Shared};
use flow::{
    Engine, FlowRecord, Rules,
    document::{FlowDocument, OwnerFacts},
};
use linux::{Names, clock::Clock};
use sensor::{Event, HookSet, SocketConfig};

/// Longest time between two looks at the open flows.
const SCAN: Duration = Duration::from_secs(5);
/// Shortest.
const SCAN_MINIMUM: Duration = Duration::from_millis(100);
/// Reports that free memory worth giving back.
const MANY: u64 = 1000;
/// Records that gather before they are written.
const BATCH: usize = 1024;
/// How often processes that are long gone are dropped.
const EXPIRE: Duration = Duration::from_secs(10);

/// The sensor and everything that turns its facts into documents.
pub(super) struct Agent {
    hooks: HookSet,
    events: FlowSource,
    /// Records that were taken of them.
    taken: Vec<Delivered>,
    tables: KernelTables,
    sockets: Sockets,
    engine: Engine,
    shared: Arc<Shared>,
    names: Names,
    dns: Option<NameService>,
    clock: WallClock,
    output: Publisher,
    records: Vec<FlowRecord>,
    /// One batch of the flows that are open.
    open: Vec<Flow>,
    memory: Memory,
    /// Flow records made when memory was looked at last.
    settled: u64,
    scan_every: Duration,
    scanned: Instant,
    expired: Instant,
    report: Report,
}

impl Agent {
    #[expect(clippy::too_many_arguments, reason = "each is a part that prepare has made")]
    pub(super) fn new(
        hooks: HookSet,
        socket: &SocketConfig,
        report: Report,
        events: FlowSource,
        mut tables: KernelTables,
        sockets: Sockets,
        shared: Arc<Shared>,
        names: Names,
        clock: Clock,
        output: Publisher,
    ) -> Self {
        let dns = NameService::start(&socket.dns, &mut *tables.sensor);
        Self {
            hooks,
            events,
            taken: Vec::new(),
            tables,
            sockets,
            engine: Engine::new(rules(socket, socket.tables.late)),
            shared,
            names,
            dns,
            clock: WallClock::new(clock, socket.clock_sync_period, socket.clock_max_drift),
            output,
            records: Vec::new(),
            open: Vec::new(),
            memory: Memory::new(MANY),
            settled: 0,
            scan_every: scan_every(socket),
            scanned: Instant::now(),
            expired: Instant::now(),
            report,
        }
    }

    /// Name of the hook set.
    pub(super) fn hooks(&self) -> HookSet {
        self.hooks
    }

    /// A descriptor that becomes readable when the ring had much in it.
    pub(super) fn records_descriptor(&self) -> anyhow::Result<OwnedFd> {
        self.events.descriptor()
    }

    /// A descriptor that becomes readable when DNS packets have arrived, if they are looked at.
    pub(super) fn dns_descriptor(&self) -> anyhow::Result<Option<OwnedFd>> {
        self.dns.as_ref().map(NameService::descriptor).transpose()
    }

    /// Takes the DNS packets that have arrived.
    pub(super) fn drain_dns(&mut self) {
        if let Some(dns) = &mut self.dns {
            dns.drain();
        }
    }

    /// Takes what is in the ring, and then what found it full.
    pub(super) fn drain(&mut self) -> anyhow::Result<()> {
        let mut any = false;
        loop {
            let mut taken = self.events.take(std::mem::take(&mut self.taken));
            let (now, last) = (Clock::boottime(), taken.is_empty());
            any |= !last;
            for (number, record) in taken.drain(..).enumerate() {
                if number > 0 && number.is_multiple_of(BATCH) {
                    self.settle()?;
                }
                self.take(record, now)?;
            }
            self.taken = taken;
            if last {
                break;
            }
        }
        // The ring was full, if anything found it so.
        if any { self.take_spilled() } else { self.report() }
    }

    /// Takes what found the ring full.
    fn take_spilled(&mut self) -> anyhow::Result<()> {
        let mut more = true;
        while more {
            let (now, mut spilled) = (Clock::boottime(), Vec::new());
            more = self.tables.sensor.take_spilled(&mut |flow| spilled.push(flow))?;
            for flow in spilled {
                if let Some(dns) = &mut self.dns {
                    dns.closed(&flow);
                }
                self.with_sockets(|sockets, tables, context| {
                    sockets.closed(&flow, tables, context)
                })?;
                self.engine.closed(flow, now, &self.tables, &mut self.records);
            }
            self.settle()?;
        }
        self.report()
    }

    /// Takes a record that was handed over at `now` at the latest.
    fn take(&mut self, record: Delivered, now: u64) -> anyhow::Result<()> {
        if let Some(dns) = &mut self.dns {
            dns.record(&record);
        }
        let Delivered::Event(event) = record else { return Ok(()) };
        match event {
            Event::Closed(flow) => {
                self.with_sockets(|sockets, tables, context| {
                    sockets.closed(&flow, tables, context)
                })?;
                self.engine.closed(flow, now, &self.tables, &mut self.records);
            }
            Event::Socket(event) => self.with_sockets(|sockets, tables, context| {
                sockets.happened(&event, tables, context)
            })?,
            Event::Connected(flow) => {
                self.with_sockets(|sockets, _, context| sockets.connected(&flow, context))?;
            }
            Event::Late(late) => self.engine.late(&late),
            // The process table is given them by itself.
            Event::Exec(_) | Event::Fork(_) | Event::Exit(_) => {}
        }
        Ok(())
    }

    /// Reports what is due. A ring that is filled as fast as it is emptied must not keep closed
    /// connections from being released: the kernel's room for their late packets is limited.
    fn settle(&mut self) -> anyhow::Result<()> {
        while self.engine.tick(Clock::boottime(), &mut self.tables, &mut self.records) {
            self.report()?;
        }
        self.report()
    }

    /// Work to be done regularly.
    pub(super) fn tick(&mut self) -> anyhow::Result<()> {
        self.names.tick();
        self.drain()?;
        if let Some(dns) = &mut self.dns {
            dns.drain();
            dns.tick();
        }
        self.with_sockets(|sockets, _, context| sockets.tick(context))?;
        let now = Clock::boottime();
        self.settle()?;
        self.tables.tidy();
        if self.scanned.elapsed() >= self.scan_every {
            self.scanned = Instant::now();
            self.scan(now)?;
        }
        if self.clock.is_due() {
            self.clock.synchronise(Clock::now());
            self.shared.processes().set_clock(self.clock.get());
        }
        if self.expired.elapsed() >= EXPIRE {
            self.expired = Instant::now();
            self.taken.shrink_to(BATCH / 4);
            self.shared.processes().expire(now);
            let reported = self.engine.counters().reported;
            self.memory.settle(reported.saturating_sub(self.settled));
            self.settled = reported;
        }
        self.report()?;
        if self.report.is_due() {
            let values = self.values();
            self.report.log(&values);
        }
        self.output.push();
        Ok(())
    }

    /// Takes over settings that have changed: flows that are known and hooks that are attached stay.
    pub(super) fn reconfigure(&mut self, socket: &SocketConfig) -> anyhow::Result<()> {
        // What has waited by the old rules until now is reported by them.
        self.drain()?;
        self.settle()?;
        let Rules { held, ephemeral, .. } = self.engine.rules();
        self.engine.set_rules(Rules { held, ephemeral, ..rules(socket, 0) });
        self.tables.reconfigure(socket);
        self.sockets.reconfigure(socket);
        self.scan_every = scan_every(socket);
        Ok(())
    }

    /// Lets open sockets be reported.
    fn with_sockets(
        &mut self,
        work: impl FnOnce(&mut Sockets, &KernelTables, &mut DocumentContext<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let Self { sockets, tables, shared, names, clock, output, .. } = self;
        work(sockets, tables, &mut DocumentContext { shared, names, clock: &clock.get(), output })
    }

    fn scan(&mut self, now: u64) -> anyhow::Result<()> {
        self.tables.refresh_listeners();
        let mut more = true;
        while more {
            more = self.read_open_flows()?;
            if let Some(dns) = &mut self.dns {
                dns.open_flows(&self.open, more, now);
            }
            self.engine.scan(&self.open, now, &mut self.tables, &mut self.records);
            self.report()?;
        }
        self.engine.end_scan(now);
        Ok(())
    }

    /// Reads the next batch of open flows; whether there may be more. A host may have many more of
    /// them than should be held at a time.
    fn read_open_flows(&mut self) -> anyhow::Result<bool> {
        let Self { tables, open, .. } = self;
        open.clear();
        tables.sensor.open_flows(&mut |flow| open.push(flow)).map_err(Into::into)
    }

    /// Writes the records that have gathered.
    fn report(&mut self) -> anyhow::Result<()> {
        let Self { tables, records, shared, names, dns, clock, output, .. } = self;
        if records.is_empty() {
            return Ok(());
        }
        if let Some(dns) = dns {
            dns.prepare(records, &mut *tables.sensor)?;
        }
        names.tick();
        let clock = &clock.get();
        for record in records.drain(..) {
            let owner = &record.flow.owner;
            let process = shared.processes().lookup_at(owner, record.flow.last);
            let named = owner.pid != 0;
            let user: Option<Arc<str>> = named.then(|| names.user(owner.uid)).flatten();
            let group: Option<Arc<str>> = named.then(|| names.group(owner.gid)).flatten();
            let domains = dns.as_mut().map(|dns| dns.domains(&record)).unwrap_or_default();
            let document = FlowDocument {
                record: &record,
                owner: OwnerFacts {
                    ids: owner,
                    rank: record.flow.rank,
                    process: process.as_deref(),
                    user: user.as_deref(),
                    group: group.as_deref(),
                },
                domains: &domains,
                reported: clock.wall(record.until),
                clock,
                metadata: &shared.metadata,
            };
            output.publish(&document)?;
        }
        Ok(())
    }

    /// Reports everything that was seen: nothing more can come.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.tables.refresh_listeners();
        self.tables.sensor.detach();
        self.events.finish();
        self.drain()?;
        self.take_spilled()?;
        self.with_sockets(|sockets, _, context| sockets.finish(context))?;
        while self.engine.tick(u64::MAX, &mut self.tables, &mut self.records) {
            self.report()?;
        }
        if let Some(dns) = &mut self.dns {
            dns.look(&mut *self.tables.sensor)?;
        }
        let mut more = true;
        while more {
            more = self.read_open_flows()?;
            if let Some(dns) = &mut self.dns {
                dns.open_flows(&self.open, more, Clock::boottime());
            }
            self.engine.shut_down(&mut self.open, &mut self.tables, &mut self.records);
            self.report()?;
        }
        if let Some(dns) = &mut self.dns {
            dns.finish();
        }
        self.output.push();
        let values = self.values();
        self.report.finish(&values);
        Ok(())
    }

    /// Every metric of the dataset.
    fn values(&mut self) -> Values {
        let mut values = self.tables.sensor.counters();
        values.extend(self.engine.counters().values());
        values.extend(self.sockets.counters().values());
        values.extend(self.shared.processes().values());
        values.extend([
            (&DOCUMENTS, self.output.documents()),
            (&OUTPUT_WAITED_MS, self.output.waited().as_millis().try_into().unwrap_or(u64::MAX)),
            (&CLOCK_STEPS, self.clock.steps()),
            (&TABLE_READ_FAILURES, self.tables.failures()),
        ]);
        if let Some(dns) = &mut self.dns {
            dns.count(&mut values);
        }
        values
    }
}

/// What reports go by; `late` is how many closed connections the kernel's table has room for.
fn rules(socket: &SocketConfig, late: u32) -> Rules {
    let nanos = |time: Duration| time.as_nanos().try_into().unwrap_or(u64::MAX);
    Rules {
        inactive: nanos(socket.flow_inactive_timeout),
        termination: nanos(socket.flow_termination_timeout),
        socket_inactive: nanos(socket.socket_inactive_timeout),
        report_period: nanos(socket.flow_report_period),
        held: held_at_most(late),
        ephemeral: first_ephemeral(),
    }
}

/// Time between two looks at the open flows.
fn scan_every(socket: &SocketConfig) -> Duration {
    let times =
        [socket.flow_inactive_timeout, socket.socket_inactive_timeout, socket.flow_report_period];
    let shortest = times.into_iter().filter(|time| !time.is_zero()).min().unwrap_or(SCAN);
    (shortest / 4).clamp(SCAN_MINIMUM, SCAN)
}

/// Closed connections that may wait for late packets, of which the kernel's table has room for so many:
/// what closes between two looks at the ring has to fit as well.
fn held_at_most(capacity: u32) -> usize {
    const LEAST: usize = 1024;
    (capacity as usize / 4 * 3).max(LEAST)
}

/// The lower end of `net.ipv4.ip_local_port_range`, which holds for IPv6 too; where it cannot be read,
/// the kernel's default.
fn first_ephemeral() -> u16 {
    const DEFAULT: u16 = 32_768;
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    range.ok().and_then(|range| range.split_whitespace().next()?.parse().ok()).unwrap_or(DEFAULT)
}
