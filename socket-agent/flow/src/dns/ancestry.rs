//! Which process came of which: children know the names that their parents asked for before.

use std::collections::VecDeque;

use lru::LruCache;

use super::claims::Asker;

/// Processes that are remembered.
const PROCESSES: usize = 32_768;
/// Generations that are gone back.
const GENERATIONS: usize = 8;
/// How long a process that is gone may still have flows to report, nanoseconds.
const GRACE: u64 = 30_000_000_000;

#[derive(Debug)]
struct Node {
    parent: Asker,
    forked: u64,
    /// Children that are remembered.
    children: u32,
    exited: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Ancestry {
    nodes: LruCache<Asker, Node>,
    exits: VecDeque<(u64, Asker)>,
    /// Running processes that gave way to others.
    pub(super) evicted: u64,
}

impl Ancestry {
    pub(super) fn new() -> Self {
        Self { nodes: LruCache::unbounded(), exits: VecDeque::new(), evicted: 0 }
    }

    /// A process was made; its start is the time of that.
    pub(super) fn forked(&mut self, child: Asker, parent: Asker) {
        while self.nodes.len() >= PROCESSES {
            match self.exits.pop_front() {
                Some((_, gone)) => drop(self.nodes.pop(&gone)),
                None => self.evicted += u64::from(self.nodes.pop_lru().is_some()),
            }
        }
        let node = Node { parent, forked: child.start, children: 0, exited: None };
        self.nodes.put(child, node);
        if let Some(parent) = self.nodes.get_mut(&parent) {
            parent.children += 1;
        }
    }

    /// A process is gone, since `time`.
    pub(super) fn exited(&mut self, process: Asker, time: u64) {
        if let Some(node) = self.nodes.peek_mut(&process) {
            node.exited = Some(time);
            self.exits.push_back((time, process));
        }
    }

    /// Forgets those that are gone, and have no descendants.
    pub(super) fn expire(&mut self, now: u64) {
        while let Some(&(time, process)) = self.exits.front() {
            if now.saturating_sub(time) < GRACE {
                break;
            }
            self.exits.pop_front();
            self.forget(process, now);
        }
        // Evicted ones leave their place here; a process is here once.
        if self.exits.capacity() > 4 * self.exits.len().max(64) {
            self.exits.shrink_to_fit();
        }
    }

    fn forget(&mut self, process: Asker, now: u64) {
        let mut next = Some(process);
        while let Some(process) = next {
            let gone = self.nodes.peek(&process).is_some_and(|node| {
                let exited = node.exited.is_some_and(|time| now.saturating_sub(time) >= GRACE);
                exited && node.children == 0
            });
            let node = if gone { self.nodes.pop(&process) } else { None };
            next = node.map(|node| node.parent);
            if let Some(parent) = next.and_then(|parent| self.nodes.peek_mut(&parent)) {
                parent.children = parent.children.saturating_sub(1);
            }
        }
    }

    /// The process, then its ancestors, each with the time up to which what it asked is known to
    /// the process.
    pub(super) fn line(&self, process: Asker) -> impl Iterator<Item = (Asker, u64)> {
        let mut next = Some((process, u64::MAX));
        let line = std::iter::from_fn(move || {
            let (process, until) = next?;
            next = self.nodes.peek(&process).map(|node| (node.parent, node.forked.min(until)));
            Some((process, until))
        });
        line.take(GENERATIONS + 1)
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32) -> Asker {
        Asker { pid, start: u64::from(pid) * 10 }
    }

    #[test]
    fn a_line_goes_back_to_the_first_that_was_seen() {
        let mut ancestry = Ancestry::new();
        ancestry.forked(process(2), process(1));
        ancestry.forked(process(3), process(2));
        let line: Vec<_> =
            ancestry.line(process(3)).map(|(process, at)| (process.pid, at)).collect();
        assert_eq!(line, [(3, u64::MAX), (2, 30), (1, 20)]);
    }

    #[test]
    fn parents_stay_as_long_as_a_descendant() {
        let mut ancestry = Ancestry::new();
        ancestry.forked(process(2), process(1));
        ancestry.forked(process(3), process(2));
        ancestry.exited(process(2), 100);
        ancestry.expire(100 + GRACE);
        assert_eq!(ancestry.len(), 2, "a child is left");
        ancestry.exited(process(3), 200);
        ancestry.expire(200 + GRACE - 1);
        assert_eq!(ancestry.len(), 2);
        ancestry.expire(200 + GRACE);
        assert_eq!((ancestry.len(), ancestry.exits.len()), (0, 0));
    }

    #[test]
    fn a_flood_of_processes_is_bounded_and_counted() {
        let mut ancestry = Ancestry::new();
        for pid in 0..PROCESSES as u32 + 5 {
            ancestry.forked(process(pid + 1), process(pid));
        }
        assert_eq!((ancestry.len(), ancestry.evicted), (PROCESSES, 5));
        assert_eq!(ancestry.line(process(PROCESSES as u32)).count(), GENERATIONS + 1);
    }
}
