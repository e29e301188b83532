//! The outlet: the way of records out of the kernel.

#[cfg(feature = "perf")]
mod perf;
#[cfg(not(feature = "perf"))]
mod ring;

#[cfg(feature = "perf")]
pub use perf::*;
#[cfg(not(feature = "perf"))]
pub use ring::*;
