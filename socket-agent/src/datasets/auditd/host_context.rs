//! What the agent knows about an event beyond its records.

use std::{process, sync::Arc};

use crate::services::Shared;
use audit::{document::Context, normalise::Normal, records::Kind, stream::EventContext};
use linux::clock::Clock;
use processes::Process;

/// Host, processes and containers.
pub(super) struct HostContext {
    shared: Arc<Shared>,
    clock: Clock,
    pid: u32,
    /// The process of the event at hand.
    process: Option<Arc<Process>>,
    own: u64,
}

// === impl HostContext ===

impl HostContext {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, clock: Clock::now(), pid: process::id(), process: None, own: 0 }
    }

    pub(super) fn set_clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    /// System calls of the agent itself that were left out.
    pub(super) fn own(&self) -> u64 {
        self.own
    }

    /// Brings the process table up to what the kernel has told until now: a process is often gone when its
    /// record is read, and only the table still knows it.
    pub(super) fn look_at_processes(&self) {
        drop(self.shared.processes_now());
    }
}

impl EventContext for HostContext {
    /// What the agent does itself is left out: each document written would make another.
    fn wants(&mut self, normal: &Normal<'_>) -> bool {
        let own = normal.kind == Kind::SYSCALL && normal.process.pid == Some(self.pid);
        self.own += u64::from(own);
        !own
    }

    fn context<'a>(&'a mut self, normal: &Normal<'_>) -> Context<'a> {
        let time = self.clock.boottime_of(normal.event.id.stamp.time());
        self.process =
            normal.process.pid.and_then(|pid| self.shared.processes().with_pid(pid, time));
        let process = self.process.as_deref();
        Context {
            metadata: Some(&self.shared.metadata),
            container: process.and_then(|process| process.container.as_deref()),
            entity_id: process.map(|process| &*process.entity_id),
        }
    }
}
