//! Host network sensor: which process, of which user, in which container, talked to whom, how much
//! and for how long.
//!
//! Data goes one way: [`sensor`] (kernel) -> [`flow`] (facts to flow records) -> [`event`] (ECS
//! documents, enriched by [`process`]) -> [`output`].

pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dns;
pub mod event;
pub mod flow;
pub mod output;
pub mod process;
mod room;
pub mod run;
pub mod sensor;
mod threads;
