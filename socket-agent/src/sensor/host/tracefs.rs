//! The tracing file system.

use std::{ffi::CString, io, os::unix::ffi::OsStrExt, path::Path};

use super::{facility::Probe, mounts::tracefs_mount};

pub(super) fn probe() -> Probe {
    let Some(mount) = tracefs_mount() else {
        return Probe::missing(
            "not mounted",
            "mount -t tracefs nodev /sys/kernel/tracing (before 4.1: mount -t debugfs nodev \
             /sys/kernel/debug); no hook set of this version needs it",
        );
    };
    let events = mount.join("kprobe_events");
    let found = mount.display();
    match writable(&events) {
        Ok(()) => Probe::available(format!("{found}, kprobe_events writable")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Probe::available(format!("{found}, without kprobe_events"))
        }
        Err(error) => Probe::unprobed(
            format!("{found}: kprobe_events: {error}"),
            "run as root; no hook set of this version needs it",
        ),
    }
}

fn writable(path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: `path` is a terminated string that outlives the call.
    let result =
        unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::W_OK, libc::AT_EACCESS) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
