//! Type information for the eBPF programs where the kernel publishes none.

use std::path::Path;

use super::{
    group::{self, Group},
    guess,
    mount::Tracing,
    offsets::{self, Member, Offsets},
};
use crate::{
    config::SocketConfig,
    sensor::{
        Degraded, SensorError,
        btf::{self, Known},
    },
};

/// BTF of the members whose places are found by trying; `state` is where these are kept. With it come
/// the guesses that failed.
///
/// # Errors
///
/// There is no tracefs, or a guess failed that everything rests on.
pub fn by_trying(
    config: &SocketConfig,
    state: &Path,
) -> Result<(Vec<u8>, Vec<Degraded>), SensorError> {
    let tracing = cleared(config)?;
    let mut group = Group::new(&tracing);
    let found = guess::offsets(&mut group, config.tracefs.guess_timeout, state)?;
    Ok((described(&found.offsets), found.degraded()))
}

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
fn cleared(config: &SocketConfig) -> Result<Tracing, SensorError> {
    let tracing = Tracing::find(config.tracefs.path.as_deref())?;
    group::clear_stale(&tracing).map_err(|error| SensorError::Tracing {
        place: tracing.file("kprobe_events"),
        reason: error.to_string(),
        remedy: "run as root",
    })?;
    Ok(tracing)
}

fn described(offsets: &Offsets) -> Vec<u8> {
    let known = Member::ALL.iter().filter_map(|member| {
        let (structure, path) = member.path();
        let place = offsets.get(*member)?;
        Some(Known { structure, path, offset: place.offset, size: place.size.into() })
    });
    btf::write(&known.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensor::{btf::Types, tracefs::offsets::Place};

    #[test]
    fn places_come_back_from_the_types() {
        let mut offsets = Offsets::default();
        offsets.set(Member::SkcNet, Place { offset: 48, size: 8 });
        offsets.set(Member::SkOwned, Place { offset: 136, size: 4 });
        let types = Types::parse(described(&offsets)).unwrap();
        let found = types.members().find("sock", "sk_lock.owned").unwrap();
        assert_eq!((found.offset, found.size), (136, 4));
        assert!(aya::Btf::parse(&described(&offsets), aya::Endianness::default()).is_ok());
    }
}
