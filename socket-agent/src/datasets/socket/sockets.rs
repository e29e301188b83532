//! Open sockets: all of them now and then, and each one that matters when it comes and goes.

use std::{
    collections::{HashMap, VecDeque},
    fs, io,
    ops::RangeInclusive,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use metrics::Metric;
use pipeline::Publisher;
use socket_common::{Began, FAMILY_IPV6, Flow, Owner, PROTO_UDP, Rank, SocketEvent, Tuple};
use uuid::Uuid;

use super::{
    metrics::{SOCKET_NAMESPACES_MISSED, SOCKET_REPORTS_FAILED, SOCKETS},
    tables::KernelTables,
};
use crate::services::Shared;
use flow::{
    Kernel as _, SocketRole,
    document::{OwnerFacts, SocketChange, SocketDocument},
    role, state,
};
use linux::{Names, clock::Clock, random, threads};
use processes::Process;
use sensor::{
    SocketConfig, SocketEvents,
    sockets::{self, Listing, OpenSocket},
};

/// Documents of a state report that are written at a time.
const BATCH: usize = 1024;
/// Listeners without a known port that are held back at most; more are reported without it.
const PORTLESS: usize = 1024;
/// `ip_local_port_range` where the kernel does not report it.
const EPHEMERAL: RangeInclusive<u16> = 32_768..=60_999;

/// Context in which documents are made.
pub(super) struct DocumentContext<'a> {
    pub(super) shared: &'a Shared,
    pub(super) names: &'a mut Names,
    pub(super) clock: &'a Clock,
    pub(super) output: &'a mut Publisher,
}

/// Counters of reports about sockets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SocketCounters {
    /// Documents of sockets.
    pub(super) reported: u64,
    /// Network namespaces that a report left out.
    pub(super) namespaces_missed: u64,
    /// Reports that could not be made at all.
    pub(super) reports_failed: u64,
}

impl SocketCounters {
    /// The counters with their metrics.
    pub(super) fn values(&self) -> [(&'static Metric, u64); 3] {
        let Self { reported, namespaces_missed, reports_failed } = *self;
        [
            (&SOCKETS, reported),
            (&SOCKET_NAMESPACES_MISSED, namespaces_missed),
            (&SOCKET_REPORTS_FAILED, reports_failed),
        ]
    }
}

/// Reports of open sockets, and of those that come and go.
pub(super) struct Sockets {
    events: SocketEvents,
    ipv6: bool,
    period: Option<Duration>,
    /// Time of the next report.
    due: Option<Instant>,
    listing: Option<JoinHandle<io::Result<Listing>>>,
    /// What is left of the report under way, and its id.
    pending: VecDeque<OpenSocket>,
    report: Uuid,
    ephemeral: RangeInclusive<u16>,
    /// Listeners whose port is not known yet, by address of the `struct sock`.
    portless: HashMap<u64, SocketEvent>,
    counters: SocketCounters,
}

impl Sockets {
    /// The first report begins at once.
    pub(super) fn new(config: &SocketConfig, ipv6: bool) -> Self {
        let period = config.state_period();
        Self {
            events: config.events,
            ipv6,
            period,
            due: period.map(|_| Instant::now()),
            listing: None,
            pending: VecDeque::new(),
            report: Uuid::nil(),
            ephemeral: ephemeral_ports(),
            portless: HashMap::new(),
            counters: SocketCounters::default(),
        }
    }

    /// Takes over the pause between two reports.
    pub(super) fn reconfigure(&mut self, config: &SocketConfig) {
        let period = config.state_period();
        if period == self.period {
            return;
        }
        // The next report comes as soon as if the new pause had begun with the last one.
        let passed = match (self.period, self.due) {
            (Some(old), Some(due)) => {
                old.saturating_sub(due.saturating_duration_since(Instant::now()))
            }
            _ => Duration::ZERO,
        };
        self.due = period.map(|period| Instant::now() + period.saturating_sub(passed));
        self.period = period;
    }

    pub(super) fn counters(&self) -> SocketCounters {
        self.counters
    }

    /// A socket listens, or has been bound, or does not any more.
    pub(super) fn happened(
        &mut self,
        event: &SocketEvent,
        tables: &KernelTables,
        context: &mut DocumentContext<'_>,
    ) -> anyhow::Result<()> {
        let socket = &event.socket;
        let mut tuple = socket.tuple;
        if socket.listening != 0 && event.closed == 0 && tuple.local_port == 0 {
            tuple.local_port = port(socket.owner.pid, &tuple, socket.inode);
            if tuple.local_port == 0 && self.portless.len() < PORTLESS {
                self.portless.insert(event.sock, *event);
                return Ok(());
            }
        }
        if event.closed != 0
            && let Some(opened) = self.portless.remove(&event.sock)
        {
            // Gone before it could be asked: its end tells the port.
            self.report(
                &SocketRecord::of_listener(&opened, tuple, SocketRole::Listening),
                context,
            )?;
        }
        let role = match socket.connection {
            0 => SocketRole::Listening,
            _ if tables.is_listening(&tuple, Began::Midway) == Some(true) => SocketRole::Inbound,
            _ => SocketRole::Outbound,
        };
        if role == SocketRole::Listening && !self.is_listener(&tuple) {
            return Ok(());
        }
        self.report(&SocketRecord::of_listener(event, tuple, role), context)
    }

    /// A connection has been established.
    pub(super) fn connected(
        &mut self,
        flow: &Flow,
        context: &mut DocumentContext<'_>,
    ) -> anyhow::Result<()> {
        let inbound = role::began(flow.began) == Began::Accept;
        let role = if inbound { SocketRole::Inbound } else { SocketRole::Outbound };
        self.report(&SocketRecord::of_flow(flow, role, SocketChange::Opened), context)
    }

    /// A flow is over, and its connection with it, if it ever was one.
    pub(super) fn closed(
        &mut self,
        flow: &Flow,
        tables: &KernelTables,
        context: &mut DocumentContext<'_>,
    ) -> anyhow::Result<()> {
        if self.events != SocketEvents::All || state::connected(flow) != Some(true) {
            return Ok(());
        }
        let role = match role::began(flow.began) {
            Began::Accept => SocketRole::Inbound,
            began @ (Began::Existing | Began::Midway)
                if tables.is_listening(&flow.tuple, began) == Some(true) =>
            {
                SocketRole::Inbound
            }
            _ => SocketRole::Outbound,
        };
        self.report(&SocketRecord::of_flow(flow, role, SocketChange::Closed), context)
    }

    /// Begins a report that is due, and goes on with the one under way.
    pub(super) fn tick(&mut self, context: &mut DocumentContext<'_>) -> anyhow::Result<()> {
        if self.due.is_some_and(|due| due <= Instant::now())
            && self.listing.is_none()
            && self.pending.is_empty()
        {
            self.due = self.period.map(|period| Instant::now() + period);
            match threads::spawn("sockets", sockets::list_here) {
                Ok(thread) => self.listing = Some(thread),
                Err(error) => self.failed(&error),
            }
        }
        if self.listing.as_ref().is_some_and(JoinHandle::is_finished) {
            self.take_listing();
        }
        self.go_on(BATCH, context)
    }

    /// Completes the report under way.
    pub(super) fn finish(&mut self, context: &mut DocumentContext<'_>) -> anyhow::Result<()> {
        self.take_listing();
        let portless = std::mem::take(&mut self.portless);
        for event in portless.into_values() {
            self.report(
                &SocketRecord::of_listener(&event, event.socket.tuple, SocketRole::Listening),
                context,
            )?;
        }
        self.go_on(usize::MAX, context)
    }

    fn take_listing(&mut self) {
        let Some(thread) = self.listing.take() else { return };
        let listing = thread.join().unwrap_or_else(|_| Err(io::Error::other("a panic")));
        match listing {
            Ok(listing) => {
                self.counters.namespaces_missed += listing.missed;
                if let Some(problem) = &listing.problem {
                    log::warn!(
                        target: "sensor",
                        "the report of open sockets leaves out {} network namespaces: {problem}",
                        listing.missed
                    );
                }
                log::debug!(
                    target: "sensor",
                    "{} open sockets in {} network namespaces",
                    listing.sockets.len(),
                    listing.namespaces
                );
                self.report = random::uuid();
                self.pending = listing.sockets.into();
            }
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&mut self, error: &io::Error) {
        self.counters.reports_failed += 1;
        log::warn!(
            target: "sensor",
            "open sockets cannot be listed: {error}; run as root in the host's pid namespace"
        );
    }

    fn go_on(&mut self, most: usize, context: &mut DocumentContext<'_>) -> anyhow::Result<()> {
        for _ in 0..most {
            let Some(socket) = self.pending.pop_front() else { break };
            self.report_existing(&socket, context)?;
        }
        Ok(())
    }

    fn report_existing(
        &mut self,
        socket: &OpenSocket,
        context: &mut DocumentContext<'_>,
    ) -> anyhow::Result<()> {
        let mut processes = context.shared.processes();
        let process = socket.holder.and_then(|h| processes.running(h.pid, h.start_ticks));
        drop(processes);
        let record = SocketRecord {
            change: SocketChange::Existing(self.report),
            tuple: socket.tuple,
            role: socket.role,
            owner: socket.owner(),
            rank: Rank::Holder as u8,
            state: Some(socket.state),
            inode: socket.inode,
            sock: 0,
            flow: 0,
            since: 0,
            closed: 0,
        };
        self.write(&record, process.as_deref(), context)
    }

    /// Ports that the kernel gives to whoever asks for any are those of UDP clients.
    fn is_listener(&self, tuple: &Tuple) -> bool {
        tuple.protocol != PROTO_UDP
            || self.events == SocketEvents::All
            || !self.ephemeral.contains(&tuple.local_port)
    }

    fn report(
        &mut self,
        record: &SocketRecord,
        context: &mut DocumentContext<'_>,
    ) -> anyhow::Result<()> {
        let at = if record.closed == 0 { record.since } else { record.closed };
        let process = context.shared.processes().lookup_at(&record.owner, at);
        self.write(record, process.as_deref(), context)
    }

    fn write(
        &mut self,
        record: &SocketRecord,
        process: Option<&Process>,
        context: &mut DocumentContext<'_>,
    ) -> anyhow::Result<()> {
        if record.tuple.family == FAMILY_IPV6 && !self.ipv6 {
            return Ok(());
        }
        let owner = &record.owner;
        let named = owner.pid != 0;
        let user = named.then(|| context.names.user(owner.uid)).flatten();
        let group = named.then(|| context.names.group(owner.gid)).flatten();
        let document = SocketDocument {
            change: record.change,
            tuple: &record.tuple,
            role: record.role,
            owner: OwnerFacts {
                ids: owner,
                rank: record.rank,
                process,
                user: user.as_deref(),
                group: group.as_deref(),
            },
            state: record.state,
            inode: record.inode,
            sock: record.sock,
            flow: record.flow,
            since: record.since,
            closed: record.closed,
            reported: context.clock.wall(Clock::boottime()),
            clock: context.clock,
            metadata: &context.shared.metadata,
        };
        context.output.publish(&document)?;
        self.counters.reported += 1;
        Ok(())
    }
}

/// Contents of a report about one socket.
struct SocketRecord {
    change: SocketChange,
    tuple: Tuple,
    role: SocketRole,
    owner: Owner,
    rank: u8,
    state: Option<u8>,
    inode: u64,
    sock: u64,
    flow: u64,
    since: u64,
    closed: u64,
}

impl SocketRecord {
    fn of_listener(event: &SocketEvent, tuple: Tuple, role: SocketRole) -> Self {
        let socket = &event.socket;
        Self {
            change: if event.closed == 0 { SocketChange::Opened } else { SocketChange::Closed },
            tuple,
            role,
            owner: socket.owner,
            rank: socket.rank,
            state: None,
            inode: socket.inode,
            sock: event.sock,
            flow: 0,
            since: socket.since,
            closed: event.closed,
        }
    }

    fn of_flow(flow: &Flow, role: SocketRole, change: SocketChange) -> Self {
        let seen = !matches!(role::began(flow.began), Began::Existing | Began::Midway);
        let closed = if change == SocketChange::Closed { flow.ended } else { 0 };
        Self {
            change,
            tuple: flow.tuple,
            role,
            owner: flow.owner,
            rank: flow.rank,
            state: None,
            inode: 0,
            sock: flow.sock,
            flow: flow.id,
            since: if seen { flow.first } else { 0 },
            closed,
        }
    }
}

/// The port of a listener that did not ask for one; 0 if it is gone.
fn port(pid: u32, tuple: &Tuple, inode: u64) -> u16 {
    match sockets::port_of_listener(pid, tuple.netns, inode) {
        Ok(port) => port.unwrap_or(0),
        Err(error) => {
            log::debug!(target: "sensor", "the port of a listener of process {pid}: {error}");
            0
        }
    }
}

/// Of the agent's own network namespace; others are taken to have the same.
fn ephemeral_ports() -> RangeInclusive<u16> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut numbers = text.split_ascii_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(last))) => first..=last,
        _ => EPHEMERAL,
    }
}
