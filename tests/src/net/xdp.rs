//! Loss on demand: an XDP program that drops everything an interface receives.
//!
//! Generic XDP runs before packet sockets see a packet, so what it drops is in the sender's capture
//! and not in the receiver's: each capture equals what its side's stack handled. It needs no queueing
//! discipline that a kernel may lack. Since Linux 4.12.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use anyhow::{Context, Result};

use super::{Netns, link};

/// `struct bpf_insn`.
#[repr(C)]
struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// `r0 = XDP_DROP; exit`.
const DROP: [Instruction; 2] = [
    Instruction { code: 0xb7, registers: 0, offset: 0, immediate: 1 },
    Instruction { code: 0x95, registers: 0, offset: 0, immediate: 0 },
];

/// The part of `union bpf_attr` that `BPF_PROG_LOAD` read in its first version (48 bytes).
#[repr(C)]
struct Load {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

/// While it lives, an interface drops everything it receives.
#[derive(Debug)]
pub struct Blackhole<'a> {
    netns: &'a Netns,
    name: String,
    _program: OwnedFd,
}

impl<'a> Blackhole<'a> {
    /// Makes `name` in `netns` drop what it receives.
    pub fn on(netns: &'a Netns, name: &str) -> Result<Self> {
        unlock_memory();
        let program = load().context("loading an XDP program (needs CAP_BPF or root)")?;
        netns.run(|| link::set_xdp(name, program.as_raw_fd()))?;
        Ok(Self { netns, name: name.to_owned(), _program: program })
    }

    /// Lets packets through again.
    pub fn lift(self) -> Result<()> {
        self.netns.run(|| link::set_xdp(&self.name, -1))
        // Dropping afterwards detaches a second time, which changes nothing.
    }
}

impl Drop for Blackhole<'_> {
    fn drop(&mut self) {
        // Best effort: the interface goes away with its namespace in any case.
        let _ = self.netns.run(|| link::set_xdp(&self.name, -1));
    }
}

/// Kernels before 5.11 charge programs to the memory a process may lock. What is refused here shows
/// when the program is loaded.
fn unlock_memory() {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the limit outlives the call, which only reads it.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) };
}

fn load() -> io::Result<OwnedFd> {
    const PROG_LOAD: libc::c_long = 5;
    const TYPE_XDP: u32 = 6;
    let license = c"GPL";
    let mut attributes = Load {
        program_type: TYPE_XDP,
        instruction_count: DROP.len() as u32,
        instructions: DROP.as_ptr() as usize as u64,
        license: license.as_ptr() as usize as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
    };
    // SAFETY: the attributes are of the size given, and the program and licence they point to outlive
    // the call.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            PROG_LOAD,
            std::ptr::from_mut(&mut attributes),
            size_of::<Load>(),
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just returned this descriptor and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
