//! Kprobes as perf events.
//!
//! Source: `man 2 perf_event_open`, `include/uapi/linux/perf_event.h`.

use std::{
    ffi::CStr,
    fs, io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

/// Event source of kprobes (4.17).
const KPROBE_SOURCE: &str = "/sys/bus/event_source/devices/kprobe/type";

const DISABLED: u64 = 1;
const FLAG_CLOEXEC: libc::c_ulong = 8;
const SET_BPF: libc::c_ulong = 0x4004_2408;

/// `struct perf_event_attr` up to `config2`, as in its second published size.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup: u32,
    breakpoint: u32,
    function: u64,
    offset: u64,
}

/// Number of the event source of kprobes; `None` if this kernel has none.
pub(super) fn kprobe_source() -> Option<u32> {
    fs::read_to_string(KPROBE_SOURCE).ok()?.trim().parse().ok()
}

/// Puts a kprobe on the entry of `function`, disabled.
pub(super) fn open_kprobe(source: u32, function: &CStr) -> io::Result<OwnedFd> {
    let attributes = Attributes {
        kind: source,
        size: size_of::<Attributes>() as u32,
        flags: DISABLED,
        function: function.as_ptr() as u64,
        ..Attributes::default()
    };
    let (every_process, first_cpu, no_group) = (-1_i32, 0_i32, -1_i32);
    // SAFETY: the kernel reads `size` bytes of `attributes` and the string it points to, both of
    // which outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            std::ptr::from_ref(&attributes),
            every_process,
            first_cpu,
            no_group,
            FLAG_CLOEXEC,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(result as i32) })
}

/// Attaches a program to an event.
pub(super) fn set_program(event: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: both descriptors are open for as long as they are borrowed; the request takes an
    // integer.
    let result = unsafe { libc::ioctl(event.as_raw_fd(), SET_BPF as _, program.as_raw_fd()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
