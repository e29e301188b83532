//! From the kernel's facts to flow records: timeouts, direction, late packets.

mod record;

pub use record::{Direction, FlowRecord};
