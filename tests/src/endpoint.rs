//! Where a scenario happens: a loopback interface or one end of a wire.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use anyhow::{Context, Result};

use crate::{
    agent::kernel_version,
    capture::Capture,
    net::{
        Netns, ethtool, link,
        watch::{Usable, Watch},
        xdp::Blackhole,
    },
    skip::skip,
};

/// Address family of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// IPv4 through an IPv6 socket.
    Mapped,
}

/// A network namespace with a capture at its one interface, and addresses that no other scenario
/// uses: a document tells by its addresses which scenario it is of.
#[derive(Debug)]
pub struct Endpoint {
    /// The namespace.
    pub netns: Netns,
    /// The capture.
    pub capture: Capture,
    interface: &'static str,
    v4: Ipv4Addr,
    v6: Ipv6Addr,
}

const WIRE: &str = "wire";

impl Endpoint {
    /// The loopback interface of the namespace this process runs in.
    pub fn host(number: u16) -> Result<Self> {
        let netns = Netns::current()?;
        netns.run(|| link::up("lo"))?;
        let [high, low] = number.to_be_bytes();
        let v4 = Ipv4Addr::new(127, 76, high, low);
        let capture = Capture::start(&netns, "lo")?;
        Ok(Self { netns, capture, interface: "lo", v4, v6: Ipv6Addr::LOCALHOST })
    }

    /// The loopback interface of a new namespace.
    pub fn loopback(number: u16) -> Result<Self> {
        let netns = Netns::create()?;
        let [high, low] = number.to_be_bytes();
        let v4 = Ipv4Addr::new(127, 77, high, low);
        let v6 = Ipv6Addr::new(0xfd00, 0x77, 0, 0, 0, 0, 0, number + 1);
        netns.run(|| {
            let watch = Watch::open()?;
            link::up("lo")?;
            if has_ipv6() {
                link::add_address("lo", v6.into(), 128)?;
                watch.wait([Usable::Address(v6)])?;
            }
            Ok(())
        })?;
        let capture = Capture::start(&netns, "lo")?;
        Ok(Self { netns, capture, interface: "lo", v4, v6 })
    }

    /// Two new namespaces, joined by a veth pair. Without offloads every buffer that passes it is one
    /// packet as it would be on a wire.
    pub fn wire(number: u16, offloads: bool) -> Result<(Self, Self)> {
        let (one, two) = (Netns::create()?, Netns::create()?);
        link::veth(WIRE, &one, &two)?;
        let [high, low] = number.to_be_bytes();
        let v4 = |last| Ipv4Addr::new(10, 200 + high, low, last);
        let v6 = |last| Ipv6Addr::new(0xfd00, 0x200, 0, number, 0, 0, 0, last);
        let settle = |netns: &Netns, local: u8, remote: u8, neighbour: [u8; 6]| {
            let (local4, remote4) = (v4(local), v4(remote));
            let (local6, remote6) = (v6(local.into()), v6(remote.into()));
            netns.run(|| {
                let watch = Watch::open()?;
                ethtool::set_offloads(WIRE, offloads)?;
                link::up(WIRE)?;
                link::add_address(WIRE, local4.into(), 24)?;
                link::add_neighbour(WIRE, remote4.into(), neighbour)?;
                if has_ipv6() {
                    link::add_address(WIRE, local6.into(), 64)?;
                    link::add_neighbour(WIRE, remote6.into(), neighbour)?;
                }
                Ok((watch, link::index(WIRE)?))
            })
        };
        let macs = (one.run(|| link::mac(WIRE))?, two.run(|| link::mac(WIRE))?);
        let (watch_one, index_one) = settle(&one, 1, 2, macs.1)?;
        let (watch_two, index_two) = settle(&two, 2, 1, macs.0)?;
        // Neither end works before both are up.
        let open = |netns: Netns, watch: Watch, index, local: u8| -> Result<Self> {
            let (v4, v6) = (v4(local), v6(local.into()));
            let mut things = vec![Usable::Interface(index)];
            things.extend(has_ipv6().then_some(Usable::Address(v6)));
            watch.wait(things)?;
            let capture = Capture::start(&netns, WIRE)?;
            Ok(Self { netns, capture, interface: WIRE, v4, v6 })
        };
        Ok((open(one, watch_one, index_one, 1)?, open(two, watch_two, index_two, 2)?))
    }

    /// Gives this end of a wire a further IPv4 address, which the other end, `there`, finds.
    pub fn further_address(&self, there: &Self) -> Result<Ipv4Addr> {
        let [first, second, third, _] = self.v4.octets();
        let address = Ipv4Addr::new(first, second, third, 3);
        let mac = self.netns.run(|| {
            link::add_address(self.interface, address.into(), 24)?;
            link::mac(self.interface)
        })?;
        there.netns.run(|| link::add_neighbour(there.interface, address.into(), mac))?;
        Ok(address)
    }

    /// Any port of this endpoint, to bind to.
    ///
    /// # Errors
    /// A skip if the kernel has no IPv6.
    pub fn any_port(&self, family: Family) -> Result<SocketAddr> {
        let address: IpAddr = match family {
            Family::V4 => self.v4.into(),
            Family::V6 => self.v6.into(),
            Family::Mapped => self.v4.to_ipv6_mapped().into(),
        };
        if address.is_ipv6() && !has_ipv6() {
            return Err(skip("this kernel has no IPv6"));
        }
        Ok(SocketAddr::new(address, 0))
    }

    /// A port of this endpoint that nothing listens on, but that would answer.
    pub fn closed_port(&self, family: Family) -> Result<SocketAddr> {
        let mut address = self.any_port(family)?;
        // Below the ephemeral range, so that no socket gets it by chance.
        address.set_port(4);
        Ok(address)
    }

    /// Makes this endpoint lose everything that is sent to it, until the guard is dropped.
    ///
    /// # Errors
    /// A skip on kernels whose generic XDP leaves cloned buffers alone, as TCP sends them: 4.14 and 4.19 do.
    pub fn lose(&self) -> Result<Blackhole<'_>> {
        if kernel_version() < (5, 8) {
            return Err(skip(
                "nothing can be lost on purpose: XDP of old kernels passes what TCP sends",
            ));
        }
        Blackhole::on(&self.netns, self.interface)
            .with_context(|| format!("losing what {} receives", self.interface))
    }
}

/// How a socket of `family` names an address that is known as it is on the wire.
pub fn through(family: Family, address: SocketAddr) -> SocketAddr {
    match (family, address.ip()) {
        (Family::Mapped, IpAddr::V4(ip)) => {
            SocketAddr::new(ip.to_ipv6_mapped().into(), address.port())
        }
        _ => address,
    }
}

fn has_ipv6() -> bool {
    fs::exists("/proc/self/net/if_inet6").unwrap_or(false)
}
