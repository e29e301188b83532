//! The socket itself.

use std::{
    io::{self, ErrorKind, IoSliceMut},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvmsg,
        sendto, setsockopt, socket, sockopt,
    },
};

use super::control::Transport;

/// Longer than any message: the kernel's records have up to 8,970 bytes.
pub(super) const DATAGRAM_MAX: usize = 16 << 10;

/// A datagram has come, or has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Datagram {
    /// So many bytes of the kernel are in the buffer.
    Whole(usize),
    /// It did not fit into the buffer, which holds its beginning.
    Cut(usize),
    /// A message that does not come from the kernel.
    Foreign,
}

/// A netlink socket of the audit framework.
#[derive(Debug)]
pub struct Socket {
    descriptor: OwnedFd,
}

impl Socket {
    /// Opens a socket that hears these groups, a bit each; 0 for none.
    ///
    /// # Errors
    /// The kernel has no audit framework, or refuses the group.
    pub fn open(groups: u32) -> io::Result<Self> {
        let descriptor = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkAudit,
        )?;
        bind(descriptor.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        Ok(Self { descriptor })
    }

    /// Makes room for so many bytes of datagrams, beyond the limit for users where that is allowed;
    /// returns whether it was.
    ///
    /// # Errors
    /// The kernel refuses any change.
    pub fn set_receive_buffer(&self, bytes: usize) -> io::Result<bool> {
        if setsockopt(&self.descriptor, sockopt::RcvBufForce, &bytes).is_ok() {
            return Ok(true);
        }
        setsockopt(&self.descriptor, sockopt::RcvBuf, &bytes)?;
        Ok(false)
    }

    pub(super) fn send_datagram(&self, datagram: &[u8]) -> io::Result<()> {
        let kernel = NetlinkAddr::new(0, 0);
        sendto(self.descriptor.as_raw_fd(), datagram, &kernel, MsgFlags::empty())?;
        Ok(())
    }

    /// The next datagram.
    ///
    /// # Errors
    /// `WouldBlock` if there is none, `ENOBUFS` if some found the buffer full and were lost.
    pub(super) fn receive_datagram(&self, buffer: &mut [u8]) -> io::Result<Datagram> {
        let mut parts = [IoSliceMut::new(buffer)];
        let message = recvmsg::<NetlinkAddr>(
            self.descriptor.as_raw_fd(),
            &mut parts,
            None,
            MsgFlags::empty(),
        )?;
        // Any process may send to a netlink socket.
        Ok(if message.address.is_some_and(|sender| sender.pid() != 0) {
            Datagram::Foreign
        } else if message.flags.contains(MsgFlags::MSG_TRUNC) {
            Datagram::Cut(message.bytes)
        } else {
            Datagram::Whole(message.bytes)
        })
    }

    /// Waits for a datagram or an error; `false` if neither came in time.
    pub(super) fn wait(&self, limit: Duration) -> io::Result<bool> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Rounded up, so that the last moment is not spent in a loop.
            let left = PollTimeout::try_from(left + Duration::from_millis(1));
            let mut descriptors = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
            match poll(&mut descriptors, left.unwrap_or(PollTimeout::MAX)) {
                Ok(0) => return Ok(false),
                Ok(_) => return Ok(true),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Transport for Socket {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.send_datagram(datagram)
    }

    fn receive(&mut self, buffer: &mut Vec<u8>, limit: Duration) -> io::Result<bool> {
        let deadline = Instant::now() + limit;
        loop {
            buffer.resize(DATAGRAM_MAX, 0);
            match self.receive_datagram(buffer) {
                Ok(Datagram::Whole(length) | Datagram::Cut(length)) => {
                    buffer.truncate(length);
                    return Ok(true);
                }
                Ok(Datagram::Foreign) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if !self.wait(left)? {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}
