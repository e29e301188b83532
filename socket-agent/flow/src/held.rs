//! Closed connections that wait for late packets.
//!
//! Hundreds of thousands may wait, and seconds later none. They are stored in batches that are freed whole:
//! flows among the small pieces that processes and names need would keep every page of those in use, and
//! a table of flows would hold twice as much while it grows.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
};

use socket_common::Flow;

use linux::shrink;

/// Number of flows of a batch.
const BATCH: usize = 512;

/// Closed flows that wait for late packets, in the order of their arrival.
#[derive(Default)]
pub(super) struct Held {
    /// Numbers, in the order of arrival, by flow id.
    numbers: HashMap<u64, u64>,
    batches: VecDeque<Batch>,
    /// Number of the first flow of the first batch.
    first: u64,
    /// When each has waited for long enough, and its id. What was taken before its time stays in here
    /// until then.
    due: BinaryHeap<Reverse<(u64, u64)>>,
}

/// Flows that arrived one after another.
struct Batch {
    flows: Vec<Option<Flow>>,
    left: usize,
}

impl Held {
    /// Number of flows that wait.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Holds a flow until `due`, boottime nanoseconds. One of the same id is replaced.
    pub(super) fn insert(&mut self, flow: Flow, due: u64) {
        self.take(flow.id);
        if self.batches.back().is_none_or(|batch| batch.flows.len() == BATCH) {
            self.batches.push_back(Batch { flows: Vec::with_capacity(BATCH), left: 0 });
        }
        let before = (self.batches.len() - 1) * BATCH;
        if let Some(batch) = self.batches.back_mut() {
            self.numbers.insert(flow.id, self.first + (before + batch.flows.len()) as u64);
            self.due.push(Reverse((due, flow.id)));
            batch.flows.push(Some(flow));
            batch.left += 1;
        }
    }

    /// A flow that waits.
    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Flow> {
        let (batch, position) = self.position(*self.numbers.get(&id)?);
        self.batches.get_mut(batch)?.flows.get_mut(position)?.as_mut()
    }

    /// Takes the flow whose time comes first, if `ready` says so of that time.
    pub(super) fn take_first(&mut self, ready: impl Fn(u64) -> bool) -> Option<Flow> {
        loop {
            let Some(Reverse((_, id))) = self.due.peek().filter(|Reverse((due, _))| ready(*due))
            else {
                self.shrink();
                return None;
            };
            let id = *id;
            self.due.pop();
            if let Some(flow) = self.take(id) {
                return Some(flow);
            }
        }
    }

    fn take(&mut self, id: u64) -> Option<Flow> {
        let number = self.numbers.remove(&id)?;
        let (at, position) = self.position(number);
        let batch = self.batches.get_mut(at)?;
        let flow = batch.flows.get_mut(position)?.take();
        batch.left -= usize::from(flow.is_some());
        while self
            .batches
            .front()
            .is_some_and(|batch| batch.left == 0 && batch.flows.len() == BATCH)
        {
            self.batches.pop_front();
            self.first += BATCH as u64;
        }
        flow
    }

    /// Index of the batch of a number, and the position in it.
    fn position(&self, number: u64) -> (usize, usize) {
        let position = (number - self.first) as usize;
        (position / BATCH, position % BATCH)
    }

    fn shrink(&mut self) {
        shrink::shrink_table(&mut self.numbers);
        if self.numbers.is_empty() {
            self.batches.clear();
            self.due.clear();
            self.due.shrink_to(BATCH);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(id: u64) -> Flow {
        Flow { id, ..Flow::default() }
    }

    #[test]
    fn gives_what_is_due_first_and_keeps_the_rest() {
        let mut held = Held::default();
        for (id, due) in [(1, 30), (2, 10), (3, 20)] {
            held.insert(flow(id), due);
        }
        let mut take = |now| held.take_first(|due| due <= now).map(|flow| flow.id);
        assert_eq!([take(9), take(25), take(25), take(25)], [None, Some(2), Some(3), None]);
        assert_eq!(held.len(), 1);
        held.get_mut(1).unwrap().last = 7;
        assert_eq!(held.get_mut(2), None);
        assert_eq!(held.take_first(|_| true), Some(Flow { last: 7, ..flow(1) }));
    }

    #[test]
    fn many_come_and_go_and_nothing_is_left() {
        let mut held = Held::default();
        let (mut next, mut taken) = (0_u64, 0_u64);
        for round in 0..50 {
            for _ in 0..400 + round {
                // Every seventh waits for much longer than those around it.
                held.insert(flow(next), next + if next % 7 == 0 { 3_000 } else { 100 });
                next += 1;
            }
            while let Some(flow) = held.take_first(|due| due <= next) {
                let wait = if flow.id % 7 == 0 { 3_000 } else { 100 };
                assert!(flow.id + wait <= next && flow.id + wait + 450 > next, "{}", flow.id);
                taken += 1;
            }
            assert_eq!(held.len() as u64, next - taken);
            assert!(held.batches.len() <= 4_500 / BATCH, "{} batches", held.batches.len());
        }
        while held.take_first(|_| true).is_some() {
            taken += 1;
        }
        assert_eq!((taken, held.len(), held.batches.len()), (next, 0, 0));
    }

    #[test]
    fn the_same_id_replaces() {
        let mut held = Held::default();
        held.insert(flow(5), 10);
        held.insert(Flow { last: 1, ..flow(5) }, 20);
        assert_eq!(held.len(), 1);
        assert_eq!(held.take_first(|_| true).map(|flow| flow.last), Some(1));
        assert_eq!(held.take_first(|_| true), None);
    }
}
