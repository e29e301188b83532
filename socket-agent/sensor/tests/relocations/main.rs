//! The relocations of the embedded eBPF object: what they name, where they stand, and what each
//! becomes on kernels whose type information is at hand.
//!
//! What the loader (aya) makes of them is compared with a reader of its own (`btf-rs`), which looks
//! the fields up independently.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests are tests

mod compilers;
mod difference;
mod elf;
mod judge;
mod kernel;
mod limits;
mod loader;
mod object;
mod stack;
mod structure;
mod table;
mod targets;
mod verifier;
