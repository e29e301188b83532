//! Documents about events.
//!
//! [`Schema::Ecs`] is the form of Auditbeat's auditd module today: ECS, and `auditd.*` for the rest.
//! [`Schema::Kernel`] is the form of the metricset that it began as: `audit.kernel.*`.

mod ecs;
mod field;
mod kernel;
mod parts;
mod user;

use ::ecs::{Encode, Metadata, Writer};

use super::{normalise::Normal, reassembly::Event};
use processes::Container;

/// The form of documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schema {
    /// ECS with `auditd.*`.
    #[default]
    Ecs,
    /// `audit.kernel.*`, with what was done to a `thing`.
    Kernel,
}

/// Optional contents of documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Form of documents.
    pub schema: Schema,
    /// With the text of the records.
    pub include_raw_message: bool,
    /// With what was strange about them, and then with their text too.
    pub include_warnings: bool,
}

/// Facts about the host and its processes that records do not have.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// This host and this agent; `None` where the records are those of another host.
    pub metadata: Option<&'a Metadata>,
    /// The container that the process runs in.
    pub container: Option<&'a Container>,
    /// `process.entity_id`.
    pub entity_id: Option<&'a str>,
}

/// An event with what is known beyond its records.
#[derive(Clone, Copy, Debug)]
pub struct EventDocument<'a> {
    /// Normalised event: action, object and subject.
    pub normal: &'a Normal<'a>,
    /// Facts about the host and its processes that records do not have.
    pub context: Context<'a>,
    /// Optional contents of the document.
    pub options: Options,
}

impl Encode for EventDocument<'_> {
    fn encode<W: Writer>(&self, writer: &mut W) {
        let Self { normal, context, options } = self;
        match options.schema {
            Schema::Ecs => ecs::encode(writer, normal, context, *options),
            Schema::Kernel => kernel::encode(writer, normal, context, *options),
        }
    }
}

/// The records as auditd would write them.
fn raw_messages(event: &Event) -> Vec<String> {
    event
        .records
        .iter()
        .map(|record| format!("type={} msg={}", record.kind(), record.raw()))
        .collect()
}
