//! What the probes report, without how they came to know it.

use socket_common::{
    FAMILY_IPV4, FAMILY_IPV6, PROTO_TCP, Rank, Tuple,
    kernel::{AF_INET6, is_inet},
    rules::{Peer, Way, ends::unmapped, tcp::is_full},
};

/// A `struct sock` when a probe was hit. Ports in host byte order, addresses as in [`Tuple`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::tracefs) struct Sock {
    pub(in crate::tracefs) address: u64,
    pub(in crate::tracefs) state: u8,
    pub(in crate::tracefs) family: u16,
    pub(in crate::tracefs) protocol: u16,
    pub(in crate::tracefs) kind: u16,
    pub(in crate::tracefs) num: u16,
    pub(in crate::tracefs) sport: u16,
    pub(in crate::tracefs) dport: u16,
    pub(in crate::tracefs) remote: [u32; 4],
    pub(in crate::tracefs) local: [u32; 4],
    pub(in crate::tracefs) remote6: [u32; 4],
    pub(in crate::tracefs) local6: [u32; 4],
    pub(in crate::tracefs) netns: u32,
    /// A process holds its lock.
    pub(in crate::tracefs) owned: bool,
    /// A file descriptor once named it.
    pub(in crate::tracefs) has_file: bool,
    pub(in crate::tracefs) error: u32,
    /// `None` if the kernel's structure is not known that far.
    pub(in crate::tracefs) retransmits: Option<u32>,
    pub(in crate::tracefs) srtt: u32,
    /// Of a subflow of MPTCP: the socket that its connection began with, 0 once that is closed.
    pub(in crate::tracefs) first_subflow: Option<u64>,
}

impl Sock {
    pub(in crate::tracefs) fn is_inet(&self) -> bool {
        is_inet(self.family)
    }

    fn ends(&self, v4: [u32; 4], v6: [u32; 4]) -> ([u32; 4], u8) {
        if self.family == AF_INET6 { unmapped(v6) } else { (v4, FAMILY_IPV4) }
    }

    pub(in crate::tracefs) fn peer(&self) -> Peer {
        let (address, family) = self.ends(self.remote, self.remote6);
        Peer { address, port: self.dport, family }
    }

    /// Addresses and ports of a connected socket; `full` for anything but request and timewait
    /// sockets. At the end of a connection `num` is already 0, so full sockets answer from `sport`.
    pub(in crate::tracefs) fn tuple(&self, protocol: u8, full: bool) -> Tuple {
        let (local, local_family) = self.ends(self.local, self.local6);
        let peer = self.peer();
        // The remote end decides. A mapped connection that begins may still have the wildcard on this
        // side: before 3.13 the kernel writes the IPv6 address after the state, the IPv4 one before.
        let local = match (peer.family, local_family) {
            (FAMILY_IPV4, FAMILY_IPV6) if local == [0; 4] => self.local,
            (FAMILY_IPV6, FAMILY_IPV4) => [0; 4],
            _ => local,
        };
        Tuple {
            local,
            remote: peer.address,
            local_port: if full { self.sport } else { self.num },
            remote_port: peer.port,
            netns: self.netns,
            family: peer.family,
            protocol,
            reserved: 0,
            reserved2: 0,
        }
    }

    /// As `tuple`, for a TCP socket in its state.
    pub(in crate::tracefs) fn tcp_tuple(&self) -> Tuple {
        self.tuple(PROTO_TCP, is_full(self.state))
    }
}

/// A buffer that carries TCP or UDP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::tracefs) struct Packet {
    pub(in crate::tracefs) family: u8,
    pub(in crate::tracefs) protocol: u8,
    /// IP packets that the buffer stands for.
    pub(in crate::tracefs) packets: u64,
    /// Their IP total lengths.
    pub(in crate::tracefs) bytes: u64,
    /// TCP flags.
    pub(in crate::tracefs) flags: u8,
    /// Carries data or a FIN: something a process asked for.
    pub(in crate::tracefs) payload: bool,
    pub(in crate::tracefs) source: [u32; 4],
    pub(in crate::tracefs) destination: [u32; 4],
    pub(in crate::tracefs) source_port: u16,
    pub(in crate::tracefs) destination_port: u16,
    /// Network namespace of the device or route; 0 if it is not known.
    pub(in crate::tracefs) netns: u32,
}

impl Packet {
    /// The remote end of a packet that goes `way`.
    pub(in crate::tracefs) fn peer(&self, way: Way) -> Peer {
        let (_, address) = way.local_and_remote(self.source, self.destination);
        let (_, port) = way.local_and_remote(self.source_port, self.destination_port);
        Peer { address, port, family: self.family }
    }

    /// Port of the local end of a packet that goes `way`.
    pub(in crate::tracefs) fn local_port(&self, way: Way) -> u16 {
        way.local_and_remote(self.source_port, self.destination_port).0
    }

    /// Addresses and ports as seen by the host that the packet leaves or enters.
    pub(in crate::tracefs) fn tuple(&self, way: Way, netns: u32) -> Tuple {
        let (local, remote) = way.local_and_remote(self.source, self.destination);
        let (local_port, remote_port) =
            way.local_and_remote(self.source_port, self.destination_port);
        Tuple {
            local,
            remote,
            local_port,
            remote_port,
            netns,
            family: self.family,
            protocol: self.protocol,
            reserved: 0,
            reserved2: 0,
        }
    }
}

/// Process, thread and time of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::tracefs) struct Context {
    /// Boottime nanoseconds.
    pub(in crate::tracefs) now: u64,
    pub(in crate::tracefs) pid: u32,
    pub(in crate::tracefs) tid: u32,
}

/// Something that happened to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tracefs) enum Fact {
    /// A packet passed between a socket and the wire.
    Packet { packet: Packet, sock: Sock, way: Way },
    /// A packet was sent without a socket.
    Reply { packet: Packet },
    /// A packet that was received is dropped where no live socket wanted it.
    Orphan { packet: Packet },
    /// A TCP socket changes from its state to another.
    State { sock: Sock, new: u8 },
    /// A TCP socket begins to listen.
    Listen { sock: Sock },
    /// A process accepted, or received data.
    Touched { sock: u64, rank: Rank },
    /// A UDP socket took a port.
    Bound { sock: Sock },
    /// The last descriptor of a UDP socket was closed.
    Closed { sock: u64 },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_connection_without_ipv6_local_address_has_the_ipv4_one() {
        let mapped = [0, 0, 0xffff_u32.to_be(), 2];
        let sock = Sock {
            family: AF_INET6,
            local: [1, 0, 0, 0],
            remote: [2, 0, 0, 0],
            remote6: mapped,
            ..Sock::default()
        };
        let tuple = sock.tuple(PROTO_TCP, true);
        assert_eq!((tuple.family, tuple.local), (FAMILY_IPV4, [1, 0, 0, 0]));
        let both = Sock { local6: [0, 0, 0xffff_u32.to_be(), 3], ..sock };
        assert_eq!(both.tuple(PROTO_TCP, true).local, [3, 0, 0, 0]);
        // An IPv6 connection's IPv4 fields hold a placeholder.
        let six = Sock { remote6: [2; 4], local6: [1; 4], ..sock };
        assert_eq!(six.tuple(PROTO_TCP, true).local, [1; 4]);
    }
}
