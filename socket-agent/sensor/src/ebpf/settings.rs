//! Settings of the programs, which the agent writes to a map.

use std::{
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use aya::{Ebpf, maps::Map};
use socket_common::{
    DNS_CAPACITY, HOOKS_COPIED, REPLIES_HIDDEN, REPORT_CONNECTIONS, REPORT_LISTENERS, Settings,
};

use super::{
    features::Prototypes,
    load::{no_map, tasks_come_between},
    sensor::Options,
    sys,
};
use crate::{RecordBuffer, SensorError, SocketConfig, SocketEvents};
use linux::clock::Clock;

const MAP: &str = "SETTINGS";

/// The settings map of the programs and its one element, with what keeps the clock in it right.
pub(super) struct ProgramSettings {
    map: OwnedFd,
    settings: Settings,
    /// How often the clocks are compared; `None` if the programs can read the right one.
    period: Option<Duration>,
    tolerance: Duration,
    compared: Instant,
}

impl ProgramSettings {
    /// Writes the settings for the first time.
    ///
    /// # Errors
    ///
    /// The object has no such map, or the kernel refuses the write.
    pub(super) fn new(
        ebpf: &Ebpf,
        config: &SocketConfig,
        options: &Options,
        prototypes: &Prototypes,
    ) -> Result<Self, SensorError> {
        // Borrowed, as programs that are loaded later name the map by its descriptor.
        let Some(Map::Array(map)) = ebpf.map(MAP) else { return Err(no_map(MAP)) };
        let map = map.fd().as_fd().try_clone_to_owned().map_err(failed)?;
        let program_settings = Self {
            map,
            settings: settings(config, options, prototypes),
            period: (options.buffer == RecordBuffer::Perf).then_some(config.clock_sync_period),
            tolerance: config.clock_max_drift,
            compared: Instant::now(),
        };
        program_settings.write()?;
        Ok(program_settings)
    }

    /// Writes the idle time after which a flow is a new one.
    ///
    /// # Errors
    ///
    /// The kernel refuses the write.
    pub(super) fn set_idle(&mut self, idle: Duration) -> Result<(), SensorError> {
        self.settings.idle_ns = nanos(idle);
        self.write()
    }

    fn write(&self) -> Result<(), SensorError> {
        sys::update(self.map.as_fd(), &0u32, &self.settings).map_err(failed)
    }

    /// Writes how far the clock that they read is behind, if the host was suspended.
    pub(super) fn refresh(&mut self) -> Result<(), SensorError> {
        if self.period.is_none_or(|period| self.compared.elapsed() < period) {
            return Ok(());
        }
        self.compared = Instant::now();
        let ahead = ahead();
        let moved = Duration::from_nanos(ahead.abs_diff(self.settings.boottime_ahead));
        if moved <= self.tolerance {
            return Ok(());
        }
        self.settings.boottime_ahead = ahead;
        self.write()
    }
}

/// Nanoseconds that boottime is ahead of monotonic time.
fn ahead() -> u64 {
    Clock::now().boottime_of_monotonic(0)
}

fn nanos(time: Duration) -> u64 {
    time.as_nanos().try_into().unwrap_or(u64::MAX)
}

fn failed(source: std::io::Error) -> SensorError {
    SensorError::Map { map: MAP, source }
}

fn settings(config: &SocketConfig, options: &Options, prototypes: &Prototypes) -> Settings {
    let [tcp_v4_rcv, tcp_v6_rcv] = options.receive_functions;
    let hidden = if prototypes.hides_replies() { REPLIES_HIDDEN } else { 0 };
    let reports = match config.events {
        SocketEvents::Off => 0,
        SocketEvents::Listeners => REPORT_LISTENERS,
        SocketEvents::All => REPORT_LISTENERS | REPORT_CONNECTIONS,
    };
    let copied = if tasks_come_between() { HOOKS_COPIED } else { 0 };
    Settings {
        idle_ns: nanos(config.flow_inactive_timeout),
        boottime_ahead: ahead(),
        tcp_v4_rcv,
        tcp_v6_rcv,
        features: hidden | reports | copied,
        ipv6: options.ipv6.into(),
        dns_snaplen: match config.dns.from_sockets() {
            // All that a record has room for, as it takes that room anyway.
            true => config.dns.snaplen.unwrap_or(DNS_CAPACITY[1] as u32),
            false => 0,
        },
        reserved: 0,
    }
}
