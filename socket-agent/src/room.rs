//! Giving memory back after a peak.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, Hash},
};

/// Elements that a table may always have room for.
const ROOM: usize = 1024;

/// Lets a table that has become nearly empty have less room.
pub(crate) fn release<K: Eq + Hash, V, S: BuildHasher>(table: &mut HashMap<K, V, S>) {
    if is_too_much(table.capacity(), table.len()) {
        table.shrink_to((2 * table.len()).max(ROOM));
    }
}

/// The same for a queue.
pub(crate) fn release_queue<T>(queue: &mut VecDeque<T>) {
    if is_too_much(queue.capacity(), queue.len()) {
        queue.shrink_to((2 * queue.len()).max(ROOM));
    }
}

fn is_too_much(capacity: usize, used: usize) -> bool {
    // A table that is made with this room has up to twice as much.
    capacity > 2 * ROOM && capacity / 8 > used
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_become_nearly_empty_has_less_room() {
        let mut table: HashMap<u32, u32> = (0..100_000).map(|number| (number, number)).collect();
        table.retain(|number, _| *number < 20_000);
        let before = table.capacity();
        release(&mut table);
        assert_eq!(table.capacity(), before, "a fifth is in use");
        table.retain(|number, _| *number < 10);
        release(&mut table);
        assert_eq!(table.len(), 10);
        assert!(table.capacity() <= 2 * ROOM, "{}", table.capacity());

        let mut queue: VecDeque<u32> = (0..100_000).collect();
        queue.truncate(10);
        release_queue(&mut queue);
        assert!(queue.capacity() <= 2 * ROOM, "{}", queue.capacity());
        assert_eq!(queue, (0..10).collect::<VecDeque<_>>());
    }
}
