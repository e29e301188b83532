//! Host network sensor: which process, of which user, in which container, talked to whom, how much
//! and for how long.
//!
//! Data goes one way: [`sensor`] (kernel) -> [`flow`] (facts to flow records) and [`audit`] (records to
//! events), enriched by [`processes`] -> documents ([`ecs`]) -> [`pipeline`] (queue) with [`processors`]
//! and [`outputs`]. All of it rests on [`config`] (options), [`metrics`] (counters) and [`linux`] (clocks,
//! `/proc`, names of users and groups).

pub mod cli;
mod datasets;
pub mod run;
mod services;
pub mod settings;

pub use audit;
pub use sensor;
