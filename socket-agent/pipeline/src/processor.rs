//! Changes to documents between dataset and queue.

use ecs::{Document, Encode, write_json};

/// A change to documents, or a decision which of them go on.
pub trait Processor: Send {
    /// Changes a document; `false` drops it.
    fn process(&mut self, document: &mut Document) -> bool;
}

/// Processors in the order in which they are applied. Without any, documents are written as they are and
/// cost nothing more.
#[derive(Default)]
pub struct Processors {
    processors: Vec<Box<dyn Processor>>,
    dropped: u64,
}

// === impl Processors ===

impl Processors {
    /// These, in this order.
    pub fn new(processors: Vec<Box<dyn Processor>>) -> Self {
        Self { processors, dropped: 0 }
    }

    /// Documents that processors have dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether there are no processors.
    pub(crate) fn is_empty(&self) -> bool {
        self.processors.is_empty()
    }

    /// Applies all of them to an event; `None` if one has dropped it.
    pub(crate) fn apply(&mut self, event: &impl Encode) -> Option<Document> {
        let mut document = Document::of(event);
        let goes_on = self.processors.iter_mut().all(|processor| processor.process(&mut document));
        self.dropped += u64::from(!goes_on);
        goes_on.then_some(document)
    }
}

/// An event on its way into a batch: as it is, or as processors have left it.
pub(crate) enum Processed<'a, E> {
    Event(&'a E),
    Document(Document),
}

impl<E: Encode> Processed<'_, E> {
    /// Appends the document, one line of JSON without its line feed.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Event(event) => write_json(*event, out),
            Self::Document(document) => document.write(out),
        }
    }
}
