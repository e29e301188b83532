//! Where members of the kernel's structures are, to be shown.

use super::{
    group::{self, Group},
    guess,
    mount::Tracing,
    offsets::{self, Member},
};
use crate::sensor::{Degraded, SensorError, SocketConfig};

/// A member of a kernel structure, as `STRUCTURE.MEMBER`, and its offset and size in bytes if it was found.
pub type Shown = (String, Option<(u32, u8)>);

/// Where type information has the members that the probes fetch - that of `config.btf`, else the kernel's
/// own - or, if `guess` says so, where they are found by trying, with the guesses that failed.
///
/// # Errors
///
/// There is no type information; or no tracefs, or a guess failed that everything rests on.
pub fn shown(
    config: &SocketConfig,
    guess: bool,
) -> Result<(Vec<Shown>, Vec<Degraded>), SensorError> {
    let (offsets, failed) = if guess {
        let tracing = cleared(config)?;
        let mut group = Group::new(&tracing);
        let found = guess::afresh(&mut group, config.tracefs.guess_timeout)?;
        (found.offsets.clone(), found.degraded())
    } else {
        let known = offsets::from_btf(config.btf.as_deref())?;
        let (offsets, _) = known.ok_or_else(|| SensorError::Btf {
            place: offsets::KERNEL_BTF.into(),
            reason: "this kernel publishes no type information".into(),
            remedy: "give it with --btf FILE, or have offsets found with --guess",
        })?;
        (offsets, Vec::new())
    };
    let shown = Member::ALL.iter().map(|member| {
        let (structure, path) = member.path();
        let place = offsets.get(*member).map(|place| (place.offset, place.size));
        (format!("{structure}.{path}"), place)
    });
    Ok((shown.collect(), failed))
}

/// Tracefs, without the probes of agents that are gone.
pub(super) fn cleared(config: &SocketConfig) -> Result<Tracing, SensorError> {
    let tracing = Tracing::find(config.tracefs.path.as_deref())?;
    group::clear_stale(&tracing).map_err(|error| SensorError::Tracing {
        place: tracing.file("kprobe_events"),
        reason: error.to_string(),
        remedy: "run as root",
    })?;
    Ok(tracing)
}
