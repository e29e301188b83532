//! Perf events and the rings they are read through. Kernel 3.7 (`PERF_ATTR_SIZE_VER3`).

mod attr;
mod cpus;
mod merge;
mod record;
mod ring;
mod rings;

pub(super) use attr::{Attr, ClockSource, Event, kprobe_source, open_kprobe};
pub(super) use merge::Merge;
pub(super) use record::{Record, What};
pub(super) use ring::fault_time;
pub(super) use rings::{Rings, RingsError};
