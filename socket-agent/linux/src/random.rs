//! Random identifiers.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    process,
    time::{SystemTime, UNIX_EPOCH},
};

use uuid::{Builder, Uuid};

/// A new random identifier (version 4).
///
/// Never waits: before 5.6 the kernel lets `getrandom(2)` wait until it has gathered entropy, which
/// a machine that has just booted may not do for minutes. The standard library's hash keys, which
/// come without that wait, and the time make up the bits.
#[must_use]
pub fn uuid() -> Uuid {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let keys = RandomState::new();
    let half = |number: u8| keys.hash_one((number, now, process::id())).to_ne_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&half(0));
    bytes[8..].copy_from_slice(&half(1));
    Builder::from_random_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_of_version_4_and_differ() {
        let ids: std::collections::HashSet<_> = (0..100).map(|_| uuid()).collect();
        assert_eq!(ids.len(), 100);
        assert!(ids.iter().all(|id| id.get_version_num() == 4));
        // Every bit that is free is 0 in some and 1 in others.
        let all = |fold: fn(u128, u128) -> u128| ids.iter().map(|id| id.as_u128()).reduce(fold);
        let varies = all(|a, b| a | b).unwrap() ^ all(|a, b| a & b).unwrap();
        assert_eq!(varies.count_ones(), 122);
    }
}
