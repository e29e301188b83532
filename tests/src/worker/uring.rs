//! One operation of io_uring(7), by hand: the prepared bindings are not for 32 bits.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::Result;
use socket2::Socket;

use crate::{agent::kernel_version, skip::skip};

/// `IORING_OFF_CQ_RING` and `IORING_OFF_SQES`; that of the submission queue is 0.
const OF_COMPLETIONS: libc::off_t = 0x800_0000;
const OF_ENTRIES: libc::off_t = 0x1000_0000;
/// `IORING_OP_SENDMSG`.
const SEND_MESSAGE: u8 = 9;
/// `IORING_ENTER_GETEVENTS`.
const WAIT: u32 = 1;

/// `struct io_sqring_offsets` and `struct io_cqring_offsets`: head, tail, mask, entries; the others differ.
#[repr(C)]
#[derive(Default)]
struct Offsets {
    head: u32,
    tail: u32,
    mask: u32,
    entries: u32,
    /// Offset of `flags`; of completions, of `overflow`.
    flags: u32,
    /// Offset of `dropped`; of completions, of the entries.
    dropped: u32,
    array: u32,
    reserved: u32,
    user_address: u64,
}

/// `struct io_uring_params`.
#[repr(C)]
#[derive(Default)]
struct Parameters {
    submissions: u32,
    completions: u32,
    flags: u32,
    thread: [u32; 2],
    features: u32,
    workers: u32,
    reserved: [u32; 3],
    submission: Offsets,
    completion: Offsets,
}

/// `struct io_uring_sqe`.
#[repr(C)]
#[derive(Default)]
struct Submission {
    opcode: u8,
    flags: u8,
    priority: u16,
    fd: i32,
    offset: u64,
    address: u64,
    length: u32,
    operation_flags: u32,
    user_data: u64,
    rest: [u64; 3],
}

/// `struct io_uring_cqe`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Completion {
    _user_data: u64,
    result: i32,
    _flags: u32,
}

/// A part of the ring's memory.
struct Mapping {
    start: *mut u8,
    length: usize,
}

impl Mapping {
    fn new(ring: &OwnedFd, length: usize, offset: libc::off_t) -> io::Result<Self> {
        let (access, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_POPULATE);
        // SAFETY: a new mapping of a ring's memory, at any address.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), length, access, flags, ring.as_raw_fd(), offset) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { start: start.cast(), length })
    }

    /// What is at a distance that the kernel has told.
    fn at<T>(&self, distance: u32) -> *mut T {
        // SAFETY: the kernel lays the ring out so, aligned and within the mapping.
        unsafe { self.start.add(distance as usize).cast() }
    }

    fn number(&self, distance: u32) -> &AtomicU32 {
        // SAFETY: as above; shared with the kernel, which accesses it atomically too.
        unsafe { AtomicU32::from_ptr(self.at(distance)) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and nothing refers to it any more.
        unsafe { libc::munmap(self.start.cast(), self.length) };
    }
}

/// A ring for one operation.
///
/// # Errors
/// The kernel has no io_uring (5.1), or it is forbidden.
fn set_up(parameters: &mut Parameters) -> io::Result<OwnedFd> {
    // SAFETY: the structure is laid out as the kernel expects it.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, &raw mut *parameters) };
    if ring < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(ring as i32) })
}

/// Ends a scenario where io_uring cannot send.
pub fn needed() -> Result<()> {
    if kernel_version() < (5, 3) {
        return Err(skip("io_uring sends no messages before 5.3"));
    }
    match set_up(&mut Parameters::default()) {
        Ok(_) => Ok(()),
        Err(error) => Err(skip(format!("io_uring cannot be had: {error}"))),
    }
}

/// Sends one message by a ring of its own; how many bytes. Since 5.3.
pub(super) fn send(socket: &Socket, message: &libc::msghdr) -> io::Result<usize> {
    let mut parameters = Parameters::default();
    let ring = set_up(&mut parameters)?;
    let Parameters { submissions, completions, submission, completion, .. } = parameters;
    let queue = Mapping::new(&ring, submission.array as usize + 4 * submissions as usize, 0)?;
    let length = completion.dropped as usize + size_of::<Completion>() * completions as usize;
    let done = Mapping::new(&ring, length, OF_COMPLETIONS)?;
    let entries = Mapping::new(&ring, size_of::<Submission>() * submissions as usize, OF_ENTRIES)?;

    let entry = Submission {
        opcode: SEND_MESSAGE,
        fd: socket.as_raw_fd(),
        address: ptr::from_ref(message) as u64,
        length: 1,
        ..Submission::default()
    };
    // SAFETY: the first entry, which the kernel does not look at before the tail has moved.
    unsafe { entries.at::<Submission>(0).write(entry) };
    queue.number(submission.array).store(0, Ordering::Relaxed);
    queue.number(submission.tail).store(1, Ordering::Release);
    // SAFETY: no memory is handed over but what the entry names, which is valid until it is done.
    let entered = unsafe {
        let nothing = ptr::null::<u8>();
        libc::syscall(libc::SYS_io_uring_enter, ring.as_raw_fd(), 1, 1, WAIT, nothing, 0)
    };
    if entered < 0 {
        return Err(io::Error::last_os_error());
    }
    if done.number(completion.tail).load(Ordering::Acquire) == 0 {
        return Err(io::Error::other("the operation did not complete"));
    }
    // SAFETY: the kernel has written the first completion.
    let completion = unsafe { done.at::<Completion>(completion.dropped).read() };
    match usize::try_from(completion.result) {
        Ok(sent) => Ok(sent),
        Err(_) => Err(io::Error::from_raw_os_error(-completion.result)),
    }
}
