//! Documents of flows and sockets.

mod ended;
mod flow;
mod owner;
mod socket;

pub use ended::Ended;
pub(crate) use ended::state_name;
pub use flow::{FlowDocument, INTERNAL_VERSION};
pub use owner::OwnerFacts;
pub(crate) use socket::direction;
pub use socket::{SocketChange, SocketDocument};
