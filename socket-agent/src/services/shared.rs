//! What all datasets know of the host they run on.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;

use ecs::{Agent, Host, IdSource, Metadata};

use super::events::{KernelEvents, ProcessEvent};
use linux::{Accounts, clock::Clock};
use processes::{ProcessTable, TableOptions};

/// Where the agent keeps what must survive a restart.
pub(crate) const STATE: &str = "/var/lib/socket-agent";

/// Host, agent, processes and the kernel's events.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Parts of every document.
    pub(crate) metadata: Metadata,
    /// Names of users and groups.
    pub(crate) accounts: Arc<Accounts>,
    /// Records that the sensor hands over.
    pub(crate) events: KernelEvents,
    processes: Mutex<ProcessTable>,
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
        let (accounts, events) = (Accounts::of_host(), KernelEvents::default());
        Ok(Self { metadata, accounts, events, processes })
    }

    /// The processes that are known: all that was handed over of them is taken in. Held for a few lookups
    /// only: others wait for it.
    pub(crate) fn processes(&self) -> MutexGuard<'_, ProcessTable> {
        let mut table = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody else takes any meanwhile, as the table is locked: their order is kept.
        for event in self.events.take_processes() {
            match event {
                ProcessEvent::Exec(exec) => {
                    // Its flows and events come later: the name service has time to answer until then.
                    self.accounts.ask(exec.uid, exec.gid);
                    table.on_exec(&exec);
                }
                ProcessEvent::Fork(fork) => table.on_fork(&fork),
                ProcessEvent::Exit(exit) => table.on_exit(&exit),
            }
        }
        table
    }

    /// The processes, with all that the kernel has reported of them up to now. Waits for nobody: where a dataset
    /// is so far behind that no more can be handed over to it, the newest are missing.
    pub(crate) fn processes_now(&self) -> MutexGuard<'_, ProcessTable> {
        loop {
            let all = self.events.drain();
            let table = self.processes();
            if all || self.events.is_stalled() {
                return table;
            }
        }
    }
}
