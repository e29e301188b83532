//! The audit dataset on the running kernel, held against auditctl, auditd and ausearch.
//!
//! Needs root. Every test has the machine's audit framework to itself and leaves it as it was.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "these are tests, also where they are no test functions"
)]

#[macro_use]
extern crate scenarios;

mod agent;
mod auditd;
mod beside;
mod daemon;
mod events;
mod host;
mod load;
mod pressure;
mod restore;
mod rights;
mod rules;
mod show;
