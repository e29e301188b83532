//! The loopback interface starts down in a fresh kernel.

use std::{io, net::UdpSocket, os::fd::AsRawFd as _};

use anyhow::{Context as _, Result};

/// Sets the interface `lo` up; the kernel then gives it 127.0.0.1 and ::1 by itself.
pub(crate) fn up() -> Result<()> {
    // An unbound port is enough: the socket only names the network namespace.
    let socket = UdpSocket::bind("0.0.0.0:0").context("open a socket for `lo`")?;
    let mut name = [0; libc::IFNAMSIZ];
    for (to, from) in name.iter_mut().zip(c"lo".to_bytes()) {
        *to = *from as libc::c_char;
    }
    let request = libc::ifreq {
        ifr_name: name,
        ifr_ifru: libc::__c_anonymous_ifr_ifru {
            ifru_flags: (libc::IFF_UP | libc::IFF_RUNNING) as i16,
        },
    };
    // SAFETY: SIOCSIFFLAGS reads one `ifreq`, which `request` is and which outlives the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()).context("set `lo` up") }
}
