//! UDP: one flow per peer. The first peer of a socket is found by the socket, further ones by the
//! socket's id and the peer.

use socket_common::{
    Began, Counter, FLAG_EXISTING, FLAG_HAS_PEERS, PROTO_UDP, PeerKey, Rank, Tuple,
};

use super::{Aggregator, Context, Packet, Sock, Tasks, Way, account, facts::DATAGRAM, has_room};

impl<T: Tasks> Aggregator<T> {
    /// A UDP packet that a socket sends or receives.
    pub(super) fn udp_packet(&mut self, packet: &Packet, sock: &Sock, way: Way, context: Context) {
        let key = sock.address;
        // A socket that is connected may send to others as well.
        let peer = packet.peer(way);
        let local_port = if sock.sport != 0 { sock.sport } else { packet.local_port(way) };
        let tuple = Tuple { local_port, ..packet.tuple(way, sock.netns) };
        let began = if way == Way::Out { Began::Send } else { Began::Receive };
        if !self.flows.contains_key(&key) {
            if sock.kind != DATAGRAM || !self.create(key, tuple, began, context.now) {
                return;
            }
            self.inherit(key, key, Rank::Creator);
            if let Some(flow) = self.flows.get_mut(&key)
                && flow.rank == Rank::Holder as u8
            {
                flow.flags |= FLAG_EXISTING;
            }
        }
        // Sending runs in the system call of the sender.
        if way == Way::Out && sock.has_file {
            self.claim(key, Rank::FirstIo, context);
        }
        let idle = self.idle_ns;
        let Some(first) = self.flows.get_mut(&key) else { return };
        let (packets, bytes) = (packet.packets, packet.bytes);
        let known = &first.tuple;
        // One that has been disconnected may have got another port.
        if known.remote_port == peer.port
            && known.local_port == local_port
            && known.remote == peer.address
            && known.family == peer.family
        {
            account(first, way, packets, bytes, context.now, idle);
            return;
        }
        let key = PeerKey {
            socket_id: first.socket_id,
            remote: peer.address,
            port: peer.port,
            family: peer.family,
            reserved: 0,
            local_port,
            reserved2: 0,
        };
        first.flags |= FLAG_HAS_PEERS;
        let (owner, rank, existing) = (first.owner, first.rank, first.flags & FLAG_EXISTING);
        if !self.peers.contains_key(&key) {
            if !has_room(&self.peers, &key, self.limits.peers) {
                self.count(Counter::PeerTableFull);
                return;
            }
            let mut flow = self.blank(sock.address, tuple, began, context.now);
            flow.socket_id = key.socket_id;
            flow.flags |= existing;
            self.peers.insert(key, flow);
        }
        if let Some(flow) = self.peers.get_mut(&key) {
            if flow.rank < rank {
                (flow.owner, flow.rank) = (owner, rank);
            }
            account(flow, way, packets, bytes, context.now, idle);
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
