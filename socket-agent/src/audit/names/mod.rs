//! Names of the numbers that the audit framework uses, both ways. No I/O.
//!
//! Numbers are the kernel's user-space interface (`include/uapi`); where audit user space spells a
//! name otherwise than the kernel, both spellings are known.

pub mod arch;
mod family;
mod file_type;
mod fs_type;
mod io_uring;
mod message_type;
mod nearest;
pub mod syscall;

pub use arch::Arch;
pub use family::{END as FAMILY_END, FAMILY};
pub use file_type::FILE_TYPE;
pub use fs_type::FS_TYPE;
pub use io_uring::IO_URING;
pub use message_type::MESSAGE_TYPE;
pub use nearest::nearest;
