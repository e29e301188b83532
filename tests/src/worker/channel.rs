//! Messages between a scenario and a worker, with descriptors where needed.

use std::{
    io::{IoSlice, IoSliceMut},
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::{
    cmsg_space,
    errno::Errno,
    sys::{
        socket::{
            AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType,
            recvmsg, sendmsg, setsockopt, socketpair, sockopt::ReceiveTimeout,
        },
        time::TimeVal,
    },
};
use serde::{Serialize, de::DeserializeOwned};

/// Longest message: the addresses of a burst.
const LONGEST: usize = 192 << 10;

/// One end of a connection that keeps message boundaries.
#[derive(Debug)]
pub(super) struct Channel {
    fd: OwnedFd,
}

impl Channel {
    /// Both ends of a new channel; neither survives an exec.
    pub(super) fn pair() -> Result<(Self, Self)> {
        let (one, two) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
                .context("making a channel")?;
        Ok((Self { fd: one }, Self { fd: two }))
    }

    /// The channel a descriptor leads to.
    pub(super) fn from_fd(fd: OwnedFd) -> Self {
        Self { fd }
    }

    /// Gives up the channel for its descriptor.
    pub(super) fn into_fd(self) -> OwnedFd {
        self.fd
    }

    /// Lets [`Channel::receive`] fail after so long.
    pub(super) fn set_limit(&self, limit: Duration) -> Result<()> {
        let limit = TimeVal::new(limit.as_secs() as _, 0);
        setsockopt(&self.fd, ReceiveTimeout, &limit).context("limiting a channel")
    }

    /// Sends a message and, where given, a descriptor.
    pub(super) fn send(&self, message: &impl Serialize, fd: Option<RawFd>) -> Result<()> {
        let bytes = serde_json::to_vec(message)?;
        let fds: Vec<RawFd> = fd.into_iter().collect();
        let rights = [ControlMessage::ScmRights(&fds)];
        let control = if fds.is_empty() { &[][..] } else { &rights[..] };
        sendmsg::<()>(
            self.fd.as_raw_fd(),
            &[IoSlice::new(&bytes)],
            control,
            MsgFlags::MSG_NOSIGNAL,
            None,
        )
        .context("sending over a channel")?;
        Ok(())
    }

    /// The next message and the descriptor that came with it; `None` if the other end is gone.
    pub(super) fn receive<T: DeserializeOwned>(&self) -> Result<Option<(T, Option<OwnedFd>)>> {
        let mut bytes = vec![0; LONGEST];
        let mut control = cmsg_space!(RawFd);
        let (length, fd) = {
            let mut space = [IoSliceMut::new(&mut bytes)];
            let received = loop {
                match recvmsg::<()>(
                    self.fd.as_raw_fd(),
                    &mut space,
                    Some(&mut control),
                    MsgFlags::MSG_CMSG_CLOEXEC,
                ) {
                    Err(Errno::EINTR) => {}
                    Err(Errno::EAGAIN) => bail!("no answer in time"),
                    Err(Errno::ECONNRESET) => return Ok(None),
                    other => break other.context("receiving over a channel")?,
                }
            };
            let mut fd = None;
            for message in received.cmsgs()? {
                if let ControlMessageOwned::ScmRights(fds) = message {
                    for raw in fds {
                        // SAFETY: the kernel just installed this descriptor and nothing else owns it.
                        fd = Some(unsafe { OwnedFd::from_raw_fd(raw) });
                    }
                }
            }
            (received.bytes, fd)
        };
        if length == 0 {
            return Ok(None);
        }
        let message = serde_json::from_slice(bytes.get(..length).unwrap_or_default())
            .context("a message that makes no sense")?;
        Ok(Some((message, fd)))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
