//! TCP: one flow per connection.

use socket_common::{
    Began, Counter, Flow, PROTO_TCP, Rank, Tuple,
    kernel::tcp_state::{LISTEN, SYN_RECV, SYN_SENT},
    rules::{
        Way,
        handshake::Taken,
        owner::of_sender,
        tcp::{
            Change, WithoutFlow, is_connected, is_foreign, is_of_connection, leaves_late_packets,
            without_flow,
        },
    },
};

use super::{Aggregator, Context, Packet, Sock, Tasks, add};

impl<T: Tasks> Aggregator<T> {
    /// A TCP packet that a socket sends or receives.
    pub(super) fn tcp_packet(&mut self, packet: &Packet, sock: &Sock, way: Way, context: Context) {
        match self.flows.get_mut(&sock.address) {
            Some(flow) if flow.ended == 0 => {
                if !flow.has_ends() {
                    // The first packet of a connect: the port has been chosen by now.
                    flow.tuple = sock.tuple(PROTO_TCP, true);
                }
                if flow.has_handshake() && flow.is_handshake_over(context.now) {
                    self.finish_handshake(sock.address);
                }
                self.on_flow(packet, sock, way, context);
            }
            _ => self.without_flow(packet, sock, way, context),
        }
    }

    fn on_flow(&mut self, packet: &Packet, sock: &Sock, way: Way, context: Context) {
        let idle = self.idle_ns;
        let Some(flow) = self.flows.get_mut(&sock.address) else { return };
        let _ = flow.account(way, packet.packets, packet.bytes, context.now, idle, add);
        if is_of_connection(sock.state) {
            // Nothing else shows the state of a flow that is reported while it is open.
            flow.tcp.state = sock.state;
        }
        if way == Way::Out && !flow.has_final_owner() && sock.owned {
            self.claim_connection(sock, of_sender(packet.payload, || sock.state), context);
        }
    }

    fn without_flow(&mut self, packet: &Packet, sock: &Sock, way: Way, context: Context) {
        let now = context.now;
        let connected = is_connected(sock.state, || sock.dport);
        if is_foreign(sock.state, connected, way, || sock.kind, || sock.has_file) {
            return;
        }
        let tuple = if connected { sock.tcp_tuple() } else { packet.tuple(way, sock.netns) };
        let made = match without_flow(sock.state, connected, || sock.kind) {
            WithoutFlow::SocketLess => {
                if !self.handshake(packet, &tuple, sock.address, way, now) {
                    self.late_packet(packet, &tuple, way, now);
                }
                false
            }
            WithoutFlow::Other => false,
            WithoutFlow::Accepted => self.accepted(sock, &tuple, now),
            WithoutFlow::Midway => self.midway(sock, tuple, now),
        };
        if made {
            self.on_flow(packet, sock, way, context);
        }
    }

    /// A connection whose beginning was not seen: most likely it is older than the agent.
    fn midway(&mut self, sock: &Sock, tuple: Tuple, now: u64) -> bool {
        let holder = self.tasks.holder(&tuple);
        let began = if holder.is_some() { Began::Existing } else { Began::Midway };
        if !self.create(sock.address, tuple, began, now) {
            return false;
        }
        match (holder, self.flows.get_mut(&sock.address)) {
            (Some(owner), Some(flow)) => {
                flow.owner = owner;
                flow.rank = Rank::Holder as u8;
            }
            _ => self.count(Counter::Midway),
        }
        true
    }

    /// Makes the flow of a connection that came in through a listener.
    fn accepted(&mut self, sock: &Sock, tuple: &Tuple, now: u64) -> bool {
        let key = sock.address;
        if self.flows.contains_key(&key) {
            return true;
        }
        if !self.create(key, *tuple, Began::Accept, now) {
            return false;
        }
        let taken = match (self.pending.get_mut(tuple), self.flows.get_mut(&key)) {
            (Some(handshake), Some(flow)) => {
                Some((flow.take_handshake(key, handshake, add), handshake.listener))
            }
            _ => None,
        };
        match taken {
            Some((Taken::Now, listener)) => self.inherit(key, listener, Rank::Listener),
            Some((Taken::Before, _)) => {}
            Some((Taken::Never, _)) | None => self.count(Counter::PendingMissed),
        }
        true
    }

    /// A TCP socket goes from its state to another.
    pub(super) fn state_changed(&mut self, sock: &Sock, new: u8, context: Context) {
        if !sock.is_inet() || sock.protocol != u16::from(PROTO_TCP) {
            return;
        }
        match Change::between(sock.state, new) {
            Some(Change::Opened) => self.opened(sock, context),
            Some(Change::Established) => self.established(sock, context),
            Some(Change::Closed) => self.closed(sock, context),
            // There is a probe of its own for a socket that listens.
            Some(Change::Listening) | None => {}
        }
        if sock.state != new
            && is_of_connection(new)
            && let Some(flow) = self.flows.get_mut(&sock.address)
        {
            flow.tcp.state = new;
        }
    }

    /// A TCP socket begins to listen.
    pub(super) fn listens(&mut self, sock: &Sock, context: Context) {
        if sock.is_inet() && sock.protocol == u16::from(PROTO_TCP) {
            self.remember(sock, PROTO_TCP, Rank::Listener, context);
        }
    }

    /// connect(2) was called.
    fn opened(&mut self, sock: &Sock, context: Context) {
        self.discard_stale(sock, context.now);
        // Ports are not chosen yet: an empty tuple is filled in by the first packet.
        if self.create(sock.address, Tuple::default(), Began::Connect, context.now) {
            self.claim_connection(sock, Rank::Opener, context);
        }
    }

    fn established(&mut self, sock: &Sock, context: Context) {
        let now = context.now;
        let tuple = sock.tuple(PROTO_TCP, true);
        // One of other ends is what an earlier socket at this address left behind.
        if let Some(flow) = self.flows.get_mut(&sock.address)
            && (sock.state == SYN_SENT || flow.tuple == tuple)
        {
            flow.note_established(now);
            if sock.state == SYN_RECV {
                self.adopt(sock);
            }
            return;
        }
        if sock.state == SYN_RECV {
            self.discard_stale(sock, now);
            if self.hides(tuple.family) {
                return;
            }
            if self.accepted(sock, &tuple, now)
                && let Some(flow) = self.flows.get_mut(&sock.address)
            {
                flow.note_established(now);
                self.adopt(sock);
            }
        }
    }

    /// Hands over what an earlier socket at the same address left behind: its close was missed.
    fn discard_stale(&mut self, sock: &Sock, now: u64) {
        if let Some(flow) = self.flows.get_mut(&sock.address) {
            flow.ended = now;
            // The state it was seen in last is not the one it left.
            flow.tcp.state = 0;
            self.submit(sock.address);
        }
    }

    /// The connection, or the listener, is over.
    fn closed(&mut self, sock: &Sock, context: Context) {
        let old = sock.state;
        if old == LISTEN {
            self.owners.remove(&sock.address);
            return;
        }
        let Some(flow) = self.flows.get_mut(&sock.address) else { return };
        if !flow.has_ends() {
            // A connect that failed before its first packet.
            flow.tuple = sock.tuple(PROTO_TCP, true);
        }
        let Flow { tuple, id, .. } = *flow;
        let has_handshake = flow.has_handshake();
        if self.hides(tuple.family) {
            self.flows.remove(&sock.address);
            return;
        }
        if has_handshake {
            self.finish_handshake(sock.address);
        }
        if let Some(flow) = self.flows.get_mut(&sock.address) {
            flow.ended = context.now;
            flow.tcp.close(old, sock.error, sock.retransmits, sock.srtt);
        }
        if leaves_late_packets(old) {
            self.expect_late(tuple, id);
        }
        self.submit(sock.address);
    }
}
