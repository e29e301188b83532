//! Names of the numbers that the audit framework uses, both ways. No I/O.
//!
//! Numbers are the kernel's user-space interface (`include/uapi`); where audit user space spells a
//! name otherwise than the kernel, both spellings are known.

pub mod arch;
pub mod errno;
pub mod family;
pub mod file_type;
pub mod fs_type;
pub mod io_uring;
pub mod message_type;
mod nearest;
pub mod syscall;
mod table;

pub use arch::Arch;
pub use nearest::nearest;
