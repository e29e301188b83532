//! The Linux audit framework as a source of events.
//!
//! Data goes one way: [`records`] (text to fields) -> [`reassembly`] (records to events) ->
//! [`normalise`] (what happened, to what, by whom) -> [`document`] (ECS, or the form of the
//! original metricset). [`replay`] runs recorded logs through the same. [`decode`] turns numbers
//! into words. Nothing here touches the kernel.

pub mod decode;
pub mod names;
pub mod reassembly;
pub mod records;
mod table;
