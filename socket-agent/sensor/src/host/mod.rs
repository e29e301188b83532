//! What this host offers: one small module per facility, each of which tries the thing itself where
//! that does no harm, and a pure function that picks a hook set from the answers.
//!
//! Probing changes nothing that outlives it: every program, map, event and link hangs on a file
//! descriptor that is closed before the probe returns.

mod audit;
mod bpf;
mod btf;
mod capabilities;
mod cgroup;
mod choose;
mod facility;
mod facts;
mod iterators;
mod kprobes;
pub mod ksyms;
mod lockdown;
mod memory;
mod mounts;
mod program_types;
mod ring;
mod seccomp;
mod sysctl;
mod tracefs;
mod tracepoints;
mod trampolines;

pub use choose::{Choice, NoHookSet, choose};
pub use facility::{Facility, Probe};
pub use facts::HostFacts;
pub use memory::Memory;
pub use mounts::{cgroup2_mount, tracefs_mount};
