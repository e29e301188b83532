//! The probes: what they are put on, what they fetch, and the lines that say so to the kernel.

mod arch;
mod fetch;
mod field;
mod line;
mod set;

pub(super) use arch::Abi;
pub(super) use fetch::{Shapes, fetch};
pub(super) use field::{ARGUMENT_WORDS, ENDS, Field, HEADER_WORDS};
pub(super) use line::{Base, Line};
pub(super) use set::{DROPPED, EXEC, Missing, Observation, PROBES, Probe, TRACEPOINTS, Task};
