//! Type information for the eBPF programs where the kernel publishes none.

use std::path::Path;

use super::{
    group::Group,
    guess,
    offsets::{Member, Offsets},
    show::cleared,
};
use crate::{
    Degraded, SensorError, SocketConfig,
    btf::{self, Known},
};

/// BTF of the members whose offsets are found by trying; `state` is where these are kept. With it come
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

fn described(offsets: &Offsets) -> Vec<u8> {
    let known = Member::ALL.iter().filter_map(|member| {
        let (structure, path) = member.path();
        let layout = offsets.get(*member)?;
        Some(Known { structure, path, offset: layout.offset, size: layout.size.into() })
    });
    btf::write(&known.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{btf::Types, tracefs::offsets::MemberLayout};

    #[test]
    fn places_come_back_from_the_types() {
        let mut offsets = Offsets::default();
        offsets.set(Member::SkcNet, MemberLayout { offset: 48, size: 8 });
        offsets.set(Member::SkOwned, MemberLayout { offset: 136, size: 4 });
        let types = Types::parse(described(&offsets)).unwrap();
        let found = types.members().find("sock", "sk_lock.owned").unwrap();
        assert_eq!((found.offset, found.size), (136, 4));
        assert!(aya::Btf::parse(&described(&offsets), aya::Endianness::default()).is_ok());
    }
}
