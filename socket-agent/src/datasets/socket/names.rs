//! Names from DNS traffic, as the socket dataset uses them.

use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use metrics::Values;
use socket_common::Flow;

use crate::services::{Delivered, Memory};
use flow::{
    Cause, FlowRecord,
    dns::{DnsCache, Domains, Limits},
};
use linux::clock::Clock;
use sensor::{DnsConfig, Event, HostNetworks, SensorError, Source, dns::Channel};

/// How often names that hold no longer are forgotten.
const EXPIRE: Duration = Duration::from_secs(10);
/// Shortest time between two looks at the open flows for the sake of names.
const LOOK: Duration = Duration::from_millis(100);
/// They take at most one part in so many of the time.
const SHARE: u32 = 20;
/// Names and questions that free memory worth giving back.
const MANY: u64 = 4096;

/// Source of DNS packets, and the cache of names that they fill.
pub(super) struct NameService {
    channel: Channel,
    cache: DnsCache,
    expired: Instant,
    look_next: Instant,
    /// The flows that are open are being gone through.
    between_batches: bool,
    memory: Memory,
}

impl NameService {
    /// `None` if it is switched off, or cannot be: the log says why.
    pub(super) fn start(config: &DnsConfig, source: &mut dyn Source) -> Option<Self> {
        if !config.enabled {
            return None;
        }
        let channel = match Channel::open(config, source) {
            Ok(channel) => channel,
            Err(error) => {
                log::warn!(target: "dns", "documents will have no domains: {error}");
                return None;
            }
        };
        log::info!(target: "dns", "names from DNS {}", channel.describe());
        let limits = Limits {
            names: config.names as usize,
            minimum_ttl: config.minimum_ttl.as_nanos().try_into().unwrap_or(u64::MAX),
        };
        let now = Instant::now();
        let cache = DnsCache::new(limits, Box::new(HostNetworks::default()));
        Some(Self {
            channel,
            cache,
            expired: now,
            look_next: now,
            between_batches: false,
            memory: Memory::new(MANY),
        })
    }

    /// A descriptor that becomes readable when packets have arrived.
    pub(super) fn descriptor(&self) -> anyhow::Result<OwnedFd> {
        self.channel.descriptor().context("cannot duplicate the descriptor of DNS packets")
    }

    /// Takes the packets that have arrived.
    pub(super) fn drain(&mut self) {
        let Self { channel, cache, .. } = self;
        channel.read(|packet| cache.packet(packet));
    }

    /// A record of the kernel.
    pub(super) fn record(&mut self, record: &Delivered) {
        let event = match record {
            Delivered::Executed(pid) => return self.channel.executed(*pid),
            Delivered::Event(event) => event,
        };
        match event {
            Event::Closed(flow) => self.cache.closed(flow),
            Event::Late(_) | Event::Socket(_) | Event::Connected(_) => {}
            Event::Exec(exec) => self.channel.executed(exec.pid),
            Event::Fork(fork) => self.cache.forked(fork),
            Event::Exit(exit) => {
                self.cache.exited(exit);
                self.channel.exited(exit.pid);
            }
        }
    }

    /// A closed flow that took another way.
    pub(super) fn closed(&mut self, flow: &Flow) {
        self.cache.closed(flow);
    }

    /// A batch of the flows that were open at `now`; whether more follow.
    pub(super) fn open_flows(&mut self, flows: &[Flow], more: bool, now: u64) {
        self.drain();
        self.cache.open_flows(flows, now);
        self.between_batches = more;
        if !more {
            self.cache.end_open_flows(now);
        }
    }

    /// Prepares for a report: takes in all that may say more of these flows.
    pub(super) fn prepare(
        &mut self,
        records: &[FlowRecord],
        source: &mut dyn Source,
    ) -> Result<(), SensorError> {
        self.drain();
        let wanted = || records.iter().any(|record| self.cache.wants_look(&record.flow));
        if self.between_batches || Instant::now() < self.look_next || !wanted() {
            return Ok(());
        }
        self.look(source)
    }

    /// Looks at the open flows to servers.
    pub(super) fn look(&mut self, source: &mut dyn Source) -> Result<(), SensorError> {
        let start = Instant::now();
        self.drain();
        let now = Clock::boottime();
        let mut more = true;
        while more {
            more = source.open_flows(&mut |flow| self.cache.server_flow(&flow, now))?;
        }
        self.cache.looked();
        self.look_next = Instant::now() + LOOK.max(start.elapsed() * SHARE);
        Ok(())
    }

    /// Ends the capture of packets.
    pub(super) fn finish(&mut self) {
        self.drain();
        self.cache.compare(u64::MAX);
    }

    /// The names of both ends of a flow.
    pub(super) fn domains(&mut self, record: &FlowRecord) -> Domains {
        let last = record.is_final && record.cause != Cause::Idle;
        self.cache.domains(&record.flow, last)
    }

    /// Work to be done regularly.
    pub(super) fn tick(&mut self) {
        self.channel.tick();
        self.cache.compare(Clock::boottime());
        if self.expired.elapsed() >= EXPIRE {
            self.expired = Instant::now();
            let expired = self.cache.expire(Clock::boottime());
            self.memory.settle(expired.try_into().unwrap_or(u64::MAX));
        }
    }

    /// Adds what was captured and what was made of it.
    pub(super) fn count(&mut self, values: &mut Values) {
        values.extend(self.channel.counters().values());
        values.extend(self.cache.counters().values());
    }
}
