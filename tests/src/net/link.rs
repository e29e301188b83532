//! Interfaces: veth pairs, addresses, routes, neighbours.

use std::{
    net::IpAddr,
    os::fd::{AsFd, AsRawFd},
};

use anyhow::{Context, Result, ensure};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressHeaderFlags, AddressMessage},
    link::{
        InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, LinkXdp,
    },
    neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState},
    route::{RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteType},
};
use nix::net::if_::if_nametoindex;

use super::{Netns, netlink::request};

/// Joins two namespaces by a veth pair; each end is called `name` and is down.
pub fn veth(name: &str, one: &Netns, two: &Netns) -> Result<()> {
    let mut peer = LinkMessage::default();
    peer.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::NetNsFd(two.as_fd().as_raw_fd()),
    ];
    let mut link = LinkMessage::default();
    link.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]),
    ];
    one.run(|| {
        request(
            "creating a veth pair (kernel needs CONFIG_VETH)",
            RouteNetlinkMessage::NewLink(link),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    })
}

/// Takes an interface of the calling thread's namespace into service.
pub fn up(name: &str) -> Result<()> {
    let mut link = LinkMessage::default();
    link.header.index = index(name)?;
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    request(&format!("setting {name} up"), RouteNetlinkMessage::SetLink(link), 0)
}

/// Gives an interface of the calling thread's namespace an address, usable at once (no duplicate
/// address detection).
pub fn add_address(name: &str, address: IpAddr, prefix: u8) -> Result<()> {
    let mut message = AddressMessage::default();
    message.header.family = family(address);
    message.header.prefix_len = prefix;
    message.header.index = index(name)?;
    if address.is_ipv6() {
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
    request(
        &format!("adding {address}/{prefix} to {name}"),
        RouteNetlinkMessage::NewAddress(message),
        NLM_F_CREATE | NLM_F_EXCL,
    )
}

/// Sends what no other route of the calling thread's namespace takes through a router.
pub fn add_default_route(router: IpAddr) -> Result<()> {
    let mut message = RouteMessage::default();
    message.header.address_family = family(router);
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.kind = RouteType::Unicast;
    message.attributes = vec![RouteAttribute::Gateway(router.into())];
    request(
        &format!("adding a default route by {router}"),
        RouteNetlinkMessage::NewRoute(message),
        NLM_F_CREATE | NLM_F_EXCL,
    )
}

/// Enters a neighbour by hand, so that no ARP or neighbour discovery is needed or can fail.
pub fn add_neighbour(name: &str, address: IpAddr, mac: [u8; 6]) -> Result<()> {
    let mut message = NeighbourMessage::default();
    message.header.family = family(address);
    message.header.ifindex = index(name)?;
    message.header.state = NeighbourState::Permanent;
    let destination = match address {
        IpAddr::V4(address) => NeighbourAddress::Inet(address),
        IpAddr::V6(address) => NeighbourAddress::Inet6(address),
    };
    message.attributes = vec![
        NeighbourAttribute::Destination(destination),
        NeighbourAttribute::LinkLayerAddress(mac.to_vec()),
    ];
    request(
        &format!("adding neighbour {address} on {name}"),
        RouteNetlinkMessage::NewNeighbour(message),
        NLM_F_CREATE | NLM_F_EXCL,
    )
}

/// Attaches an XDP program in generic mode, or takes it away (`program` -1). Since Linux 4.12.
pub(super) fn set_xdp(name: &str, program: i32) -> Result<()> {
    /// `XDP_FLAGS_SKB_MODE`, linux/if_link.h.
    const SKB_MODE: u32 = 1 << 1;
    let mut link = LinkMessage::default();
    link.header.index = index(name)?;
    link.attributes =
        vec![LinkAttribute::Xdp(vec![LinkXdp::Fd(program), LinkXdp::Flags(SKB_MODE)])];
    request(&format!("setting the XDP program of {name}"), RouteNetlinkMessage::SetLink(link), 0)
}

/// The hardware address of an interface of the calling thread's namespace.
pub fn mac(name: &str) -> Result<[u8; 6]> {
    let mut request = super::ethtool::request(name)?;
    super::ethtool::ioctl(libc::SIOCGIFHWADDR as libc::c_ulong, &mut request)
        .with_context(|| format!("reading the hardware address of {name}"))?;
    // SAFETY: SIOCGIFHWADDR succeeded, so the kernel filled this member of the union.
    let address = unsafe { request.ifr_ifru.ifru_hwaddr };
    let mut mac = [0_u8; 6];
    ensure!(address.sa_data.len() >= mac.len(), "short hardware address");
    for (to, from) in mac.iter_mut().zip(address.sa_data) {
        let [byte] = from.to_ne_bytes();
        *to = byte;
    }
    Ok(mac)
}

/// The largest IP packet that an interface of the calling thread's namespace takes, bytes; 65,535 for loopback's
/// 65,536 and more.
pub fn mtu(name: &str) -> Result<u16> {
    let mut request = super::ethtool::request(name)?;
    super::ethtool::ioctl(libc::SIOCGIFMTU as libc::c_ulong, &mut request)
        .with_context(|| format!("reading the MTU of {name}"))?;
    // SAFETY: SIOCGIFMTU succeeded, so the kernel filled this member of the union.
    let mtu = unsafe { request.ifr_ifru.ifru_mtu };
    Ok(u16::try_from(mtu).unwrap_or(u16::MAX))
}

/// The index of an interface of the calling thread's namespace.
pub fn index(name: &str) -> Result<u32> {
    if_nametoindex(name).with_context(|| format!("no interface {name} in this namespace"))
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet }
}
