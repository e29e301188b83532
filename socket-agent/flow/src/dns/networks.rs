//! Whether an address is the same host in two network namespaces: private networks of containers may
//! overlap.

use std::{fmt, net::IpAddr};

/// What connects hosts without a router: the bridge that virtual Ethernet devices are in, the device below
/// virtual ones, or the two ends of a pair. Known by the index and hardware address of its device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetworkSegment {
    /// Interface index.
    pub index: u32,
    /// Hardware address, empty for devices without one.
    pub address: Vec<u8>,
}

/// How a network namespace reaches an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It is one of its own, of an interface on this segment.
    Own(NetworkSegment),
    /// Without a router, over this segment.
    Link(NetworkSegment),
    /// The address is reached through a router.
    Router {
        /// The router's address.
        router: IpAddr,
        /// Network segment of the address.
        segment: NetworkSegment,
    },
}

/// A network namespace, and a process to enter it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamespaceRef {
    /// Inode number.
    pub netns: u32,
    /// A process that is or was there; 0 if none is known.
    pub pid: u32,
}

/// The networks of this host.
pub trait Networks: fmt::Debug {
    /// How a network namespace reaches an address; `None` where it does not, or nobody knows.
    fn reach(&mut self, origin: NamespaceRef, address: IpAddr) -> Option<Reach>;

    /// Questions that nobody could answer so far.
    fn unknown(&self) -> u64;
}

/// Networks of which nothing is known.
#[cfg(test)]
#[derive(Debug)]
pub(super) struct NoNetworks;

#[cfg(test)]
impl Networks for NoNetworks {
    fn reach(&mut self, _: NamespaceRef, _: IpAddr) -> Option<Reach> {
        None
    }

    fn unknown(&self) -> u64 {
        0
    }
}

/// Whether both places mean the same host by an address. Only private ones are given to several.
pub(super) fn is_same_host(
    networks: &mut dyn Networks,
    address: IpAddr,
    origins: [NamespaceRef; 2],
) -> bool {
    let [one, two] = origins;
    if one.netns == two.netns || !is_private(address) {
        return true;
    }
    let Some(from_one) = networks.reach(one, address) else { return false };
    let Some(from_two) = networks.reach(two, address) else { return false };
    match (from_one, from_two) {
        // Both leave it to others, which lead there the same way.
        (Reach::Router { .. }, Reach::Router { .. }) => true,
        (Reach::Router { router, segment }, _) => is_router(networks, two, router, &segment),
        (_, Reach::Router { router, segment }) => is_router(networks, one, router, &segment),
        (Reach::Own(one) | Reach::Link(one), Reach::Own(two) | Reach::Link(two)) => one == two,
    }
}

/// Whether this place is the router of that address and segment.
fn is_router(
    networks: &mut dyn Networks,
    origin: NamespaceRef,
    router: IpAddr,
    on: &NetworkSegment,
) -> bool {
    matches!(networks.reach(origin, router), Some(Reach::Own(segment)) if segment == *on)
}

/// Whether an address may be given to several hosts: RFC 1918, RFC 6598, RFC 4193.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            address.is_private() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[derive(Debug, Default)]
    struct Known(HashMap<(u32, IpAddr), Reach>);

    impl Networks for Known {
        fn reach(&mut self, origin: NamespaceRef, address: IpAddr) -> Option<Reach> {
            self.0.get(&(origin.netns, address)).cloned()
        }

        fn unknown(&self) -> u64 {
            0
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn segment(index: u32) -> NetworkSegment {
        NetworkSegment { index, address: vec![2, 0, 0, 0, 0, index as u8] }
    }

    fn same(known: &[(u32, &str, Reach)], address: &str, origins: [u32; 2]) -> bool {
        let known = known.iter().map(|(netns, to, reach)| ((*netns, ip(to)), reach.clone()));
        let mut known = Known(known.collect());
        let [one, two] = origins.map(|netns| NamespaceRef { netns, pid: 0 });
        let answer = is_same_host(&mut known, ip(address), [one, two]);
        assert_eq!(is_same_host(&mut known, ip(address), [two, one]), answer, "{address}");
        answer
    }

    #[test]
    fn public_addresses_are_of_one_host() {
        for address in ["192.0.2.1", "8.8.8.8", "2001:db8::1", "172.32.0.1", "100.128.0.1"] {
            assert!(same(&[], address, [1, 2]), "{address}");
        }
        for address in ["10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "fd00::1"] {
            assert!(!same(&[], address, [1, 2]), "{address}: nobody can tell");
            assert!(same(&[], address, [1, 1]), "{address}");
        }
    }

    #[test]
    fn neighbours_are_on_one_segment() {
        let (own, link) = (Reach::Own(segment(7)), Reach::Link(segment(7)));
        let other = Reach::Link(segment(8));
        let to = "10.0.0.1";
        assert!(same(&[(1, to, own.clone()), (2, to, link.clone())], to, [1, 2]));
        assert!(same(&[(1, to, link.clone()), (2, to, link.clone())], to, [1, 2]));
        assert!(!same(&[(1, to, own), (2, to, other.clone())], to, [1, 2]));
        assert!(!same(&[(1, to, link.clone()), (2, to, other)], to, [1, 2]));
        assert!(!same(&[(1, to, link)], to, [1, 2]), "the other does not reach it");
    }

    #[test]
    fn behind_a_router() {
        let (to, router) = ("10.0.0.1", "172.17.0.1");
        let through = |on| Reach::Router { router: ip(router), segment: segment(on) };
        let link = Reach::Link(segment(3));
        let own_router = Reach::Own(segment(7));
        // A container and the host that is its router.
        let known = [(1, to, through(7)), (2, to, link.clone()), (2, router, own_router.clone())];
        assert!(same(&known, to, [1, 2]));
        // A host with a router of that address on another of its networks, and one with none.
        let known = [(1, to, through(8)), (2, to, link.clone()), (2, router, own_router)];
        assert!(!same(&known, to, [1, 2]));
        assert!(!same(&[(1, to, through(7)), (2, to, link)], to, [1, 2]));
        // Two containers that both leave it to their routers.
        assert!(same(&[(1, to, through(7)), (2, to, through(9))], to, [1, 2]));
    }
}
