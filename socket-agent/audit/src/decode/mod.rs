//! Numbers in records, as words: flags, modes, signals, capabilities, errors and system calls.

mod arguments;
mod capabilities;
mod mode;
mod names;
mod values;

pub use arguments::{Argument, argument};
pub use capabilities::capabilities;
pub use mode::Mode;
pub use names::{arch_name, errno_name, family_name, syscall_name};
pub use values::{bits, one};
