//! Parts of the start: rings, offsets without type information, what is known of tasks.

use std::os::unix::fs::MetadataExt as _;

use super::{
    aggregate::Aggregator,
    existing,
    group::{self, Group},
    guess,
    install::Options,
    mount::Tracing,
    offsets::Offsets,
    probe::Shapes,
    tasks::TaskTable,
};
use crate::{Degraded, SensorError, SocketConfig, perf::Rings};

/// Inode number of the agent's own network namespace; 0 on kernels without.
pub(super) fn own_netns() -> u32 {
    let inode = std::fs::metadata("/proc/self/ns/net").map_or(0, |namespace| namespace.ino());
    u32::try_from(inode).unwrap_or(0)
}

/// Offsets of a kernel without type information.
pub(super) fn guessed(
    group: &mut Group,
    config: &SocketConfig,
    options: &Options,
) -> Result<(Offsets, Shapes, Vec<Degraded>), SensorError> {
    let found = guess::offsets(group, config.tracefs.guess_timeout, &options.state)?;
    let (offsets, shapes) = (found.offsets.clone(), found.shapes.clone());
    Ok((offsets, shapes, found.degraded()))
}

/// Opens the rings that the kernel writes samples to.
pub(super) fn open_rings(config: &SocketConfig) -> Result<Rings, SensorError> {
    let rings =
        Rings::open(config.tracefs.ring_size_exponent).map_err(|error| SensorError::Hook {
            set: "tracefs",
            hook: "perf rings".into(),
            reason: error.to_string(),
            remedy: "run as root, or with CAP_SYS_ADMIN; make socket.ring_size_exponent smaller",
        })?;
    if !rings.has_ids() {
        log::info!(
            target: "sensor",
            "this kernel has no PERF_EVENT_IOC_ID; samples are told apart by common_type"
        );
    }
    Ok(rings)
}

/// Switches the events on, which were opened switched off.
pub(super) fn enable(rings: &mut Rings) -> Result<(), SensorError> {
    let enabled = rings.enable();
    enabled.map_err(|error| SensorError::Hook {
        set: "tracefs",
        hook: "perf events".into(),
        reason: error.to_string(),
        remedy: "run as root, or with CAP_SYS_ADMIN",
    })
}

/// An aggregator that knows the tasks and holders of sockets that are there.
pub(super) fn aggregator(config: &SocketConfig, options: &Options) -> Aggregator<TaskTable> {
    let mut tasks = TaskTable::new();
    tasks.read_all();
    tasks.set_holders(existing::holders());
    let idle = config.flow_inactive_timeout.as_nanos().try_into().unwrap_or(u64::MAX);
    let mut aggregator = Aggregator::new(tasks, config.tables, idle, options.ipv6);
    aggregator.netns = own_netns();
    aggregator
}

/// Removes the probes of agents that were killed.
pub(super) fn clear_stale(tracing: &Tracing) -> Result<(), SensorError> {
    let cleared = group::clear_stale(tracing).map_err(|error| SensorError::Tracing {
        place: tracing.file("kprobe_events"),
        reason: error.to_string(),
        remedy: "run as root",
    })?;
    if cleared > 0 {
        log::info!(target: "sensor", "removed {cleared} probes that an agent left which was killed");
    }
    Ok(())
}
