//! Giving memory of tables and queues back after a peak.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, Hash},
};

/// Elements that a table may always have capacity for.
const CAPACITY: usize = 1024;

/// Shrinks a table that has become nearly empty.
pub fn shrink_table<K: Eq + Hash, V, S: BuildHasher>(table: &mut HashMap<K, V, S>) {
    if is_too_much(table.capacity(), table.len()) {
        table.shrink_to((2 * table.len()).max(CAPACITY));
    }
}

/// Shrinks a queue that has become nearly empty.
pub fn shrink_queue<T>(queue: &mut VecDeque<T>) {
    if is_too_much(queue.capacity(), queue.len()) {
        queue.shrink_to((2 * queue.len()).max(CAPACITY));
    }
}

fn is_too_much(capacity: usize, used: usize) -> bool {
    // A table that is made with this capacity has up to twice as much.
    capacity > 2 * CAPACITY && capacity / 8 > used
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_become_nearly_empty_is_shrunk() {
        let mut table: HashMap<u32, u32> = (0..100_000).map(|number| (number, number)).collect();
        table.retain(|number, _| *number < 20_000);
        let before = table.capacity();
        shrink_table(&mut table);
        assert_eq!(table.capacity(), before, "a fifth is in use");
        table.retain(|number, _| *number < 10);
        shrink_table(&mut table);
        assert_eq!(table.len(), 10);
        assert!(table.capacity() <= 2 * CAPACITY, "{}", table.capacity());

        let mut queue: VecDeque<u32> = (0..100_000).collect();
        queue.truncate(10);
        shrink_queue(&mut queue);
        assert!(queue.capacity() <= 2 * CAPACITY, "{}", queue.capacity());
        assert_eq!(queue, (0..10).collect::<VecDeque<_>>());
    }
}
