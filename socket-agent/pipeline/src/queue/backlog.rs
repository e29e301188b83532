//! The batches of a queue, of which those that are not needed soon are packed.

use std::{collections::VecDeque, sync::Arc};

use crate::{Batch, packed::Packed};

/// Bytes that may wait unpacked: as long as outputs keep up, nothing is packed.
const PLAIN: usize = 1 << 20;
/// Batches ahead of each reader that stay unpacked.
const AHEAD: u64 = 4;

/// Batches by number, from the first that an output still needs.
#[derive(Debug)]
pub(crate) struct Backlog {
    batches: VecDeque<Waiting>,
    /// Number of the first of `batches`, counted from the start.
    first: u64,
    /// Those before this number are packed, or do not get smaller.
    packed_to: u64,
    /// Bytes in batches that are not packed, and in those that are.
    plain: usize,
    packed: usize,
    /// Bytes beyond which batches are packed.
    limit: usize,
}

/// A batch that waits.
#[derive(Clone, Debug)]
pub(crate) enum Waiting {
    Plain(Arc<Batch>),
    /// Not packed and not to be, as it does not get smaller.
    Incompressible(Arc<Batch>),
    Packed(Arc<Packed>),
}

// === impl Backlog ===

impl Backlog {
    /// For a queue with this limit in bytes.
    pub(crate) fn new(limit: usize) -> Self {
        let batches = VecDeque::new();
        Self { batches, first: 0, packed_to: 0, plain: 0, packed: 0, limit: PLAIN.min(limit / 4) }
    }

    /// The number of the next batch to come.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.batches.len() as u64
    }

    /// Bytes that wait.
    pub(crate) fn size(&self) -> usize {
        self.plain + self.packed
    }

    pub(crate) fn push(&mut self, batch: Arc<Batch>) {
        self.plain += batch.size();
        self.batches.push_back(Waiting::Plain(batch));
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Waiting> {
        self.batches.get(self.index(number)?)
    }

    /// The number of documents from a batch on.
    pub(crate) fn documents_from(&self, number: u64) -> usize {
        let skip = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.batches.iter().skip(skip).map(Waiting::len).sum()
    }

    /// Lets go of the batches before a number.
    pub(crate) fn release(&mut self, next: u64) {
        while self.first < next {
            match self.batches.pop_front() {
                Some(Waiting::Plain(batch) | Waiting::Incompressible(batch)) => {
                    self.plain -= batch.size();
                }
                Some(Waiting::Packed(batch)) => self.packed -= batch.size(),
                None => break,
            }
            self.first += 1;
        }
    }

    /// Whether more waits than stays unpacked.
    pub(crate) fn exceeds_unpacked(&self) -> bool {
        self.plain > self.limit
    }

    /// The next batch to be packed: one that no reader takes soon.
    pub(crate) fn next_to_pack(&mut self, readers: &[Option<u64>]) -> Option<(u64, Arc<Batch>)> {
        if !self.exceeds_unpacked() {
            return None;
        }
        self.packed_to = self.packed_to.max(self.first);
        while matches!(
            self.get(self.packed_to),
            Some(Waiting::Packed(_) | Waiting::Incompressible(_))
        ) {
            self.packed_to += 1;
        }
        // Few are passed over: those that readers take soon.
        (self.packed_to..self.end()).find_map(|number| {
            let soon = |next: &u64| (*next..next.saturating_add(AHEAD)).contains(&number);
            match self.get(number) {
                Some(Waiting::Plain(batch)) if !readers.iter().flatten().any(soon) => {
                    Some((number, Arc::clone(batch)))
                }
                _ => None,
            }
        })
    }

    /// Puts a packed batch in the place of what it was made of, if that is still there; `None` if it does
    /// not get smaller.
    pub(crate) fn replace(&mut self, number: u64, packed: Option<Packed>) {
        let Some(waiting) = self.index(number).and_then(|index| self.batches.get_mut(index)) else {
            return;
        };
        let Waiting::Plain(batch) = waiting else { return };
        let Some(packed) = packed else {
            *waiting = Waiting::Incompressible(Arc::clone(batch));
            return;
        };
        self.plain -= batch.size();
        self.packed += packed.size();
        *waiting = Waiting::Packed(Arc::new(packed));
    }

    fn index(&self, number: u64) -> Option<usize> {
        number.checked_sub(self.first).and_then(|index| usize::try_from(index).ok())
    }
}

// === impl Waiting ===

impl Waiting {
    fn len(&self) -> usize {
        match self {
            Self::Plain(batch) | Self::Incompressible(batch) => batch.len(),
            Self::Packed(batch) => batch.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::tests::batch;

    fn backlog(batches: usize) -> Backlog {
        let mut backlog = Backlog::new(4096);
        for _ in 0..batches {
            backlog.push(Arc::new(batch(&["x".repeat(999).as_str()])));
        }
        backlog
    }

    fn pack(backlog: &mut Backlog, readers: &[Option<u64>]) -> Vec<u64> {
        let mut numbers = Vec::new();
        while let Some((number, batch)) = backlog.next_to_pack(readers) {
            backlog.replace(number, Packed::of(&batch, &mut Vec::new()));
            numbers.push(number);
        }
        numbers
    }

    #[test]
    fn nothing_is_packed_while_little_waits() {
        let mut backlog = backlog(1);
        assert!(pack(&mut backlog, &[Some(0)]).is_empty());
        assert_eq!(backlog.size(), 1000);
    }

    #[test]
    fn what_readers_take_soon_stays_unpacked() {
        let mut backlog = backlog(20);
        assert_eq!(
            pack(&mut backlog, &[Some(0), None, Some(10)]),
            [4, 5, 6, 7, 8, 9, 14, 15, 16, 17, 18, 19]
        );
        assert!(matches!(backlog.get(3), Some(Waiting::Plain(_))));
        assert!(matches!(backlog.get(4), Some(Waiting::Packed(_))));
        assert_eq!(backlog.documents_from(4), 16);
        let size = backlog.size();
        assert!((8_000..9_000).contains(&size), "{size}");
        // What was about to be taken is packed once the reader is past it.
        assert_eq!(pack(&mut backlog, &[Some(0), None, Some(20)]), [10, 11, 12, 13]);
        backlog.release(20);
        assert_eq!((backlog.size(), backlog.first, backlog.end()), (0, 20, 20));
    }

    #[test]
    fn what_does_not_get_smaller_is_tried_once() {
        let mut backlog = backlog(10);
        let (number, _) = backlog.next_to_pack(&[]).unwrap();
        backlog.replace(number, None);
        assert_eq!(backlog.next_to_pack(&[]).unwrap().0, number + 1);
        backlog.release(10);
        assert_eq!(backlog.size(), 0);
    }

    #[test]
    fn a_batch_that_is_gone_is_not_put_back() {
        let mut backlog = backlog(10);
        let (number, batch) = backlog.next_to_pack(&[Some(0)]).unwrap();
        backlog.release(10);
        backlog.replace(number, Packed::of(&batch, &mut Vec::new()));
        assert_eq!(backlog.size(), 0);
    }
}
