//! The interface of outputs.

use std::time::Duration;

use crate::{Backoff, Delivery};

/// A destination of documents.
pub trait Output: Send {
    /// The name in logs and counters, such as `file /var/log/flows.ndjson`.
    fn name(&self) -> &str;

    /// Delivers the documents of a batch that are not settled, and settles each that was taken or that
    /// will never be taken.
    ///
    /// # Errors
    ///
    /// Why the others are left: they are sent again after a pause.
    fn publish(&mut self, delivery: &mut Delivery) -> Result<(), Failure>;

    /// The pauses between tries.
    fn backoff(&self) -> Backoff {
        Backoff::new(Duration::from_secs(1), Duration::from_secs(60))
    }
}

/// Why documents could not be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was tried, why it failed, and what helps.
    pub message: String,
    /// The output will never take anything again.
    pub is_final: bool,
}

// === impl Failure ===

impl Failure {
    /// A failure that may pass.
    pub fn retry(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_final: false }
    }

    /// The end of an output.
    pub fn closed(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_final: true }
    }
}
