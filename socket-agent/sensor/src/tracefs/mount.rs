//! Finding the tracing directory, and mounting it where nobody has.

use std::{
    ffi::{CStr, CString},
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use crate::{SensorError, host};

/// Where tracefs (4.1) and debugfs are mounted by custom, with the tracing directory in each.
const PLACES: [(&CStr, &str, &str); 2] = [
    (c"tracefs", "/sys/kernel/tracing", "/sys/kernel/tracing"),
    (c"debugfs", "/sys/kernel/debug", "/sys/kernel/debug/tracing"),
];

/// The tracing directory. Dropping it unmounts what it mounted.
#[derive(Debug)]
pub(super) struct Tracing {
    directory: PathBuf,
    mounted: Option<CString>,
}

impl Tracing {
    /// Takes the directory that is given; else what is mounted; else mounts tracefs, else debugfs.
    ///
    /// # Errors
    ///
    /// There is none, or it has no `kprobe_events`.
    pub(super) fn find(given: Option<&Path>) -> Result<Self, SensorError> {
        let tracing = match given {
            Some(directory) => Self { directory: directory.into(), mounted: None },
            None => Self::mounted_or_mount()?,
        };
        let events = tracing.directory.join("kprobe_events");
        match std::fs::metadata(&events) {
            Ok(_) => Ok(tracing),
            Err(error) => Err(SensorError::Tracing {
                place: events,
                reason: error.to_string(),
                remedy: if given.is_some() {
                    "socket.tracefs_path must name the mount point of tracefs, or the directory \
                     tracing in debugfs"
                } else {
                    "use a kernel with CONFIG_KPROBE_EVENTS=y"
                },
            }),
        }
    }

    fn mounted_or_mount() -> Result<Self, SensorError> {
        for (_, _, directory) in PLACES {
            if Path::new(directory).join("trace").exists() {
                return Ok(Self { directory: directory.into(), mounted: None });
            }
        }
        if let Some(directory) = host::tracefs_mount() {
            return Ok(Self { directory, mounted: None });
        }
        let mut reasons = Vec::new();
        for (kind, point, directory) in PLACES {
            let target = c_path(Path::new(point));
            match mount(kind, &target) {
                Ok(()) => {
                    log::info!(target: "sensor", "mounted {} at {point}", kind.to_string_lossy());
                    return Ok(Self { directory: directory.into(), mounted: Some(target) });
                }
                Err(error) => reasons.push(format!("{}: {error}", kind.to_string_lossy())),
            }
        }
        Err(SensorError::Tracing {
            place: PLACES[0].1.into(),
            reason: format!(
                "neither tracefs nor debugfs is mounted or can be ({})",
                reasons.join(", ")
            ),
            remedy: "run as root, or mount one: mount -t tracefs nodev /sys/kernel/tracing",
        })
    }

    /// A file of the directory.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl Drop for Tracing {
    fn drop(&mut self) {
        if let Some(target) = &self.mounted {
            // SAFETY: a terminated string.
            let result = unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
            if result < 0 {
                let error = io::Error::last_os_error();
                log::warn!(target: "sensor", "cannot unmount {}: {error}", target.to_string_lossy());
            }
        }
    }
}

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap_or_default()
}

fn mount(kind: &CStr, target: &CStr) -> io::Result<()> {
    // SAFETY: terminated strings, and no data.
    let result = unsafe {
        libc::mount(c"nodev".as_ptr(), target.as_ptr(), kind.as_ptr(), 0, std::ptr::null())
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_tracefs_is_refused_with_the_option() {
        let error = Tracing::find(Some(Path::new("/proc"))).unwrap_err().to_string();
        assert!(error.contains("/proc/kprobe_events"), "{error}");
        assert!(error.contains("socket.tracefs_path"), "{error}");
    }
}
