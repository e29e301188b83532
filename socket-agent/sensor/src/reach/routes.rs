//! Routes and devices of the network namespace that a thread is in.
//!
//! Source: rtnetlink(7); devices of other namespaces: Linux 4.16.

use std::{io, net::IpAddr};

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage},
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteType, RouteVia},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use flow::dns::{NetworkSegment, Reach};

/// `NLM_F_MULTI`: more messages follow, up to one that says so.
const MULTI: u16 = 2;

/// How this thread's namespace reaches an address; `None` if it does not.
///
/// # Errors
///
/// The kernel's refusal.
pub(super) fn reach(address: IpAddr) -> io::Result<Option<Reach>> {
    let socket = Socket::new(NETLINK_ROUTE)?;
    Routes(socket).reach(address)
}

struct Routes(Socket);

/// A device.
#[derive(Debug, Default)]
struct Device {
    segment: Option<NetworkSegment>,
    kind: Option<InfoKind>,
    /// The device that it is a port of.
    master: Option<u32>,
    /// The other end of a pair, or the device below; in which namespace, if in another.
    other: Option<u32>,
    netns: Option<i32>,
}

// === impl Routes ===

impl Routes {
    fn reach(&mut self, address: IpAddr) -> io::Result<Option<Reach>> {
        let mut request = RouteMessage::default();
        request.header.address_family = family(address);
        request.header.destination_prefix_length = if address.is_ipv4() { 32 } else { 128 };
        request.attributes = vec![RouteAttribute::Destination(address.into())];
        let routes = match self.ask(RouteNetlinkMessage::GetRoute(request), 0) {
            Err(error) if is_unreachable(&error) => return Ok(None),
            routes => routes?,
        };
        let Some(RouteNetlinkMessage::NewRoute(route)) = routes.into_iter().next() else {
            return Ok(None);
        };
        if route.header.kind == RouteType::Local {
            let Some(index) = self.owner(address)? else { return Ok(None) };
            return Ok(Some(Reach::Own(self.segment(index)?)));
        }
        let (mut device, mut router) = (None, None);
        for attribute in route.attributes {
            match attribute {
                RouteAttribute::Oif(index) => device = Some(index),
                RouteAttribute::Gateway(RouteAddress::Inet(address))
                | RouteAttribute::Via(RouteVia::Inet(address)) => router = Some(address.into()),
                RouteAttribute::Gateway(RouteAddress::Inet6(address))
                | RouteAttribute::Via(RouteVia::Inet6(address)) => router = Some(address.into()),
                _ => {}
            }
        }
        let (RouteType::Unicast, Some(device)) = (route.header.kind, device) else {
            return Ok(None);
        };
        let segment = self.segment(device)?;
        Ok(Some(match router {
            Some(router) => Reach::Router { router, segment },
            None => Reach::Link(segment),
        }))
    }

    /// The device that an address of this namespace was given to.
    fn owner(&mut self, wanted: IpAddr) -> io::Result<Option<u32>> {
        let mut request = AddressMessage::default();
        request.header.family = family(wanted);
        let found = self.ask(RouteNetlinkMessage::GetAddress(request), NLM_F_DUMP)?;
        Ok(found.into_iter().find_map(|message| {
            let RouteNetlinkMessage::NewAddress(message) = message else { return None };
            // Of the ends of a tunnel both are told, and of a single address of IPv6 only this.
            let local = message.attributes.iter().find_map(|attribute| match attribute {
                AddressAttribute::Local(address) => Some(*address),
                _ => None,
            });
            let any = message.attributes.iter().find_map(|attribute| match attribute {
                AddressAttribute::Address(address) => Some(*address),
                _ => None,
            });
            (local.or(any) == Some(wanted)).then_some(message.header.index)
        }))
    }

    /// Network segment that a device is connected to.
    fn segment(&mut self, index: u32) -> io::Result<NetworkSegment> {
        let own = self.device(index, None)?;
        if let Some(bridge) = self.bridge(&own, None)? {
            return Ok(bridge);
        }
        let own_segment = own.segment.clone().ok_or(io::ErrorKind::InvalidData)?;
        let is_pair = matches!(own.kind, Some(InfoKind::Veth | InfoKind::Netkit));
        let is_above = matches!(
            own.kind,
            Some(InfoKind::MacVlan | InfoKind::MacVtap | InfoKind::IpVlan | InfoKind::IpVtap)
        );
        let (true, Some(other)) = (is_pair || is_above, own.other) else {
            return Ok(own_segment);
        };
        let other = self.device(other, own.netns)?;
        if let Some(bridge) = self.bridge(&other, own.netns)? {
            return Ok(bridge);
        }
        let other_segment = other.segment.ok_or(io::ErrorKind::InvalidData)?;
        Ok(if is_pair { own_segment.min(other_segment) } else { other_segment })
    }

    /// The bridge, or bond, that a device is a port of.
    fn bridge(&mut self, port: &Device, netns: Option<i32>) -> io::Result<Option<NetworkSegment>> {
        let Some(master) = port.master else { return Ok(None) };
        let master = self.device(master, netns)?;
        // Routing domains keep devices apart that are on different segments.
        Ok(if master.kind == Some(InfoKind::Vrf) { None } else { master.segment })
    }

    /// A device, of this namespace or of the one that it calls `netns`.
    fn device(&mut self, index: u32, netns: Option<i32>) -> io::Result<Device> {
        let mut request = LinkMessage::default();
        request.header.index = index;
        request.attributes.extend(netns.map(LinkAttribute::IfNetnsId));
        let found = self.ask(RouteNetlinkMessage::GetLink(request), 0)?;
        let Some(RouteNetlinkMessage::NewLink(link)) = found.into_iter().next() else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let mut device = Device::default();
        let mut address = Vec::new();
        for attribute in link.attributes {
            match attribute {
                LinkAttribute::Address(bytes) => address = bytes,
                LinkAttribute::Controller(index) => device.master = Some(index),
                LinkAttribute::Link(index) => device.other = Some(index),
                LinkAttribute::LinkNetNsId(netns) => device.netns = Some(netns),
                LinkAttribute::LinkInfo(infos) => {
                    device.kind = infos.into_iter().find_map(|info| match info {
                        LinkInfo::Kind(kind) => Some(kind),
                        _ => None,
                    });
                }
                _ => {}
            }
        }
        device.segment = Some(NetworkSegment { index: link.header.index, address });
        Ok(device)
    }

    fn ask(
        &mut self,
        request: RouteNetlinkMessage,
        flags: u16,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(request));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.0.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
        let mut found = Vec::new();
        loop {
            let (replies, _) = self.0.recv_from_full()?;
            let mut rest = replies.as_slice();
            while !rest.is_empty() {
                let reply =
                    NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).map_err(|error| {
                        io::Error::new(io::ErrorKind::InvalidData, error.to_string())
                    })?;
                // Messages are aligned to four bytes.
                let length = (reply.header.length as usize).next_multiple_of(4).max(16);
                let more = reply.header.flags & MULTI != 0;
                match reply.payload {
                    NetlinkPayload::InnerMessage(message) => found.push(message),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    _ => return Ok(found),
                }
                if !more {
                    return Ok(found);
                }
                rest = rest.get(length..).unwrap_or_default();
            }
        }
    }
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// There is no route, or one that says so.
fn is_unreachable(error: &io::Error) -> bool {
    let known = [libc::ENETUNREACH, libc::EHOSTUNREACH, libc::EACCES, libc::EINVAL];
    error.raw_os_error().is_some_and(|code| known.contains(&code))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn loopback_is_an_own_address() {
        let Ok(reach) = reach(Ipv4Addr::LOCALHOST.into()) else {
            println!("skipped: no routes can be asked for");
            return;
        };
        // Index 1 is the loopback interface of every namespace; a new one has it down.
        let is_own = matches!(&reach, Some(Reach::Own(segment)) if segment.index == 1);
        assert!(is_own || reach.is_none(), "{reach:?}");
        assert!(!matches!(
            super::reach(Ipv6Addr::LOCALHOST.into()),
            Ok(Some(Reach::Router { .. }))
        ));
    }
}
