//! From the configuration to a running sensor.

use std::{path::Path, sync::Arc};

use super::{
    agent::Agent,
    sockets::Sockets,
    start::{self, Started},
    tables::KernelTables,
};
use crate::{
    run::{changes::Changes, shared::Shared},
    settings::Metrics,
};
use linux::{Names, clock::Clock};
use pipeline::Publisher;
use sensor::{Outcome, SocketConfig, host::HostFacts};

/// Starts everything.
pub(super) fn agent(
    socket: &SocketConfig,
    metrics: &Metrics,
    shared: Arc<Shared>,
    publisher: Publisher,
) -> anyhow::Result<Agent> {
    let mut facts = HostFacts::probe_for_hooks().with_btf_file(socket.btf.clone());
    let started = start::start(socket, &mut facts, &mut || {
        // At once: of those that end before, nothing is known but what the hooks have told.
        if let Err(error) = shared.processes().scan_proc() {
            log::warn!(target: "process", "{error}");
        }
    })?;
    let Started { choice, source, degraded, tables, test, outcome } = started;
    let socket = &SocketConfig { tables, ..socket.clone() };
    for reason in &choice.reasons {
        log::info!(target: "sensor", "hook set {}: {reason}", choice.set);
    }
    for hook in &degraded {
        log::warn!(target: "sensor", "{} not attached: {}: {}", hook.hook, hook.effect, hook.reason);
    }
    match &outcome {
        Outcome::Seen(_) => log::info!(target: "sensor", "hook set {}: {outcome}", choice.set),
        _ => log::warn!(target: "sensor", "hook set {}: {outcome}", choice.set),
    }

    let tables = KernelTables::new(source);
    let changes = Changes::new(metrics);
    let names = Names::new(Path::new("/"));
    let sockets = Sockets::new(socket, start::ipv6(socket)?);
    let clock = Clock::now();
    Ok(Agent::new(
        choice.set, socket, changes, tables, test, sockets, shared, names, clock, publisher,
    ))
}
