//! Ways to send a datagram to somebody else than the peer of a connected socket.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    os::fd::AsRawFd,
};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use socket2::{MsgHdr, SockAddr, Socket};

use super::{protocol::Reply, uring};

/// The system call that sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum By {
    /// sendmsg(2).
    Message,
    /// sendmmsg(2), two datagrams at once.
    Messages,
    /// io_uring_enter(2), `IORING_OP_SENDMSG`. Since 5.3.
    Uring,
}

/// Sends a datagram of so many bytes; by [`By::Messages`] two of them.
pub(super) fn send(socket: &Socket, by: By, bytes: u64, to: SocketAddr) -> Result<Reply> {
    let (datagram, to) = (vec![b'm'; bytes as usize], SockAddr::from(to));
    let sent = match by {
        By::Message => {
            let parts = [IoSlice::new(&datagram)];
            socket.sendmsg(&MsgHdr::new().with_addr(&to).with_buffers(&parts), 0)?
        }
        By::Messages => twice(socket, &datagram, &to)?,
        By::Uring => with_header(&datagram, &to, |header| uring::send(socket, header))?,
    };
    ensure!(sent == datagram.len(), "only {sent} of {bytes} bytes were sent");
    Ok(Reply::Done)
}

/// Two datagrams by one call; the length of the second.
fn twice(socket: &Socket, datagram: &[u8], to: &SockAddr) -> io::Result<usize> {
    with_header(datagram, to, |header| {
        let message = libc::mmsghdr { msg_hdr: *header, msg_len: 0 };
        let mut both = [message, message];
        // SAFETY: two messages whose parts are valid for the call.
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), both.as_mut_ptr(), 2, 0) };
        match sent {
            2 => Ok(both[1].msg_len as usize),
            0.. => Err(io::Error::other("the second datagram was not sent")),
            _ => Err(io::Error::last_os_error()),
        }
    })
}

fn with_header<T>(
    datagram: &[u8],
    to: &SockAddr,
    call: impl FnOnce(&libc::msghdr) -> io::Result<T>,
) -> io::Result<T> {
    let mut part =
        libc::iovec { iov_base: datagram.as_ptr().cast_mut().cast(), iov_len: datagram.len() };
    // SAFETY: msghdr is plain data for which all zeroes are valid.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_name = to.as_ptr().cast_mut().cast();
    header.msg_namelen = to.len();
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    call(&header)
}

/// Takes a UDP socket its peer: connect(2) with `AF_UNSPEC`.
pub(super) fn disconnect(socket: &Socket) -> io::Result<()> {
    // SAFETY: sockaddr is plain data for which all zeroes are valid: `AF_UNSPEC` is 0.
    let nobody: libc::sockaddr = unsafe { std::mem::zeroed() };
    // SAFETY: the address is valid and of the length given.
    let result = unsafe {
        libc::connect(
            socket.as_raw_fd(),
            &raw const nobody,
            size_of::<libc::sockaddr>() as libc::socklen_t,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
