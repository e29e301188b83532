//! A sensor that has started is put to the test: the agent talks to itself over loopback, and has to see that.
//!
//! Hooks that attach are no proof. Where a kernel keeps something in another place than its type information was read
//! to say, programs run and see nothing, and no counter moves.

mod traffic;
mod verdict;

use std::{
    collections::VecDeque,
    fmt, thread,
    time::{Duration, Instant},
};

use metrics::{Metric, Values};
use socket_common::{Counter, Flow, Traffic as Counts, Tuple};

use self::{
    traffic::Traffic,
    verdict::{Identity, judge},
};
use linux::netns;

use super::{
    Event, Halves, Records, SensorError, Source,
    metrics::{RECORDS_LOST, SAMPLES_LOST},
};

/// How often it is tried: a kernel may skip a probe that interrupts another.
const ATTEMPTS: u32 = 3;
/// Looks at what the sensor has to say, of each attempt, and the pause between two of them.
const LOOKS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(5);
/// Looks before flows are looked for among those that are open: where the hook on closed UDP sockets is missing, they
/// stay there.
const PATIENT: u32 = 20;
/// Tolerance between clocks, nanoseconds.
const CLOCKS: u64 = 1_000_000_000;
/// Counters of what may be missing through no fault of the set: tables and rings that are full, packets that a probe was
/// skipped for.
const FULL: [&Metric; 11] = [
    Counter::FlowTableFull.metric(),
    Counter::OpenTableFull.metric(),
    Counter::PeerTableFull.metric(),
    Counter::OwnerTableFull.metric(),
    Counter::LateTableFull.metric(),
    Counter::PendingMissed.metric(),
    Counter::ClosedLost.metric(),
    Counter::Spilled.metric(),
    Counter::LateLost.metric(),
    &RECORDS_LOST,
    &SAMPLES_LOST,
];

/// Result of the test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All was seen; the text says what.
    Seen(String),
    /// It says nothing about the set, for this reason.
    Untried(String),
    /// The set does not see what it should.
    Failed(String),
}

/// What the agent did to see whether it is seen, and what the sensor said of others meanwhile.
#[derive(Default)]
pub struct SelfTest {
    /// Records of others that came meanwhile, in their order.
    pub held: VecDeque<Event>,
    /// All attempts.
    done: Vec<Traffic>,
    /// Flows of the test: what comes of them later is told by their number alone.
    ids: Vec<u64>,
    own_netns: u32,
}

// === impl SelfTest ===

impl SelfTest {
    /// Tries a sensor that has just started. `whole` says that it lacks no hook that counts
    /// packets.
    ///
    /// # Errors
    ///
    /// The kernel refuses to read the sensor's tables.
    pub fn run(
        Halves { tables, records }: &mut Halves,
        ipv6: bool,
        whole: bool,
    ) -> Result<(Self, Outcome), SensorError> {
        let mut test = Self { own_netns: netns::own().unwrap_or(0), ..Self::default() };
        let mut outcome = Outcome::Untried("not tried".into());
        for _ in 0..ATTEMPTS {
            outcome = test.attempt(&mut **tables, &mut **records, ipv6, whole)?;
            if !matches!(outcome, Outcome::Failed(_)) {
                break;
            }
        }
        Ok((test, outcome))
    }

    fn attempt(
        &mut self,
        source: &mut dyn Source,
        records: &mut dyn Records,
        ipv6: bool,
        whole: bool,
    ) -> Result<Outcome, SensorError> {
        let (before, began) = (full(source), Instant::now());
        let traffic = match Traffic::make(ipv6) {
            Ok(traffic) => traffic,
            Err(error) => {
                return Ok(Outcome::Untried(format!("the agent cannot talk to itself: {error}")));
            }
        };
        let wrong = self.look(source, records, &traffic, whole)?;
        let after = full(source);
        Ok(if wrong.is_empty() {
            Outcome::Seen(seen(&traffic, began.elapsed()))
        } else if let Some((metric, _)) =
            after.iter().find(|entry| !before.iter().any(|b| b == *entry))
        {
            Outcome::Untried(format!("{} counts: {}", metric.name, wrong.join("; ")))
        } else {
            Outcome::Failed(wrong.join("; "))
        })
    }

    /// Reads what the sensor has to say of what was done; returns what is wrong with that.
    fn look(
        &mut self,
        source: &mut dyn Source,
        records: &mut dyn Records,
        traffic: &Traffic,
        whole: bool,
    ) -> Result<Vec<String>, SensorError> {
        let ends: Vec<[Tuple; 2]> =
            traffic.exchanges.iter().map(|exchange| exchange.ends(traffic.netns)).collect();
        self.done.push(traffic.clone());
        let mut flows = vec![[None; 2]; ends.len()];
        let own_netns = self.own_netns;
        let mut find = |flow: &Flow| {
            for (pair, places) in ends.iter().zip(&mut flows) {
                for (end, place) in pair.iter().zip(places) {
                    if is_end(&flow.tuple, end, own_netns) {
                        *place = Some(*flow);
                    }
                }
            }
            flows.iter().flatten().all(Option::is_some)
        };
        let mut all = false;
        for look in 0..LOOKS {
            let mut spilled = Vec::new();
            while source.take_spilled(&mut |flow| spilled.push(flow))? {}
            let mut spilled = spilled.into_iter().map(Event::Closed);
            while let Some(event) = records.next_event().or_else(|| spilled.next()) {
                if !self.is_own(&event) {
                    self.held.push_back(event);
                } else if let Event::Closed(flow) = &event {
                    all = find(flow);
                }
            }
            if !all && look >= PATIENT && look.is_multiple_of(PATIENT) {
                for flow in self.open(source)? {
                    all = find(&flow);
                }
            }
            if all {
                break;
            }
            thread::sleep(PAUSE);
        }
        if !all {
            self.open(source)?;
        }
        for flow in flows.iter_mut().flatten().flatten() {
            // A reset leaves when the socket is closed already.
            if let Some(late) = source.take_late(flow.id, &flow.tuple)? {
                add(&mut flow.traffic, &late.traffic);
            }
        }
        let own = Identity::current();
        let pairs = traffic.exchanges.iter().zip(&flows);
        let wrong = pairs.filter_map(|(exchange, [client, server])| {
            judge(exchange, [client.as_ref(), server.as_ref()], own, whole).err()
        });
        Ok(wrong.collect())
    }

    /// Takes the flows of the test that are still open out of the tables.
    fn open(&mut self, source: &mut dyn Source) -> Result<Vec<Flow>, SensorError> {
        let (mut found, mut more) = (Vec::new(), true);
        while more {
            more = source.open_flows(&mut |flow| {
                if self.is_own_end(&flow.tuple) {
                    found.push(flow);
                }
            })?;
        }
        for flow in &mut found {
            self.ids.push(flow.id);
            if let Some(last) = source.evict(flow)? {
                *flow = last;
            }
        }
        Ok(found)
    }

    /// Whether a record is of the test, and no document is to be made of it.
    pub fn is_own(&mut self, event: &Event) -> bool {
        let time = |at: u64| self.done.iter().any(|done| at <= done.time[1] + CLOCKS);
        match event {
            Event::Closed(flow) | Event::Connected(flow) => {
                let own = self.is_own_end(&flow.tuple) && time(flow.first);
                if own {
                    self.ids.push(flow.id);
                }
                own
            }
            Event::Late(late) => self.ids.contains(&late.flow),
            Event::Socket(event) => {
                let tuple = &event.socket.tuple;
                let is_end = |end: Tuple| {
                    (tuple.local, tuple.local_port, tuple.protocol, tuple.family)
                        == (end.local, end.local_port, end.protocol, end.family)
                        && is_netns(tuple.netns, end.netns, self.own_netns)
                };
                self.ends().any(is_end) && time(event.socket.since)
            }
            Event::Exec(_) | Event::Fork(_) | Event::Exit(_) => false,
        }
    }

    fn is_own_end(&self, tuple: &Tuple) -> bool {
        self.ends().any(|end| is_end(tuple, &end, self.own_netns))
    }

    fn ends(&self) -> impl Iterator<Item = Tuple> {
        self.done.iter().flat_map(|done| {
            done.exchanges.iter().flat_map(move |exchange| exchange.ends(done.netns))
        })
    }
}

/// Whether a flow is between these ends. Where the kernel does not tell the network namespace, flows are shown in the
/// agent's own.
fn is_end(tuple: &Tuple, end: &Tuple, own: u32) -> bool {
    is_netns(tuple.netns, end.netns, own)
        && Tuple { netns: 0, ..*tuple } == Tuple { netns: 0, ..*end }
}

fn is_netns(seen: u32, made: u32, own: u32) -> bool {
    seen == made || seen == own || seen == 0
}

fn add(to: &mut Counts, late: &Counts) {
    to.packets_out += late.packets_out;
    to.bytes_out += late.bytes_out;
    to.packets_in += late.packets_in;
    to.bytes_in += late.bytes_in;
}

/// The counters of what was full.
fn full(source: &dyn Source) -> Values {
    source.counters().only(|metric| FULL.iter().any(|full| full.name == metric.name))
}

fn seen(traffic: &Traffic, after: Duration) -> String {
    let families = match (&traffic.without_ipv6, traffic.exchanges.len()) {
        (Some(reason), _) => format!("IPv4 (IPv6 could not be tried: {reason})"),
        (None, ..=2) => "IPv4".into(),
        (None, _) => "IPv4 and IPv6".into(),
    };
    let after = after.as_millis();
    format!("a connection and datagrams of its own over {families} were seen within {after} ms")
}

// === impl Outcome ===

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seen(text) => f.write_str(text),
            Self::Untried(reason) => {
                write!(f, "whether it sees what it should is not known: {reason}")
            }
            Self::Failed(reason) => {
                write!(f, "it does not see what the agent itself sent over loopback: {reason}")
            }
        }
    }
}

#[cfg(test)]
mod tests;
