//! From the kernel's facts to flow records: timeouts, direction, late packets.

mod address;
mod community_id;
mod engine;
mod held;
mod progress;
mod record;
pub mod role;
mod socket_role;
pub mod state;

pub(crate) use address::address;
pub use community_id::CommunityId;
pub use engine::{Engine, EngineCounters, Kernel, Rules};
pub use record::{Cause, Direction, FlowRecord};
pub use socket_role::SocketRole;
