//! Closed connections that wait for late packets.
//!
//! Hundreds of thousands may wait, and seconds later none. They lie in lots that are given back whole:
//! flows among the small pieces that processes and names need would keep every page of those in use, and
//! a table of flows would hold twice as much while it grows.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
};

use socket_common::Flow;

use linux::shrink;

/// Flows of a lot.
const LOT: usize = 512;

/// See the module.
#[derive(Default)]
pub(super) struct Held {
    /// Numbers, in the order of arrival, by flow id.
    numbers: HashMap<u64, u64>,
    lots: VecDeque<Lot>,
    /// Number of the first flow of the first lot.
    first: u64,
    /// When each has waited for long enough, and its id. What was taken before its time stays in here
    /// until then.
    due: BinaryHeap<Reverse<(u64, u64)>>,
}

/// Flows that arrived one after another.
struct Lot {
    flows: Vec<Option<Flow>>,
    left: usize,
}

impl Held {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Holds a flow until `due`, boottime nanoseconds. One of the same id is replaced.
    pub(super) fn insert(&mut self, flow: Flow, due: u64) {
        self.take(flow.id);
        if self.lots.back().is_none_or(|lot| lot.flows.len() == LOT) {
            self.lots.push_back(Lot { flows: Vec::with_capacity(LOT), left: 0 });
        }
        let before = (self.lots.len() - 1) * LOT;
        if let Some(lot) = self.lots.back_mut() {
            self.numbers.insert(flow.id, self.first + (before + lot.flows.len()) as u64);
            self.due.push(Reverse((due, flow.id)));
            lot.flows.push(Some(flow));
            lot.left += 1;
        }
    }

    /// A flow that waits.
    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Flow> {
        let (lot, place) = self.place(*self.numbers.get(&id)?);
        self.lots.get_mut(lot)?.flows.get_mut(place)?.as_mut()
    }

    /// Takes the flow whose time comes first, if `ready` says so of that time.
    pub(super) fn take_first(&mut self, ready: impl Fn(u64) -> bool) -> Option<Flow> {
        loop {
            let Some(Reverse((_, id))) = self.due.peek().filter(|Reverse((due, _))| ready(*due))
            else {
                self.release_room();
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
        let (at, place) = self.place(number);
        let lot = self.lots.get_mut(at)?;
        let flow = lot.flows.get_mut(place)?.take();
        lot.left -= usize::from(flow.is_some());
        while self.lots.front().is_some_and(|lot| lot.left == 0 && lot.flows.len() == LOT) {
            self.lots.pop_front();
            self.first += LOT as u64;
        }
        flow
    }

    /// The lot of a number, and the place in it.
    fn place(&self, number: u64) -> (usize, usize) {
        let place = (number - self.first) as usize;
        (place / LOT, place % LOT)
    }

    fn release_room(&mut self) {
        shrink::shrink_table(&mut self.numbers);
        if self.numbers.is_empty() {
            self.lots.clear();
            self.due.clear();
            self.due.shrink_to(LOT);
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
            assert!(held.lots.len() <= 4_500 / LOT, "{} lots", held.lots.len());
        }
        while held.take_first(|_| true).is_some() {
            taken += 1;
        }
        assert_eq!((taken, held.len(), held.lots.len()), (next, 0, 0));
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
