//! Measurements of what an agent costs: `scenarios bench`.
//!
//! Says what it has measured on standard output, a [`Line`] of JSON each; what is made of them is the
//! caller's affair. Traffic stays in a network namespace of its own.

mod agent;
mod cost;
mod figures;
#[cfg(feature = "ebpf")]
mod kernel;
#[cfg(not(feature = "ebpf"))]
#[path = "no_kernel.rs"]
mod kernel;
mod line;
mod pin;
mod subject;
mod traffic;
pub(crate) mod worker;

pub use self::{
    figures::{Figures, Part, run as figures},
    traffic::{Traffic, run as traffic},
    worker::{End, Load, main as worker},
};

/// The processor that traffic has.
const TRAFFIC: usize = 1;
/// The processor that everything else has.
const OTHERS: usize = 0;
