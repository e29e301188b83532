//! ECS documents.
//!
//! A document is a tree of borrowed structs that is serialised once, straight into the output's
//! buffer. What never changes while the agent runs ([`Metadata`]) is serialised beforehand.

mod agent;
mod document;
mod ended;
mod flow;
mod host;
mod metadata;
mod os;
mod socket;

pub use agent::{Agent, IdSource};
pub use ended::Ended;
pub(crate) use ended::state_name;
pub use flow::{FlowFacts, INTERNAL_VERSION, write_flow};
pub use host::{Host, machine_id};
pub use metadata::{ECS_VERSION, Metadata};
pub use os::Os;
pub(crate) use socket::direction;
pub use socket::{Happening, SocketFacts, write_socket};
