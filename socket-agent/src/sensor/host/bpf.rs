//! `bpf(2)` with hand-made programs of a few instructions.
//!
//! Source: `include/uapi/linux/bpf.h`.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use super::{
    capabilities::may_use_bpf,
    facility::{PRIVILEGES, Probe},
};

/// `enum bpf_prog_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum ProgramType {
    SocketFilter = 1,
    Kprobe = 2,
    Tracepoint = 5,
    CgroupSkb = 8,
    CgroupSock = 9,
    SockOps = 13,
    RawTracepoint = 17,
    CgroupSockAddr = 18,
    Tracing = 26,
}

/// `enum bpf_attach_type`, where a program type needs one to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum AttachType {
    /// Not needed; equals `BPF_CGROUP_INET_INGRESS`.
    None = 0,
    CgroupEgress = 1,
    CgroupSockCreate = 2,
    CgroupSockOps = 3,
    CgroupConnect4 = 10,
    RawTracepoint = 23,
    Fentry = 24,
    Iterator = 28,
}

const MAP_CREATE: libc::c_long = 0;
const PROG_LOAD: libc::c_long = 5;
const RAW_TRACEPOINT_OPEN: libc::c_long = 17;
const LINK_CREATE: libc::c_long = 28;

/// `BPF_MAP_TYPE_RINGBUF`.
pub(super) const MAP_RING: u32 = 27;
const MAP_ARRAY: u32 = 2;
/// `BPF_MAP_TYPE_PERF_EVENT_ARRAY`.
pub(super) const MAP_PERF: u32 = 4;

#[repr(C)]
#[derive(Default)]
struct MapAttributes {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct ProgramAttributes {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buffer: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    expected_attach_type: u32,
    btf_fd: u32,
    func_info_size: u32,
    func_info: u64,
    func_info_count: u32,
    line_info_size: u32,
    line_info: u64,
    line_info_count: u32,
    attach_btf_id: u32,
    attach_program: u32,
    padding: u32,
}

#[repr(C)]
#[derive(Default)]
struct RawTracepointAttributes {
    name: u64,
    program: u32,
    padding: u32,
}

#[repr(C)]
#[derive(Default)]
struct LinkAttributes {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
    iterator_info: u64,
    iterator_info_length: u32,
    padding: u32,
}

#[repr(C)]
struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// Whether this process can use the system call at all.
pub(super) fn probe() -> Probe {
    match create_map(MAP_ARRAY, 4, 4, 1) {
        Ok(_) if may_use_bpf() => Probe::available("maps can be created"),
        Ok(_) => Probe::unprobed("only for what every user may do", PRIVILEGES),
        Err(error) => Probe::failed(
            "creating a map",
            &error,
            "use a kernel with CONFIG_BPF_SYSCALL=y, and allow bpf(2) in the container's seccomp \
             profile",
        ),
    }
}

/// Creates a map; it is gone when the descriptor is closed.
pub(super) fn create_map(kind: u32, key: u32, value: u32, entries: u32) -> io::Result<OwnedFd> {
    let attributes = MapAttributes {
        kind,
        key_size: key,
        value_size: value,
        max_entries: entries,
        ..MapAttributes::default()
    };
    call(MAP_CREATE, &attributes)
}

/// Loads the program `return result`. `btf_id` names what a tracing program is for.
pub(super) fn load(
    kind: ProgramType,
    attach_type: AttachType,
    btf_id: u32,
    result: i32,
) -> io::Result<OwnedFd> {
    const MOVE_IMMEDIATE: u8 = 0xb7;
    const EXIT: u8 = 0x95;
    let instructions = [
        Instruction { code: MOVE_IMMEDIATE, registers: 0, offset: 0, immediate: result },
        Instruction { code: EXIT, registers: 0, offset: 0, immediate: 0 },
    ];
    let license: &CStr = c"Dual MIT/GPL";
    let attributes = ProgramAttributes {
        kind: kind as u32,
        instruction_count: instructions.len() as u32,
        instructions: instructions.as_ptr() as u64,
        license: license.as_ptr() as u64,
        // Compared by kernels before 5.0, for kprobes only.
        kernel_version: if kind == ProgramType::Kprobe { version_code() } else { 0 },
        expected_attach_type: attach_type as u32,
        attach_btf_id: btf_id,
        ..ProgramAttributes::default()
    };
    call(PROG_LOAD, &attributes)
}

/// Attaches to the raw tracepoint `name`, or, without one, to what the program was loaded for.
pub(super) fn open_raw_tracepoint(
    name: Option<&CStr>,
    program: BorrowedFd<'_>,
) -> io::Result<OwnedFd> {
    let attributes = RawTracepointAttributes {
        name: name.map_or(0, |name| name.as_ptr() as u64),
        program: program.as_raw_fd() as u32,
        padding: 0,
    };
    call(RAW_TRACEPOINT_OPEN, &attributes)
}

/// Creates a link (5.7), to `target` where the attach type has one.
pub(super) fn create_link(
    program: BorrowedFd<'_>,
    target: Option<BorrowedFd<'_>>,
    attach_type: AttachType,
) -> io::Result<OwnedFd> {
    let attributes = LinkAttributes {
        program: program.as_raw_fd() as u32,
        target: target.map_or(0, |target| target.as_raw_fd() as u32),
        attach_type: attach_type as u32,
        ..LinkAttributes::default()
    };
    call(LINK_CREATE, &attributes)
}

/// All commands used here return a descriptor. Before 5.11 the kernel counts what they take as locked memory, of
/// all processes of the user together: where the limit stands in the way, it is lifted for this process.
fn call<T>(command: libc::c_long, attributes: &T) -> io::Result<OwnedFd> {
    match try_call(command, attributes) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) && lift_memory_limit() => {
            try_call(command, attributes)
        }
        other => other,
    }
}

/// Whether there was a limit to locked memory, and is none any more.
fn lift_memory_limit() -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes to a structure that outlives the call.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) } == 0;
    if !known || limit.rlim_cur == libc::RLIM_INFINITY {
        return false;
    }
    let none = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the kernel reads from a structure that outlives the call.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const none) == 0 }
}

fn try_call<T>(command: libc::c_long, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: the kernel reads at most the given size of `attributes`, which is a `repr(C)` prefix
    // of `union bpf_attr`; every pointer in it outlives the call; no command here writes to it.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>())
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(result as i32) })
}

fn version_code() -> u32 {
    let release = linux::Kernel::running().release;
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|number| number.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let (major, minor, patch) = (next(), next(), next());
    (major << 16) + (minor << 8) + patch.min(255)
}
