//! The fixture that a scenario works with.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result};

use crate::{
    agent::{Doc, Options, Timeouts},
    capture::Capture,
    endpoint::Endpoint,
    expect::{Session, Side},
    worker::Worker,
};

/// The agent, names and addresses that a scenario works with.
#[derive(Debug)]
pub struct Fixture<'r> {
    /// The scenario's name.
    pub name: &'static str,
    /// Number of the scenario, for addresses of its own.
    pub number: u16,
    /// The agent that watches, if it runs and is shared.
    pub shared: Option<&'r Session>,
    /// Options with which that agent is started.
    pub options: &'r Options,
    /// What has to be there until it has ended.
    pub guards: &'r Guards,
    /// Directory for logs.
    pub logs: Option<&'r Path>,
}

/// Guards that are dropped after the agent has ended.
#[derive(Default)]
pub struct Guards(Mutex<Vec<Box<dyn Send>>>);

impl fmt::Debug for Guards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guards")
    }
}

impl Fixture<'_> {
    /// The loopback interface of this machine.
    pub fn host(&self) -> Result<Endpoint> {
        Endpoint::host(self.number)
    }

    /// A loopback interface of its own.
    pub fn loopback(&self) -> Result<Endpoint> {
        Endpoint::loopback(self.number)
    }

    /// Two endpoints joined by a wire.
    pub fn wire(&self, offloads: bool) -> Result<(Endpoint, Endpoint)> {
        Endpoint::wire(self.number, offloads)
    }

    /// An agent of the scenario's own.
    pub fn agent(&self, timeouts: Timeouts) -> Result<Session> {
        Session::start(&Options { timeouts, log: self.log(), ..self.options.clone() })
    }

    /// An agent of the scenario's own, with these settings.
    pub fn agent_with(
        &self,
        timeouts: Timeouts,
        settings: &'static [&'static str],
    ) -> Result<Session> {
        let options = Options { timeouts, settings, log: self.log(), ..self.options.clone() };
        Session::start(&options)
    }

    /// Ends a scenario about what only eBPF programs can ask of a socket.
    pub fn needs_ebpf(&self) -> Result<()> {
        match self.options.hooks.as_str() {
            "tracefs" => Err(crate::skip::skip("the set tracefs does not look into sockets")),
            _ if self.options.is_early() => Err(crate::skip::skip(
                "the programs for kernels before 5.8 do not look into open sockets",
            )),
            _ => Ok(()),
        }
    }

    /// A server and a client, both in `endpoint`.
    pub fn couple(&self, endpoint: &Endpoint) -> Result<(Worker, Worker)> {
        Ok((Worker::spawn(&endpoint.netns, "server")?, Worker::spawn(&endpoint.netns, "client")?))
    }

    /// Lets something last until the shared agent has ended.
    pub fn keep(&self, thing: impl Send + 'static) {
        self.guards.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(thing));
    }

    /// Checks one end of a conversation with the shared agent.
    pub fn expect(&self, side: &Side, capture: &Capture) -> Result<Doc> {
        self.shared()?.expect(self.name, side, capture)
    }

    /// Checks two ends that both pass the interface of `endpoint`, and that they are known by the same
    /// community id.
    pub fn expect_both(&self, one: &Side, two: &Side, endpoint: &Endpoint) -> Result<()> {
        let one = self.expect(one, &endpoint.capture)?;
        let two = self.expect(two, &endpoint.capture)?;
        same_conversation(&one, &two)
    }

    /// The agent that watches.
    pub fn shared(&self) -> Result<&Session> {
        self.shared.context("no shared agent runs: this scenario is listed as another kind")
    }

    pub(crate) fn log(&self) -> Option<PathBuf> {
        Some(self.logs?.join(format!("{}.log", self.name.replace('/', "-"))))
    }
}

/// Both ends of a conversation have the same community id.
pub fn same_conversation(one: &Doc, two: &Doc) -> Result<()> {
    let ids = [one, two].map(|doc| doc.text("network.community_id"));
    anyhow::ensure!(ids[0] == ids[1], "the ends have different community ids: {ids:?}");
    Ok(())
}
