//! What an event means: who did what, to what, by what means.
//!
//! What each system call and type of record means is in two tables, `syscalls.tsv` and
//! `records.tsv`; the code here finds the names that the tables speak of.

mod actor;
mod data;
mod decision;
mod event;
mod file;
mod identity;
mod normal;
mod object;
mod process;
mod rows;
mod socket;
mod syscall;
mod text;

#[cfg(test)]
mod reference_tests;

pub use data::{Data, Value};
pub use file::{File, PathRecord};
pub use identity::{Entity, IdNames, Ids, NoNames, Users};
pub use normal::{Normal, Object, Outcome, Pair};
pub use process::Process;
pub use socket::Endpoint;

pub use event::normalise;
