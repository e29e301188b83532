//! What all datasets know of the host they run on.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;

use crate::{
    clock::Clock,
    event::{self, Host, IdSource, Metadata},
    process::{ProcessTable, TableOptions},
};

/// Where the agent keeps what must survive a restart.
const STATE: &str = "/var/lib/socket-agent";

/// Host, agent and processes.
#[derive(Debug)]
pub(super) struct Shared {
    /// Parts of every document.
    pub(super) metadata: Metadata,
    processes: Mutex<ProcessTable>,
}

impl Shared {
    /// Reads what describes this host.
    ///
    /// # Errors
    /// None in practice: it can be expressed as JSON.
    pub(super) fn read() -> anyhow::Result<Self> {
        let root = Path::new("/");
        let machine_id = event::machine_id(root);
        let host = Host::read(root);
        let (identity, source) = event::Agent::load(Path::new(STATE), &host.hostname, &machine_id);
        if let IdSource::Derived { path, source } = &source {
            log::warn!(
                target: "agent",
                "cannot keep agent.id in {}: {source}; it is derived from the machine id instead",
                path.display()
            );
        }
        let metadata = Metadata::new(&host, &identity).context("cannot describe this host")?;
        let processes = ProcessTable::new(TableOptions::default(), Clock::now(), &machine_id);
        Ok(Self { metadata, processes: Mutex::new(processes) })
    }

    /// The processes that are known. Held for a few lookups only: others wait for it.
    pub(super) fn processes(&self) -> MutexGuard<'_, ProcessTable> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
