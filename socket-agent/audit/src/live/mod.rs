//! The agent as an audit daemon, or beside one.
//!
//! What it does to the host is decided from what it finds before anything is changed ([`plan`]),
//! done as a whole or not at all ([`Session`]), and undone at the end as far as that is asked for.
//! Records then go through a bounded [`Queue`] to whoever makes documents of them, so that the
//! kernel never waits for an output.

mod change;
mod counters;
mod load;
mod plan;
mod queue;
mod reader;
mod self_exclusion;
mod session;

pub use counters::LiveCounters;
pub use load::{RefusedRule, RefusedRules};
pub use plan::{Daemon, Mode, Plan, PlanError, Situation, decide};
pub use queue::{Batch, Queue};
pub use reader::{Updates, read};
pub use session::{Session, StartError};
