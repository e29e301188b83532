//! The tracing file system.

use std::{ffi::CString, io, os::unix::ffi::OsStrExt, path::Path};

use super::{facility::Probe, mounts::tracefs_mount};

pub(super) fn probe() -> Probe {
    if let Some(off) = super::kprobes::switched_off() {
        return off;
    }
    let Some(mount) = tracefs_mount() else { return not_mounted() };
    let events = mount.join("kprobe_events");
    let found = mount.display();
    match writable(&events) {
        Ok(()) => Probe::available(format!("{found}, kprobe_events writable")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Probe::missing(
            format!("{found} has no kprobe_events"),
            "use a kernel with CONFIG_KPROBE_EVENTS=y",
        ),
        Err(error) => Probe::unprobed(
            format!("{found}: kprobe_events: {error}"),
            "run as root, with tracefs mounted writable",
        ),
    }
}

/// The agent mounts it, if it can.
fn not_mounted() -> Probe {
    let may = caps::has_cap(None, caps::CapSet::Effective, caps::Capability::CAP_SYS_ADMIN);
    let point =
        ["/sys/kernel/tracing", "/sys/kernel/debug"].into_iter().find(|p| Path::new(p).is_dir());
    match (may, point) {
        (Ok(true), Some(point)) => {
            Probe::available(format!("not mounted; the agent mounts it at {point} while it runs"))
        }
        _ => Probe::missing(
            "not mounted",
            "mount -t tracefs nodev /sys/kernel/tracing (before 4.1: mount -t debugfs nodev \
             /sys/kernel/debug)",
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
