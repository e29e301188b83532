//! Kernel lockdown, which can keep programs from reading kernel memory.
//!
//! Source: `security/lockdown/lockdown.c`.

use std::{
    ffi::CStr,
    fs::File,
    io::{self, Read},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    path::Path,
};

use super::{facility::Probe, mounts::is_mounted_at};

const SECURITYFS: &str = "/sys/kernel/security";

pub(super) fn probe() -> Probe {
    let mounted = is_mounted_at(b"securityfs", Path::new(SECURITYFS));
    let (state, how) = if mounted {
        (std::fs::read_to_string(format!("{SECURITYFS}/lockdown")), "")
    } else {
        (read_detached(), " (securityfs is not mounted; read from a mount of our own)")
    };
    match state {
        Ok(state) => judge(&state, how),
        Err(error) if mounted && error.kind() == io::ErrorKind::NotFound => {
            Probe::available("this kernel has none")
        }
        Err(error) => Probe::unprobed(
            format!("{SECURITYFS}/lockdown: {error}"),
            format!("run as root, or mount -t securityfs none {SECURITYFS}"),
        ),
    }
}

/// The level in force is in brackets: `none [integrity] confidentiality`.
fn judge(state: &str, how: &str) -> Probe {
    let level = state.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    match level.map(|(level, _)| level) {
        Some("confidentiality") => Probe::missing(
            "confidentiality: programs may not read kernel memory",
            "boot with lockdown=integrity, or without lockdown",
        ),
        Some(level) => Probe::available(format!("{level}{how}")),
        None => Probe::unprobed(
            format!("not understood: {:?}", state.trim()),
            "report this, with the kernel's release",
        ),
    }
}

/// Reads from a mount that no path leads to and that is gone when its descriptor is closed (5.2).
fn read_detached() -> io::Result<String> {
    const CREATE: libc::c_long = 6;
    const CLOEXEC: libc::c_long = 1;
    let kind: &CStr = c"securityfs";
    let nothing = std::ptr::null::<libc::c_char>();
    // SAFETY: `kind` is a terminated string.
    let context = unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), CLOEXEC) };
    let context = owned(context)?;
    // SAFETY: the command takes neither key nor value.
    let created = unsafe {
        libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), CREATE, nothing, nothing, 0)
    };
    if created < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: integers only.
    let mount = unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), CLOEXEC, 0) };
    let mount = owned(mount)?;
    // SAFETY: the path is a terminated string.
    let file = unsafe {
        libc::openat(mount.as_raw_fd(), c"lockdown".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC)
    };
    let mut state = String::new();
    File::from(owned(file.into())?).read_to_string(&mut state)?;
    Ok(state)
}

fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(result as i32) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_in_brackets_counts() {
        assert_eq!(judge("[none] integrity confidentiality\n", ""), Probe::available("none"));
        assert_eq!(
            judge("none [integrity] confidentiality\n", "!"),
            Probe::available("integrity!")
        );
        assert!(matches!(judge("none integrity [confidentiality]", ""), Probe::Missing { .. }));
        assert!(matches!(judge("what", ""), Probe::Unprobed { .. }));
    }
}
