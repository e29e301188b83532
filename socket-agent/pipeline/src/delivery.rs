//! A batch on its way to one output.

use std::sync::Arc;

use bytes::Bytes;

use crate::Batch;

/// A batch with what has become of each document at one output.
#[derive(Debug)]
pub struct Delivery {
    batch: Arc<Batch>,
    /// All documents before this one are settled.
    next: usize,
    /// Those after it that are settled, too; empty while there is none.
    settled: Vec<bool>,
    taken: u64,
    refused: u64,
}

// === impl Delivery ===

impl Delivery {
    pub(crate) fn new(batch: Arc<Batch>) -> Self {
        Self { batch, next: 0, settled: Vec::new(), taken: 0, refused: 0 }
    }

    /// The documents.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// The first document that is not settled; the number of documents if there is none.
    pub fn next(&self) -> usize {
        self.next
    }

    /// The documents that are not settled, with their indices.
    pub fn pending(&self) -> impl Iterator<Item = (usize, Bytes)> + '_ {
        (self.next..self.batch.len())
            .filter(|index| !self.is_settled(*index))
            .filter_map(|index| Some((index, self.batch.document(index)?)))
    }

    /// Whether the output has taken or refused every document.
    pub fn is_done(&self) -> bool {
        self.next >= self.batch.len()
    }

    /// Notes that a document was taken: it is not sent again.
    pub fn take(&mut self, index: usize) {
        self.taken += u64::from(self.settle(index));
    }

    /// Notes that as many documents from [`next`](Self::next) on were taken.
    pub fn take_next(&mut self, count: usize) {
        for index in self.next..self.next.saturating_add(count).min(self.batch.len()) {
            self.take(index);
        }
    }

    /// Notes that a document will never be taken: it is counted as lost, and not sent again.
    pub fn refuse(&mut self, index: usize) {
        self.refused += u64::from(self.settle(index));
    }

    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    fn is_settled(&self, index: usize) -> bool {
        index < self.next || self.settled.get(index).is_some_and(|settled| *settled)
    }

    /// Settles a document; whether it was not settled before.
    fn settle(&mut self, index: usize) -> bool {
        if index >= self.batch.len() || self.is_settled(index) {
            return false;
        }
        if index == self.next {
            self.next += 1;
            while self.settled.get(self.next).is_some_and(|settled| *settled) {
                self.next += 1;
            }
        } else {
            self.settled.resize(self.batch.len(), false);
            if let Some(settled) = self.settled.get_mut(index) {
                *settled = true;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::tests::batch;

    #[test]
    fn documents_are_settled_once_and_in_any_order() {
        let mut delivery = Delivery::new(Arc::new(batch(&["a", "b", "c", "d"])));
        let pending = |delivery: &Delivery| -> Vec<usize> {
            delivery.pending().map(|(index, _)| index).collect()
        };
        delivery.take(2);
        delivery.take(2);
        delivery.refuse(2);
        assert_eq!((pending(&delivery), delivery.next()), (vec![0, 1, 3], 0));
        delivery.refuse(0);
        assert_eq!((pending(&delivery), delivery.next()), (vec![1, 3], 1));
        delivery.take_next(1);
        assert_eq!((pending(&delivery), delivery.next()), (vec![3], 3));
        assert!(!delivery.is_done());
        delivery.take_next(9);
        delivery.take(9);
        assert!(delivery.is_done());
        assert_eq!((delivery.taken(), delivery.refused()), (3, 1));
    }
}
