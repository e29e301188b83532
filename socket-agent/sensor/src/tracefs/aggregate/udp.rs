//! UDP: one flow per peer. The first peer of a socket is found by the socket, further ones by the
//! socket's id and the peer.

use socket_common::{
    Counter, PROTO_UDP, PeerKey, Rank, Tuple,
    kernel::socket_type::DATAGRAM,
    rules::{
        Way,
        udp::{began, local_port},
    },
};

use super::{Aggregator, Context, Packet, Sock, Tasks, add, has_capacity};

impl<T: Tasks> Aggregator<T> {
    /// A UDP packet that a socket sends or receives.
    pub(super) fn udp_packet(&mut self, packet: &Packet, sock: &Sock, way: Way, context: Context) {
        let key = sock.address;
        // A socket that is connected may send to others as well.
        let peer = packet.peer(way);
        let local_port = local_port(sock.sport, || packet.local_port(way));
        let tuple = Tuple { local_port, ..packet.tuple(way, sock.netns) };
        let began = began(way);
        if !self.flows.contains_key(&key) {
            if sock.kind != DATAGRAM || !self.create(key, tuple, began, context.now) {
                return;
            }
            self.inherit(key, key, Rank::Creator);
            if let Some(flow) = self.flows.get_mut(&key) {
                flow.note_existing();
            }
        }
        // Sending runs in the system call of the sender.
        if way == Way::Out && sock.has_file {
            self.claim(key, Rank::FirstIo, context);
        }
        let idle = self.idle_ns;
        let Some(first) = self.flows.get_mut(&key) else { return };
        let (packets, bytes) = (packet.packets, packet.bytes);
        if first.is_with(&peer, local_port) {
            let _ = first.account(way, packets, bytes, context.now, idle, add);
            return;
        }
        let key = PeerKey::new(first.socket_id, &peer, local_port);
        let (owner, rank) = (first.owner, first.rank);
        if !self.peers.contains_key(&key) {
            if !has_capacity(&self.peers, &key, self.limits.peers) {
                self.count(Counter::PeerTableFull);
                return;
            }
            let mut flow = self.blank(sock.address, tuple, began, context.now);
            if let Some(first) = self.flows.get_mut(&sock.address) {
                flow.begin_peer(first);
            }
            self.peers.insert(key, flow);
        }
        if let Some(flow) = self.peers.get_mut(&key) {
            flow.give_owner(rank, |place| *place = owner);
            let _ = flow.account(way, packets, bytes, context.now, idle, add);
        }
    }

    /// The current process bound the socket to a port.
    pub(super) fn bound(&mut self, sock: &Sock, context: Context) {
        self.remember(sock, PROTO_UDP, Rank::Creator, context);
    }

    /// The last descriptor of the socket was closed.
    pub(super) fn udp_closed(&mut self, sock: u64, context: Context) {
        self.owners.remove(&sock);
        if let Some(flow) = self.flows.get_mut(&sock)
            && flow.tuple.protocol == PROTO_UDP
        {
            flow.ended = context.now;
            self.submit(sock);
        }
    }
}
