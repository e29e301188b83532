//! TCP: one flow per connection.

use socket_common::{Began, Counter, FLAG_HANDSHAKE, Flow, PROTO_TCP, Rank, Tuple};

use super::{
    Aggregator, Context, Packet, Sock, Tasks, Way, account,
    facts::{RAW, STREAM, state},
    pending,
};

impl<T: Tasks> Aggregator<T> {
    /// A TCP packet that a socket sends or receives.
    pub(super) fn tcp_packet(&mut self, packet: &Packet, sock: &Sock, way: Way, context: Context) {
        match self.flows.get_mut(&sock.address) {
            Some(flow) if flow.ended == 0 => {
                if flow.tuple.local_port == 0 {
                    // The first packet of a connect: the port has been chosen by now.
                    flow.tuple = sock.tuple(PROTO_TCP, true);
                }
                if flow.flags & FLAG_HANDSHAKE != 0 && pending::is_over(flow, context.now) {
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
        account(flow, way, packet.packets, packet.bytes, context.now, idle);
        if is_full(sock.state) {
            // Nothing else tells in which state a flow is that is reported while it is open.
            flow.tcp.state = sock.state;
        }
        if way == Way::Out && flow.rank < Rank::FirstIo as u8 && sock.owned {
            if packet.payload {
                self.claim_connection(sock, Rank::FirstIo, context);
            } else if sock.state == state::SYN_SENT {
                self.claim_connection(sock, Rank::Opener, context);
            }
        }
    }

    fn without_flow(&mut self, packet: &Packet, sock: &Sock, way: Way, context: Context) {
        let now = context.now;
        let connected =
            sock.state != state::LISTEN && sock.state != state::CLOSE && sock.dport != 0;
        if !connected && sock.state != state::LISTEN && is_foreign(sock, way) {
            return;
        }
        // A listener, a closed socket or one of the kernel's own control sockets does not say whose
        // packet it is; the packet does.
        let tuple = if connected { sock.tcp_tuple() } else { packet.tuple(way, sock.netns) };
        if !connected || matches!(sock.state, state::NEW_SYN_RECV | state::TIME_WAIT) {
            if !self.handshake(packet, &tuple, sock.address, way, now) {
                self.late_packet(packet, &tuple, way, now);
            }
            return;
        }
        if sock.kind != STREAM {
            return;
        }
        let made = if sock.state == state::SYN_RECV {
            self.accepted(sock, &tuple, now)
        } else {
            self.midway(sock, tuple, now)
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
        let handshake = self.pending.get_mut(tuple);
        match (handshake, self.flows.get_mut(&key)) {
            (Some(handshake), Some(flow)) if handshake.child == 0 => {
                // From here on, packets that still reach the listener are counted in the flow.
                handshake.child = key;
                pending::take(handshake, flow);
                flow.first = handshake.first;
                let listener = handshake.listener;
                self.inherit(key, listener, Rank::Listener);
            }
            (Some(handshake), _) if handshake.child == key => {}
            _ => self.count(Counter::PendingMissed),
        }
        true
    }

    /// A TCP socket goes from its state to another.
    pub(super) fn state_changed(&mut self, sock: &Sock, new: u8, context: Context) {
        if sock.state == new || !sock.is_inet() || sock.protocol != u16::from(PROTO_TCP) {
            return;
        }
        match new {
            state::SYN_SENT => self.opened(sock, context),
            state::ESTABLISHED => self.established(sock, context),
            state::CLOSE => self.closed(sock, context),
            _ => {}
        }
        if is_full(new)
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
            && (sock.state == state::SYN_SENT || flow.tuple == tuple)
        {
            note_established(flow, now);
            if sock.state == state::SYN_RECV {
                self.adopt(sock);
            }
            return;
        }
        if sock.state == state::SYN_RECV {
            self.discard_stale(sock, now);
            if self.hides(tuple.family) {
                return;
            }
            if self.accepted(sock, &tuple, now)
                && let Some(flow) = self.flows.get_mut(&sock.address)
            {
                note_established(flow, now);
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
        if old == state::LISTEN {
            self.owners.remove(&sock.address);
            return;
        }
        let Some(flow) = self.flows.get_mut(&sock.address) else { return };
        if flow.tuple.local_port == 0 {
            // A connect that failed before its first packet.
            flow.tuple = sock.tuple(PROTO_TCP, true);
        }
        let Flow { tuple, flags, id, .. } = *flow;
        if self.hides(tuple.family) {
            self.flows.remove(&sock.address);
            return;
        }
        if flags & FLAG_HANDSHAKE != 0 {
            self.finish_handshake(sock.address);
        }
        if let Some(flow) = self.flows.get_mut(&sock.address) {
            flow.ended = context.now;
            flow.tcp.state = old;
            flow.tcp.error = sock.error;
            flow.tcp.retransmits = sock.retransmits.unwrap_or(0);
            flow.tcp.counted = sock.retransmits.is_some().into();
            flow.tcp.srtt_us = sock.srtt >> 3;
        }
        if old != state::SYN_SENT {
            self.expect_late(tuple, id);
        }
        self.submit(sock.address);
    }
}

/// Whether a socket in this state is the connection's own: not one that stands for it before or after it, nor one that
/// is not connected.
fn is_full(state: u8) -> bool {
    !matches!(state, state::NEW_SYN_RECV | state::TIME_WAIT | state::LISTEN | state::CLOSE)
}

/// Whether a packet is another's: a raw socket is shown copies of what others receive, and what it sends says that
/// it is of others. Those of the kernel, which send its resets, have no file.
fn is_foreign(sock: &Sock, way: Way) -> bool {
    sock.kind == RAW && (way == Way::In || sock.has_file)
}

fn note_established(flow: &mut Flow, now: u64) {
    if flow.tcp.connect_ns == 0 {
        flow.tcp.connect_ns = now.saturating_sub(flow.first);
    }
}
