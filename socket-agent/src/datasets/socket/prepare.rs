//! From the configuration and a running sensor to what makes documents of its records.

use std::sync::Arc;

use super::{agent::Agent, sockets::Sockets, tables::KernelTables};
use crate::services::{KernelEvents, Metrics, Observed, Report, Shared, ipv6};
use linux::clock::Clock;
use pipeline::Publisher;
use sensor::{Outcome, SocketConfig};

/// Waits for the sensor, and prepares everything.
pub(super) fn agent(
    socket: &SocketConfig,
    metrics: &Metrics,
    shared: Arc<Shared>,
    publisher: Publisher,
) -> anyhow::Result<Agent> {
    let (observed, events) = KernelEvents::flows(&shared)?;
    let Observed { choice, source, degraded, tables, outcome } = observed;
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
    let report = Report::new("sensor", metrics);
    let names = shared.accounts.names();
    let sockets = Sockets::new(socket, ipv6(socket)?);
    let clock = Clock::now();
    Ok(Agent::new(
        choice.set, socket, report, events, tables, sockets, shared, names, clock, publisher,
    ))
}
