//! Documents that travel together.

use std::sync::Arc;

use bytes::Bytes;

/// Documents as lines of JSON, each ending in a line feed. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Batch {
    lines: Bytes,
    /// Where each document ends, its line feed included.
    ends: Arc<[u32]>,
}

/// A batch that still takes documents.
#[derive(Debug, Default)]
pub(crate) struct BatchBuilder {
    lines: Vec<u8>,
    ends: Vec<u32>,
}

// === impl Batch ===

impl Batch {
    /// Lines of documents that end where `ends` says.
    pub(crate) fn new(lines: Bytes, ends: Arc<[u32]>) -> Self {
        Self { lines, ends }
    }

    pub(crate) fn ends(&self) -> &Arc<[u32]> {
        &self.ends
    }

    /// The number of documents.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether the batch has no documents.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Size in bytes.
    pub fn size(&self) -> usize {
        self.lines.len()
    }

    /// A document without its line feed.
    pub fn document(&self, index: usize) -> Option<Bytes> {
        let end = *self.ends.get(index)? as usize;
        Some(self.lines.slice(self.start(index)..end.saturating_sub(1)))
    }

    /// All documents from one on, as lines.
    pub fn lines_from(&self, index: usize) -> &[u8] {
        self.lines.get(self.start(index)..).unwrap_or_default()
    }

    /// The number of documents that lie whole within the first bytes of
    /// [`lines_from`](Self::lines_from) the document `index`, and the bytes of the next one that do too.
    pub fn split(&self, index: usize, bytes: usize) -> (usize, usize) {
        let start = self.start(index);
        let whole = self
            .ends
            .get(index..)
            .unwrap_or_default()
            .partition_point(|end| *end as usize <= start + bytes);
        (whole, start + bytes - self.start(index + whole))
    }

    /// Where a document begins; the end of the batch behind the last one.
    fn start(&self, index: usize) -> usize {
        match index.checked_sub(1) {
            None => 0,
            Some(before) => self.ends.get(before).map_or(self.lines.len(), |end| *end as usize),
        }
    }
}

// === impl BatchBuilder ===

impl BatchBuilder {
    /// Appends a document, which `write` writes without a line feed.
    pub(crate) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.lines);
        self.lines.push(b'\n');
        // A batch is sealed long before four gigabytes: see the queue's limits.
        self.ends.push(u32::try_from(self.lines.len()).unwrap_or(u32::MAX));
    }

    pub(crate) fn size(&self) -> usize {
        self.lines.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Ends the batch; the builder is empty afterwards and has capacity for another of this size.
    pub(crate) fn seal(&mut self) -> Batch {
        let capacity = self.lines.len();
        let lines = std::mem::replace(&mut self.lines, Vec::with_capacity(capacity));
        let ends = std::mem::take(&mut self.ends);
        Batch::new(Bytes::from(lines), ends.into())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn batch(documents: &[&str]) -> Batch {
        let mut builder = BatchBuilder::default();
        for document in documents {
            builder.push(|out| out.extend_from_slice(document.as_bytes()));
        }
        builder.seal()
    }

    #[test]
    fn documents_keep_their_boundaries() {
        let batch = batch(&["{}", "", "{\"a\":1}"]);
        assert_eq!((batch.len(), batch.size()), (3, 12));
        assert_eq!(batch.document(0).unwrap(), "{}");
        assert_eq!(batch.document(1).unwrap(), "");
        assert_eq!(batch.document(2).unwrap(), "{\"a\":1}");
        assert_eq!(batch.document(3), None);
        assert_eq!(batch.lines_from(0), b"{}\n\n{\"a\":1}\n");
        assert_eq!(batch.lines_from(2), b"{\"a\":1}\n");
        assert_eq!(batch.lines_from(3), b"");
        assert_eq!(batch.lines_from(9), b"");
    }

    #[test]
    fn bytes_are_split_into_documents() {
        let batch = batch(&["{}", "[1]", "x"]);
        assert_eq!(batch.split(0, 0), (0, 0));
        assert_eq!(batch.split(0, 2), (0, 2));
        assert_eq!(batch.split(0, 3), (1, 0));
        assert_eq!(batch.split(0, 5), (1, 2));
        assert_eq!(batch.split(1, 5), (1, 1));
        assert_eq!(batch.split(1, 6), (2, 0));
        assert_eq!(batch.split(3, 0), (0, 0));
    }
}
