//! Documents of the Elastic Common Schema.
//!
//! An event describes itself once, as [`Encode`]. [`write_json`] makes JSON of it, as fast as it can be made;
//! [`Document::of`] a tree that processors read and change. What never changes while the agent runs
//! ([`Metadata`]) is serialised beforehand.

mod agent;
mod document;
mod host;
mod json;
mod metadata;
mod name;
mod os;
mod quoted;
mod value;
mod writer;

pub use agent::{Agent, IdSource};
pub use document::{Document, NotAnObject};
pub use host::{Host, machine_id};
pub use json::{JsonWriter, write_json};
pub use metadata::{ECS_VERSION, Metadata};
pub use name::FieldName;
pub use os::Os;
pub use value::{Object, Value};
pub use writer::{Encode, EventSink, Key, Writer};
