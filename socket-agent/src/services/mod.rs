//! What all datasets share: what is known of this host, the kernel's events, the order to stop.

mod context;
mod events;
mod memory;
mod priority;
mod report;
mod shared;
mod stop;
mod updates;

pub(crate) use context::{Context, Ready};
pub(crate) use events::{
    Delivered, FlowSource, Interest, KernelEvents, Observed, Service, ipv6, start as start_sensor,
};
pub(crate) use memory::{Memory, share_heap, trim};
pub(crate) use priority::{raise_observer, raise_writer};
pub use report::Metrics;
pub(crate) use report::Report;
pub(crate) use shared::{STATE, Shared};
pub(crate) use stop::{Stop, Stopper};
pub(crate) use updates::{Updater, Updates, updates};
