//! Host network sensor: which process, of which user, in which container, talked to whom, how much
//! and for how long.
//!
//! Data goes one way: [`sensor`] (kernel) -> [`flow`] (facts to flow records) -> [`event`] (ECS
//! documents, enriched by [`process`]) -> [`pipeline`].

pub mod audit;
pub mod cli;
pub mod config;
pub mod dns;
pub mod event;
pub mod flow;
pub mod process;
pub mod run;
pub mod sensor;
