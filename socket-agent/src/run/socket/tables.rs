//! The kernel's tables as the flow engine sees them.

use std::collections::HashSet;

use socket_common::{Flow, Late, Tuple};

use crate::{flow::Kernel, sensor::Source};

/// A local port that is listened on: network namespace, protocol, port.
type Listener = (u32, u8, u16);

/// The sensor and what was last seen listening.
pub(super) struct KernelTables {
    pub(super) sensor: Box<dyn Source>,
    listening: HashSet<Listener>,
    failures: u64,
}

impl KernelTables {
    pub(super) fn new(sensor: Box<dyn Source>) -> Self {
        Self { sensor, listening: HashSet::new(), failures: 0 }
    }

    /// Reads anew who listens.
    pub(super) fn refresh_listeners(&mut self) {
        let Self { sensor, listening, failures } = self;
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

    fn is_listening(&self, tuple: &Tuple) -> Option<bool> {
        Some(self.listening.contains(&(tuple.netns, tuple.protocol, tuple.local_port)))
    }
}
