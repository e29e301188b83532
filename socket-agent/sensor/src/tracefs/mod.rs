//! The `tracefs` set: for kernels without usable eBPF. Kernel 3.10.
//!
//! Kprobes are written through tracefs and read through perf rings, one per CPU. Their records are
//! merged by time, decoded into facts about sockets, and aggregated here by the rules that the eBPF
//! programs follow in the kernel.
//!
//! ```text
//! group, probe -> perf -> merge -> decode -> aggregate -> Source
//! ```

mod aggregate;
mod clock;
mod decode;
mod drops;
mod existing;
mod format;
mod group;
mod guess;
mod install;
mod losses;
mod mount;
mod offsets;
mod probe;
mod processes;
mod sensor;
mod show;
mod skipped;
mod start;
mod tasks;
#[cfg(feature = "ebpf")]
mod types;

#[cfg(feature = "ebpf")]
pub(crate) use group::clear_own_programs;
pub use install::Options;
pub use sensor::Sensor;
pub use show::{Shown, shown};
#[cfg(feature = "ebpf")]
pub use types::by_trying;
