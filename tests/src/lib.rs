//! Whole-system scenarios: real traffic on real kernels, compared with what the agent says of it.
//!
//! Data goes one way: a scenario (a function in [`scenarios`]) moves [`worker`] processes over
//! [`net`]works it made, a [`capture`] of its own tells what crossed the wire, and [`expect`] compares
//! that with the documents that the [`agent`] printed.

pub mod agent;
pub mod audit;
pub mod bench;
pub mod btf;
pub mod capture;
pub mod cost;
mod dns;
pub mod endpoint;
pub mod expect;
pub mod fixture;
pub mod load;
pub mod machine;
pub mod net;
pub mod runner;
pub mod scenarios;
pub mod skip;
pub mod worker;

pub use ecs_schema as schema;
