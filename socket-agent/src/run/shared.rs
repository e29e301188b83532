//! What all datasets know of the host they run on.

use std::{
    path::Path,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;

use ecs::{Agent, Host, IdSource, Metadata};

use crate::process::{ProcessTable, TableOptions};
use linux::clock::Clock;

/// Where the agent keeps what must survive a restart.
pub(super) const STATE: &str = "/var/lib/socket-agent";

/// How long an event waits for the process table: a few times what lies between two looks at what
/// the kernel has told.
const PATIENCE: Duration = Duration::from_millis(300);

/// Host, agent and processes.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Parts of every document.
    pub(crate) metadata: Metadata,
    processes: Mutex<ProcessTable>,
    /// Boottime up to which the process table knows what the kernel has told; `None` if nothing
    /// feeds it.
    known: Mutex<Known>,
    told: Condvar,
}

/// What is known, and how many threads wait to know more: telling nobody is a call of the kernel.
#[derive(Debug, Default)]
struct Known {
    until: Option<u64>,
    waiting: u32,
}

impl Shared {
    /// Reads what describes this host; an agent that has no id yet is given one.
    ///
    /// # Errors
    /// None in practice: it can be expressed as JSON.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let host = Host::read(Path::new("/"));
        let (identity, source) = Agent::load(Path::new(STATE), &host.hostname, &host.id);
        if let IdSource::Derived { path, source } = &source {
            log::warn!(
                target: "agent",
                "cannot keep agent.id in {}: {source}; it is derived from the machine id instead",
                path.display()
            );
        }
        Self::new(&host, &identity)
    }

    /// As [`read`](Self::read), but writes nothing: for commands that only look.
    ///
    /// # Errors
    /// None in practice: it can be expressed as JSON.
    pub(crate) fn look() -> anyhow::Result<Self> {
        let host = Host::read(Path::new("/"));
        Self::new(&host, &Agent::look(Path::new(STATE), &host.hostname, &host.id))
    }

    fn new(host: &Host, agent: &Agent) -> anyhow::Result<Self> {
        let metadata = Metadata::new(host, agent).context("cannot describe this host")?;
        let processes = ProcessTable::new(TableOptions::default(), Clock::now(), &host.id);
        let processes = Mutex::new(processes);
        Ok(Self { metadata, processes, known: Mutex::default(), told: Condvar::new() })
    }

    /// The processes that are known. Held for a few lookups only: others wait for it.
    pub(crate) fn processes(&self) -> MutexGuard<'_, ProcessTable> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells that the process table knows everything up to a time, boottime nanoseconds.
    pub(super) fn knows_processes_until(&self, time: u64) {
        self.tell(Some(time));
    }

    /// Tells that nothing feeds the process table any more.
    pub(super) fn feeds_no_more(&self) {
        self.tell(None);
    }

    fn tell(&self, until: Option<u64>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.until = until;
        if known.waiting > 0 {
            self.told.notify_all();
        }
    }

    /// Waits until the process table knows everything up to a time, boottime nanoseconds; for
    /// [`PATIENCE`] at most, and not at all if nothing feeds it.
    pub(super) fn wait_for_processes(&self, time: u64) {
        let deadline = Instant::now() + PATIENCE;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        while known.until.is_some_and(|until| until < time) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            known.waiting += 1;
            known = self.told.wait_timeout(known, left).unwrap_or_else(PoisonError::into_inner).0;
            known.waiting -= 1;
        }
    }
}
