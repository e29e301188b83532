//! Records in the ring buffer. Each starts with a [`Header`].

#[cfg(feature = "user")]
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Flow, Late, SocketOwner};

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
    /// [`SocketEvent`](crate::SocketEvent): a socket listens, or has been bound, or does not any
    /// more.
    pub const SOCKET: u32 = 6;
    /// [`FlowEvent`](crate::FlowEvent) of a connection that has just been established.
    pub const CONNECTED: u32 = 7;
    /// [`DnsEvent`](crate::DnsEvent), in a ring of its own.
    pub const DNS: u32 = 8;
}

/// Start of every record. 8 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, KnownLayout, Immutable))]
pub struct Header {
    /// One of [`kind`].
    pub kind: u32,
    /// Bytes of variable data that are valid (exec and DNS), else 0.
    pub length: u32,
}

/// A closed flow.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, KnownLayout, Immutable))]
pub struct FlowEvent {
    /// `kind::FLOW`.
    pub header: Header,
    /// The flow; it does not change any more.
    pub flow: Flow,
}

/// A socket that can be talked to has come, or gone.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, KnownLayout, Immutable))]
pub struct SocketEvent {
    /// `kind::SOCKET`.
    pub header: Header,
    /// The socket.
    pub socket: SocketOwner,
    /// Kernel address of the `struct sock`.
    pub sock: u64,
    /// When it was closed; 0 if it has just come.
    pub closed: u64,
}

/// Late packets of a closed flow whose place in the table is needed by a newer one.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, KnownLayout, Immutable))]
pub struct LateEvent {
    /// `kind::LATE`.
    pub header: Header,
    /// Counts of the late packets.
    pub late: Late,
}

/// Longest name of a file, with its NUL.
pub const NAME_MAX: usize = 256;
/// Room for the names of an exec record: further ones are left out once so much is taken.
pub const NAMES_MAX: usize = 4096;
/// Longest argument block that is carried, bytes.
pub const ARGS_MAX: usize = 16_384;
/// Bytes of [`ExecEvent::data`]: names, of which the last may begin at the very end, and arguments.
pub const DATA_MAX: usize = NAMES_MAX + NAME_MAX + ARGS_MAX;

/// Bits of [`ExecEvent::flags`]: which names are there, whole.
pub mod whole {
    /// The executable.
    pub const EXECUTABLE: u32 = 1;
    /// The working directory.
    pub const DIRECTORY: u32 = 2;
    /// The cgroup of the unified hierarchy.
    pub const CGROUP: u32 = 4;
    /// The cgroup of an older hierarchy, as the process is in the root of the unified one.
    pub const LEGACY_CGROUP: u32 = 8;
}

/// A process replaced its image.
///
/// `data` holds, one after the other: the path as given to exec; the names that make up the path of
/// the executable, of the working directory and of the cgroup, each with its NUL, the last one
/// first; and the arguments, each with its NUL.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, KnownLayout, Immutable))]
pub struct ExecEvent {
    /// `kind::EXEC`; `length` is the number of valid bytes in `data`.
    pub header: Header,
    /// Process start, boottime nanoseconds.
    pub start: u64,
    /// Time of the exec, boottime nanoseconds.
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
    /// Bytes of arguments that are carried, at the end of `data`.
    pub args_length: u32,
    /// Bytes of the path as given to exec, including the NUL.
    pub filename_length: u32,
    /// Bytes of the names of the executable's path.
    pub executable_length: u32,
    /// Bytes of the names of the working directory's path.
    pub directory_length: u32,
    /// Bytes of the names of the cgroup's path.
    pub cgroup_length: u32,
    /// Bits of [`whole`].
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
    /// Bytes of the texts, in the order of their lengths above.
    pub data: [u8; DATA_MAX],
}

/// A process (not a thread) was created.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, KnownLayout, Immutable))]
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
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, KnownLayout, Immutable))]
pub struct ExitEvent {
    /// `kind::EXIT`.
    pub header: Header,
    /// Start of the process, boottime nanoseconds.
    pub start: u64,
    /// Time of the exit, boottime nanoseconds.
    pub time: u64,
    /// Process id.
    pub pid: u32,
    /// Exit code as in `wait(2)` status.
    pub code: u32,
}
