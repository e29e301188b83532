//! Release and architecture of the running kernel.

use std::{ffi::CStr, fmt, mem::MaybeUninit, path::Path};

/// The running kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kernel {
    /// As in `uname -r`, such as `6.1.0-18-amd64`.
    pub release: String,
    /// Machine as in `uname -m`, such as `x86_64`.
    pub machine: String,
}

impl Kernel {
    /// Asks `uname(2)`.
    pub fn running() -> Self {
        let mut name = MaybeUninit::<libc::utsname>::zeroed();
        // SAFETY: the pointer is valid for a write of this type; all-zero is a valid value of it.
        let name = unsafe {
            libc::uname(name.as_mut_ptr());
            name.assume_init()
        };
        let text = |field: &[libc::c_char]| {
            // SAFETY: the kernel terminates each field with a NUL, and the zeroed value has one.
            unsafe { CStr::from_ptr(field.as_ptr()) }.to_string_lossy().into_owned()
        };
        Self { release: text(&name.release), machine: text(&name.machine) }
    }

    /// Major and minor number; zeros if the release does not begin with them.
    ///
    /// Distributions backport: ask for a facility rather than for a version.
    pub fn version(&self) -> (u32, u32) {
        let mut numbers = self.release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
            _ => (0, 0),
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.release, self.machine)
    }
}

/// Whether the kernel has IPv6, which `ipv6.disable=1` or a missing module take away.
pub fn has_ipv6() -> bool {
    Path::new("/proc/net/if_inet6").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (release, version) in [
            ("6.1.0-18-amd64", (6, 1)),
            ("5.10", (5, 10)),
            ("3.10.0-1160.el7.x86_64", (3, 10)),
            ("6.18.44-fc-v669", (6, 18)),
            ("", (0, 0)),
            ("unknown", (0, 0)),
        ] {
            let kernel = Kernel { release: release.into(), machine: String::new() };
            assert_eq!(kernel.version(), version, "{release}");
        }
    }

    #[test]
    fn this_machine() {
        let file = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        assert_eq!(Kernel::running().release, file.trim());
    }
}
