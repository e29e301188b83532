//! UDP: one flow per peer. The first peer of a socket is found by the socket, further ones by the socket's id and
//! the peer.

use super::{Peer, Way};
use crate::{Began, FLAG_EXISTING, FLAG_HAS_PEERS, Flow, PeerKey, Rank};

/// How a flow begins with a packet that goes `way`.
#[inline(always)]
#[must_use]
pub fn began(way: Way) -> Began {
    match way {
        Way::Out => Began::Send,
        Way::In => Began::Receive,
    }
}

/// Local port of a flow: the socket's `own`, which is 0 if it has none, rather than that of a packet which was
/// sent, as that may have been translated by now.
#[inline(always)]
#[must_use]
pub fn local_port(own: u16, of_packet: impl FnOnce() -> u16) -> u16 {
    if own != 0 { own } else { of_packet() }
}

impl PeerKey {
    /// Key of the flow between a socket's port and a peer.
    #[inline(always)]
    #[must_use]
    pub fn new(socket_id: u64, peer: &Peer, local_port: u16) -> Self {
        Self {
            socket_id,
            remote: peer.address,
            port: peer.port,
            family: peer.family,
            reserved: 0,
            local_port,
            reserved2: 0,
        }
    }
}

impl Flow {
    /// Whether the flow is the one with a peer. A socket that has been disconnected may have got another port.
    #[inline(always)]
    #[must_use]
    pub fn is_with(&self, peer: &Peer, local_port: u16) -> bool {
        self.tuple.remote_port == peer.port
            && self.tuple.local_port == local_port
            && self.tuple.remote == peer.address
            && self.tuple.family == peer.family
    }

    /// Notes of a socket's first flow, whose owner has just been looked up, whether the socket is older than the
    /// agent.
    #[inline(always)]
    pub fn note_existing(&mut self) {
        if self.rank == Rank::Holder as u8 {
            self.flags |= FLAG_EXISTING;
        }
    }

    /// Makes this, which has just begun, a further flow of the socket that `first` is of.
    #[inline(always)]
    pub fn begin_peer(&mut self, first: &mut Self) {
        first.flags |= FLAG_HAS_PEERS;
        self.socket_id = first.socket_id;
        self.flags |= first.flags & FLAG_EXISTING;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FAMILY_IPV4, FAMILY_IPV6, Tuple};

    const PEER: Peer = Peer { address: [2, 0, 0, 0], port: 53, family: FAMILY_IPV4 };

    fn flow() -> Flow {
        let tuple = Tuple {
            remote: PEER.address,
            remote_port: PEER.port,
            local_port: 4000,
            family: PEER.family,
            ..Tuple::default()
        };
        Flow { tuple, ..Flow::default() }
    }

    #[test]
    fn a_flow_is_known_by_all_of_its_peer_and_its_port() {
        assert!(flow().is_with(&PEER, 4000));
        let others = [
            (Peer { address: [3, 0, 0, 0], ..PEER }, 4000),
            (Peer { port: 54, ..PEER }, 4000),
            (Peer { family: FAMILY_IPV6, ..PEER }, 4000),
            (PEER, 4001),
        ];
        for (peer, port) in others {
            assert!(!flow().is_with(&peer, port), "{peer:?} {port}");
        }
    }

    #[test]
    fn a_further_flow_is_found_by_the_key_it_was_made_under() {
        let mut first = Flow { rank: Rank::Holder as u8, ..flow() };
        first.begin(7, 0x100, began(Way::Out), 1);
        first.note_existing();
        let mut further = flow();
        further.begin(8, 0x100, began(Way::In), 2);
        further.begin_peer(&mut first);
        assert_eq!((first.flags, further.flags), (FLAG_EXISTING | FLAG_HAS_PEERS, FLAG_EXISTING));
        assert_eq!(PeerKey::of(&further), PeerKey::new(7, &PEER, 4000));
        assert_eq!((first.began, further.began), (Began::Send as u8, Began::Receive as u8));
    }

    #[test]
    fn a_port_is_the_sockets_own_if_it_has_one() {
        assert_eq!(local_port(4000, || 5000), 4000);
        assert_eq!(local_port(0, || 5000), 5000);
    }
}
