//! One process of the table.

use std::sync::Arc;

use super::Process;

/// Images of one process that are kept: the current one and those it replaced.
pub(super) const IMAGES: usize = 4;

/// What is known of one process: the images it had.
#[derive(Debug)]
pub(super) struct ProcessEntry {
    /// The current image last; never empty.
    pub(super) images: Vec<Arc<Process>>,
    /// It has ended.
    pub(super) exited: bool,
    /// `/proc` was asked again for arguments that it did not have when the image was read.
    pub(super) asked: bool,
}

// === impl ProcessEntry ===

impl ProcessEntry {
    /// A running process with its first image.
    pub(super) fn new(process: Process) -> Self {
        Self { images: vec![Arc::new(process)], exited: false, asked: false }
    }

    /// The image it has now.
    pub(super) fn current(&self) -> Option<&Arc<Process>> {
        self.images.last()
    }

    /// The image it had at a time, boottime nanoseconds.
    pub(super) fn at(&self, time: u64) -> Option<&Arc<Process>> {
        let then = self.images.iter().rev().find(|process| process.image_since <= time);
        then.or_else(|| self.images.first())
    }

    /// Takes another image; the oldest goes where there are too many.
    pub(super) fn replace_image(&mut self, process: Process) {
        if self.images.len() >= IMAGES {
            self.images.remove(0);
        }
        self.images.push(Arc::new(process));
        (self.exited, self.asked) = (false, false);
    }
}
