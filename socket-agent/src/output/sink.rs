//! One output for several writers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Output, OutputError};

/// A way to an output that others have too. Documents never mix; who writes while the output is
/// stuck makes the others wait.
#[derive(Clone, Debug)]
pub struct Sink {
    output: Arc<Mutex<Output>>,
    documents: u64,
}

impl Sink {
    /// The first way to an output; its clones are the others, each with a count of its own.
    pub fn new(output: Output) -> Self {
        Self { output: Arc::new(Mutex::new(output)), documents: 0 }
    }

    /// As [`Output::emit`].
    ///
    /// # Errors
    /// As [`Output::emit`].
    pub fn emit(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>,
    ) -> Result<(), OutputError> {
        self.lock().emit(write)?;
        self.documents += 1;
        Ok(())
    }

    /// Takes documents that are written already, each ending in a line feed.
    ///
    /// # Errors
    /// As [`Output::emit_lines`].
    pub fn emit_lines(&mut self, lines: &[u8]) -> Result<(), OutputError> {
        let taken = self.lock().emit_lines(lines)?;
        self.documents += taken;
        Ok(())
    }

    /// As [`Output::flush`]; also writes what others have left.
    ///
    /// # Errors
    /// As [`Output::flush`].
    pub fn flush(&mut self) -> Result<(), OutputError> {
        self.lock().flush()
    }

    /// How many documents have been taken from this way.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    fn lock(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
