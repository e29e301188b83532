//! The kernel's audit socket.
//!
//! [`Control`] asks and sets, a request and its answer at a time; [`Receiver`] takes records, as the
//! one audit daemon of the host (unicast) or beside it (multicast). Each has a socket of its own, so
//! that answers never wait behind records.
//!
//! Sources: `include/uapi/linux/audit.h`, `kernel/audit.c` (Linux 6.18).

mod control;
#[cfg(test)]
mod control_tests;
mod error;
mod features;
mod message;
mod receiver;
mod socket;
mod status;

pub use control::{Control, ControlCounters, Transport};
pub use error::{Fault, RequestError};
pub use features::Features;
pub use receiver::{Received, Receiver, ReceiverCounters};
pub use socket::Socket;
pub use status::{Feature, Setting, Status};
