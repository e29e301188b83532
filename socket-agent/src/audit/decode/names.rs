//! Names of errors, architectures, system calls and families.

use crate::audit::names;

/// The name of an architecture from the number in `arch=`: `x86_64` for 0xc000003e.
pub fn arch_name(number: u32) -> Option<&'static str> {
    names::Arch::from_audit(number).map(names::Arch::name)
}

/// The name of a system call on the architecture with that number in `arch=`.
pub fn syscall_name(arch: u32, number: u32) -> Option<&'static str> {
    names::syscall::name(names::Arch::from_audit(arch)?, number)
}

/// The name of an error: `ENOENT` for 2.
pub fn errno_name(number: u32) -> Option<&'static str> {
    linux::ERRNO.name(number).or(match number {
        // The kernel's own, which programs do not see but records do: include/linux/errno.h.
        512 => Some("ERESTARTSYS"),
        513 => Some("ERESTARTNOINTR"),
        514 => Some("ERESTARTNOHAND"),
        515 => Some("ENOIOCTLCMD"),
        516 => Some("ERESTART_RESTARTBLOCK"),
        517 => Some("EPROBE_DEFER"),
        518 => Some("EOPENSTALE"),
        521 => Some("EBADHANDLE"),
        524 => Some("ENOTSUPP"),
        529 => Some("EIOCBQUEUED"),
        _ => None,
    })
}

/// The short name of a socket family, as documents have it: `ipv4`, `unix`, `netlink`.
pub fn family_name(number: u16) -> Option<&'static str> {
    match super::values::one("family", u64::from(number))? {
        "AF_INET" => Some("ipv4"),
        "AF_INET6" => Some("ipv6"),
        "AF_UNIX" => Some("unix"),
        "AF_NETLINK" => Some("netlink"),
        "AF_PACKET" => Some("packet"),
        "AF_VSOCK" => Some("vsock"),
        "AF_UNSPEC" => Some("unspec"),
        name => Some(name),
    }
}
