//! Offloads of an interface, through the `SIOCETHTOOL` ioctl (linux/ethtool.h).

use std::{
    io,
    net::UdpSocket,
    os::fd::AsRawFd,
    ptr::{addr_of_mut, from_mut},
};

use anyhow::{Context, Result, ensure};

const SIOCETHTOOL: libc::c_ulong = 0x8946;
const SET_TX_CHECKSUM: u32 = 0x17;
const SET_SCATTER_GATHER: u32 = 0x19;
const SET_TSO: u32 = 0x1f;
const SET_GSO: u32 = 0x24;
const SET_GRO: u32 = 0x2c;

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// Switches segmentation, receive merging and checksum offload of an interface of the calling
/// thread's namespace on or off.
///
/// Off means that every buffer that passes the interface is one packet as it would be on a wire.
pub fn set_offloads(name: &str, on: bool) -> Result<()> {
    // Segmentation depends on checksums and scatter-gather: first things first in both directions.
    let mut order = [
        ("tx-checksum", SET_TX_CHECKSUM),
        ("scatter-gather", SET_SCATTER_GATHER),
        ("tso", SET_TSO),
        ("gso", SET_GSO),
        ("gro", SET_GRO),
    ];
    if !on {
        order.reverse();
    }
    for (what, command) in order {
        let mut value = Value { command, data: u32::from(on) };
        let mut request = request(name)?;
        request.ifr_ifru.ifru_data = addr_of_mut!(value).cast();
        ioctl(SIOCETHTOOL, &mut request)
            .with_context(|| format!("setting {what} of {name} to {on}"))?;
    }
    Ok(())
}

/// A request for an interface of this name, with an empty argument.
pub(super) fn request(name: &str) -> Result<libc::ifreq> {
    // SAFETY: ifreq is plain data for which all zeroes are valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    ensure!(name.len() < request.ifr_name.len(), "interface name {name} is too long");
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(request)
}

/// Any socket serves to reach the interface ioctls of its namespace.
pub(super) fn ioctl(number: libc::c_ulong, request: &mut libc::ifreq) -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    // SAFETY: `request` is a valid ifreq whose argument, where it is a pointer, outlives the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), number as _, from_mut(request)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
