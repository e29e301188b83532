//! Flows: from the kernel's facts to records (timeouts, direction, late packets), the names that their ends
//! were known by ([`dns`]), and their documents ([`document`]).

#![forbid(unsafe_code)]

mod address;
mod community_id;
pub mod dns;
pub mod document;
mod engine;
mod held;
mod metrics;
mod progress;
mod record;
pub mod role;
mod socket_role;
pub mod state;

pub use self::metrics::METRICS;
pub use address::address;
pub use community_id::CommunityId;
pub use engine::{Engine, EngineCounters, Kernel, Rules};
pub use record::{Cause, Direction, FlowRecord};
pub use socket_role::SocketRole;
