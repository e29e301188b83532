//! Waiting until an interface or an address really works.
//!
//! The kernel finishes both after it has acknowledged the request: a veth gets its queue when its
//! carrier is noticed, an IPv6 address its route when duplicate address detection is done, or skipped.
//! Until then packets are lost.

use std::{
    collections::HashSet,
    net::Ipv6Addr,
    os::fd::{AsRawFd, BorrowedFd},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, LinkMessage, State},
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteType},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// `RTNLGRP_LINK`, linux/rtnetlink.h.
const LINK: u32 = 1;
/// `RTNLGRP_IPV6_ROUTE`.
const IPV6_ROUTE: u32 = 11;
/// The kernel takes this long at most.
const LIMIT: Duration = Duration::from_secs(20);

/// Something that becomes usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Usable {
    /// An interface, by its index, that has its carrier.
    Interface(u32),
    /// An IPv6 address of this host.
    Address(Ipv6Addr),
}

/// Hears what becomes usable in the namespace it was opened in, from then on.
#[derive(Debug)]
pub struct Watch {
    socket: Socket,
}

impl Watch {
    /// Listens in the calling thread's namespace; to be opened before the change is asked for.
    pub fn open() -> Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        socket.add_membership(LINK).context("listening for interfaces")?;
        socket.add_membership(IPV6_ROUTE).context("listening for routes")?;
        Ok(Self { socket })
    }

    /// Waits until all of these have become usable since the watch was opened.
    pub fn wait(self, things: impl IntoIterator<Item = Usable>) -> Result<()> {
        let mut missing: HashSet<Usable> = things.into_iter().collect();
        let deadline = Instant::now() + LIMIT;
        while !missing.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            ensure!(self.ready(left)?, "not usable within {LIMIT:?}: {missing:?}");
            let (bytes, _) = self.socket.recv_from_full()?;
            if let Some(thing) = usable(&bytes) {
                missing.remove(&thing);
            }
        }
        Ok(())
    }

    fn ready(&self, limit: Duration) -> Result<bool> {
        // SAFETY: the descriptor stays open as long as the socket, which outlives the call.
        let fd = unsafe { BorrowedFd::borrow_raw(self.socket.as_raw_fd()) };
        let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        Ok(poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout)? > 0)
    }
}

/// What a message says to have become usable. One that cannot be read says nothing.
fn usable(bytes: &[u8]) -> Option<Usable> {
    match NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes).ok()?.payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => interface(&link),
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(route)) => address(&route),
        _ => None,
    }
}

fn interface(link: &LinkMessage) -> Option<Usable> {
    let up = LinkAttribute::OperState(State::Up);
    link.attributes.contains(&up).then_some(Usable::Interface(link.header.index))
}

fn address(route: &RouteMessage) -> Option<Usable> {
    if route.header.kind != RouteType::Local {
        return None;
    }
    route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet6(address)) => {
            Some(Usable::Address(*address))
        }
        _ => None,
    })
}
