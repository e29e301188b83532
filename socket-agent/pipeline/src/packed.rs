//! Batches that wait, compressed.

use std::sync::Arc;

use bytes::Bytes;
use lz4_flex::block;

use crate::Batch;

/// A batch as an LZ4 block. Documents resemble each other: a batch of flows takes about a fourteenth of its size.
#[derive(Debug)]
pub(crate) struct Packed {
    block: Box<[u8]>,
    ends: Arc<[u32]>,
    /// Bytes of the documents as they were.
    unpacked: usize,
}

/// A block that cannot be decompressed: memory was overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damaged {
    /// Documents that are lost with it.
    pub(crate) documents: u64,
}

// === impl Packed ===

impl Packed {
    /// Compresses a batch by way of a buffer, which can be used again; `None` if that saves nothing.
    pub(crate) fn of(batch: &Batch, buffer: &mut Vec<u8>) -> Option<Self> {
        let documents = batch.lines_from(0);
        let most = block::get_maximum_output_size(documents.len());
        if buffer.len() < most {
            buffer.resize(most, 0);
        }
        let size = block::compress_into(documents, buffer).ok()?;
        let block = buffer.get(..size)?;
        (size < documents.len()).then(|| Self {
            block: block.into(),
            ends: Arc::clone(batch.ends()),
            unpacked: documents.len(),
        })
    }

    /// The batch as it was.
    ///
    /// # Errors
    ///
    /// The block is not what it was.
    pub(crate) fn unpack(&self) -> Result<Batch, Damaged> {
        let documents = self.ends.len() as u64;
        let lines = block::decompress(&self.block, self.unpacked);
        let lines = lines.map_err(|_| Damaged { documents })?;
        if lines.len() != self.unpacked {
            return Err(Damaged { documents });
        }
        Ok(Batch::new(Bytes::from(lines), Arc::clone(&self.ends)))
    }

    /// The number of documents.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Size in bytes.
    pub(crate) fn size(&self) -> usize {
        self.block.len() + size_of_val(&*self.ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::tests::batch;

    #[test]
    fn a_batch_is_the_same_after_packing() {
        let text = "{\"name\":\"the same in every document\"}".repeat(10);
        let before = batch(&[&text, "{}", &text]);
        let packed = Packed::of(&before, &mut Vec::new()).unwrap();
        assert!(packed.size() < before.size() / 4, "{}", packed.size());
        assert_eq!(packed.len(), 3);
        let after = packed.unpack().unwrap();
        assert_eq!(after.lines_from(0), before.lines_from(0));
        assert_eq!(after.document(1).unwrap(), "{}");
    }

    #[test]
    fn what_does_not_shrink_stays_as_it_is() {
        let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(50_000).collect();
        assert!(Packed::of(&batch(&[&noise]), &mut Vec::new()).is_none());
    }

    #[test]
    fn a_damaged_block_is_found() {
        let text = "x".repeat(1000);
        let mut packed = Packed::of(&batch(&[&text, &text]), &mut Vec::new()).unwrap();
        packed.block = packed.block[..packed.block.len() / 2].into();
        assert_eq!(packed.unpack().unwrap_err(), Damaged { documents: 2 });
    }
}
