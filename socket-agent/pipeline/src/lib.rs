//! The way of documents from datasets to outputs.
//!
//! A dataset publishes events through its [`Publisher`]. Processors may change or drop their documents,
//! which then gather in batches of whole lines of JSON. The [`Queue`] is bounded and holds each batch until
//! every output has settled it; who publishes into a full queue waits, so that back-pressure reaches the
//! kernel's tables and nothing is lost while there is capacity. Batches that wait longer than a moment are
//! compressed, and take that much less of the queue's limit. Each [`Output`] has a thread of its own: what
//! it cannot deliver is tried again after a pause.

#![forbid(unsafe_code)]

mod backoff;
mod batch;
mod delivery;
mod metrics;
mod output;
mod packed;
mod pipeline;
mod processor;
mod publisher;
mod queue;
mod tap;
mod worker;

pub use self::metrics::{METRICS, OUTPUT_WAITED_MS};
pub use backoff::Backoff;
pub use batch::Batch;
pub use delivery::Delivery;
pub use output::{Failure, Output};
pub use pipeline::{Options, Pipeline, Stopped, Undelivered};
pub use processor::{Processor, Processors};
pub use publisher::{Closed, Publisher};
pub use tap::Tap;
pub use worker::OutputCounters;
