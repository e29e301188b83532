//! The kernel's tables as the flow engine sees them.

use std::collections::HashSet;

use socket_common::{Began, Flow, Late, Tuple};

use flow::Kernel;
use linux::clock::Clock;
use sensor::{SocketConfig, Source};

/// A local port that is listened on: network namespace, protocol, port.
type Listener = (u32, u8, u16);

/// The sensor and what was last seen listening.
pub(super) struct KernelTables {
    pub(super) sensor: Box<dyn Source>,
    listening: HashSet<Listener>,
    /// Who listened when the agent started.
    listened: HashSet<Listener>,
    failures: u64,
}

impl KernelTables {
    pub(super) fn new(sensor: Box<dyn Source>) -> Self {
        let (listening, listened) = (HashSet::new(), HashSet::new());
        let mut tables = Self { sensor, listening, listened, failures: 0 };
        tables.refresh_listeners();
        tables.listened.clone_from(&tables.listening);
        tables
    }

    /// Reads anew who listens.
    pub(super) fn refresh_listeners(&mut self) {
        let Self { sensor, listening, listened: _, failures } = self;
        listening.clear();
        let read = sensor.owners(&mut |owner| {
            let tuple = &owner.tuple;
            listening.insert((tuple.netns, tuple.protocol, tuple.local_port));
        });
        if let Err(error) = read {
            *failures += 1;
            log::warn!(target: "sensor", "{error}");
        }
    }

    /// Lets the sensor take over settings that have changed.
    pub(super) fn reconfigure(&mut self, socket: &SocketConfig) {
        if let Err(error) = self.sensor.reconfigure(socket) {
            self.failures += 1;
            log::warn!(target: "sensor", "{error}");
        }
    }

    /// Removes what nothing comes of any more.
    pub(super) fn tidy(&mut self) {
        if let Err(error) = self.sensor.tidy() {
            self.failures += 1;
            log::warn!(target: "sensor", "{error}");
        }
    }

    /// Reads of single entries that the kernel refused.
    pub(super) fn failures(&self) -> u64 {
        self.failures
    }
}

impl Kernel for KernelTables {
    fn take_late(&mut self, flow: u64, tuple: &Tuple) -> Option<Late> {
        match self.sensor.take_late(flow, tuple) {
            Ok(late) => late,
            Err(error) => {
                self.failures += 1;
                log::warn!(target: "sensor", "{error}");
                None
            }
        }
    }

    fn evict(&mut self, flow: &Flow) -> Option<Flow> {
        match self.sensor.evict(flow) {
            Ok(last) => last,
            Err(error) => {
                self.failures += 1;
                log::warn!(target: "sensor", "{error}");
                None
            }
        }
    }

    fn is_listening(&self, tuple: &Tuple, began: Began) -> Option<bool> {
        let listening = if began == Began::Existing { &self.listened } else { &self.listening };
        Some(listening.contains(&(tuple.netns, tuple.protocol, tuple.local_port)))
    }

    fn now(&self) -> u64 {
        Clock::boottime()
    }

    fn sample(&mut self, flows: &mut [Flow]) {
        if let Err(error) = self.sensor.sample(flows) {
            self.failures += 1;
            log::warn!(target: "sensor", "{error}");
        }
    }
}
