//! Records in the ring buffer. Each starts with a [`Header`].

use crate::{Flow, Late};

/// Values of [`Header::kind`].
pub mod kind {
    /// [`FlowEvent`](crate::FlowEvent): a socket closed.
    pub const FLOW: u32 = 1;
    /// [`LateEvent`](crate::LateEvent).
    pub const LATE: u32 = 2;
    /// [`ExecEvent`](crate::ExecEvent).
    pub const EXEC: u32 = 3;
    /// [`ForkEvent`](crate::ForkEvent).
    pub const FORK: u32 = 4;
    /// [`ExitEvent`](crate::ExitEvent).
    pub const EXIT: u32 = 5;
}

/// Start of every record. 8 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Header {
    /// One of [`kind`].
    pub kind: u32,
    /// Bytes of variable data that are valid (exec only), else 0.
    pub length: u32,
}

/// A closed flow.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct FlowEvent {
    /// `kind::FLOW`.
    pub header: Header,
    /// The flow; it does not change any more.
    pub flow: Flow,
}

/// Late packets of a closed flow whose place in the table is needed by a newer one.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct LateEvent {
    /// `kind::LATE`.
    pub header: Header,
    /// What was counted.
    pub late: Late,
}

/// Longest executable path that is carried, with its NUL.
pub const FILENAME_MAX: usize = 256;
/// Longest argument block that is carried.
pub const ARGS_MAX: usize = 4096;

/// A process replaced its image.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ExecEvent {
    /// `kind::EXEC`; `length` is the number of valid bytes in `args`.
    pub header: Header,
    /// Process start, boottime nanoseconds.
    pub start: u64,
    /// When the exec happened.
    pub time: u64,
    /// Cgroup v2 id.
    pub cgroup: u64,
    /// Process id.
    pub pid: u32,
    /// Parent process id.
    pub parent: u32,
    /// Real user id.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Effective group id.
    pub egid: u32,
    /// Length of the whole argument block, which may exceed what is carried.
    pub args_total: u32,
    /// Bytes of `filename` including the NUL.
    pub filename_length: u32,
    /// Path as given to exec, NUL-terminated.
    pub filename: [u8; FILENAME_MAX],
    /// Arguments, each NUL-terminated.
    pub args: [u8; ARGS_MAX],
}

/// A process (not a thread) was created.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ForkEvent {
    /// `kind::FORK`.
    pub header: Header,
    /// Start of the child, boottime nanoseconds.
    pub start: u64,
    /// Start of the parent.
    pub parent_start: u64,
    /// Child process id.
    pub pid: u32,
    /// Parent process id.
    pub parent: u32,
}

/// The last thread of a process left.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ExitEvent {
    /// `kind::EXIT`.
    pub header: Header,
    /// Start of the process, boottime nanoseconds.
    pub start: u64,
    /// When it left.
    pub time: u64,
    /// Process id.
    pub pid: u32,
    /// Exit code as in `wait(2)` status.
    pub code: u32,
}
