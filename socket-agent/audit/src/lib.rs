//! The Linux audit framework as a source of events.
//!
//! [`rules`] say what the kernel is to report, in auditctl's language and the kernel's. What it
//! reports goes one way: [`records`] (text to fields) -> [`reassembly`] (records to events) ->
//! normalise (what happened, to what, by whom) -> [`document`] (ECS, or the form of the
//! original metricset). [`stream`] is that way, and [`replay`] runs recorded logs through it. [`names`] and [`decode`]
//! turn numbers into words. Nothing of this touches the kernel: that is [`netlink`], its audit
//! socket, and [`live`], the agent's part as an audit daemon or beside one.

pub mod decode;
pub mod document;
pub mod live;
pub mod metrics;
pub mod names;
pub mod netlink;
pub mod normalise;
mod options;
pub mod reassembly;
pub mod records;
pub mod replay;
pub mod rules;
pub mod stream;
mod table;

pub use options::{AuditConfig, Backpressure, LoadRules, SocketType};
