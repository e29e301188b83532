//! TCP: one flow per connection.

#[cfg(feature = "perf")]
use core::mem::MaybeUninit;

use socket_common::{
    Began, Counter, FAMILY_IPV6, Flow, PROTO_TCP, REPORT_CONNECTIONS, Rank, Tuple,
    kernel::tcp_state::{ESTABLISHED, LISTEN, SYN_RECV, SYN_SENT},
    rules::{
        Way,
        handshake::Taken,
        owner::of_sender,
        tcp::{Change, WithoutFlow, is_connected, is_foreign, leaves_late_packets, without_flow},
    },
};

use super::{
    entry::{account, add, create},
    ipv6_enabled, late,
    owner::{self, Seen},
    pending, submit,
};
#[cfg(feature = "perf")]
use crate::kernel::zeroed;
#[cfg(not(feature = "perf"))]
use crate::maps::BLANK;
use crate::{
    kernel::{copy, core_offsets as at, field, now, packet::Packet, sock::Sock, task::Task},
    maps::{FLOWS, PENDING, SYN_ACK_SEEN, count, count_many},
};

/// A TCP packet that `sock` sends or receives; returns its flow, if it was counted there.
#[inline(always)]
pub fn packet(packet: &Packet, sock: Sock, way: Way) -> Option<&'static Flow> {
    let now = now();
    let key = &sock.key();
    // SAFETY: entries stay readable for the run of a program.
    let known = FLOWS.get_ptr_mut(key).map(|flow| unsafe { &mut *flow });
    // One way out, as all of this is one program, which has to stay small.
    let flow = match known {
        Some(flow) if flow.ended == 0 && flow.has_ends() => flow,
        known => without_tuple(known, packet, sock, key, way, now)?,
    };
    if flow.has_handshake() {
        if way == Way::In && pending::seen_at_listener(packet, now) {
            return None;
        }
        // On kernels before 5.8 the stack has no place for it: there the agent removes the handshake, or its end
        // does.
        #[cfg(not(feature = "perf"))]
        if flow.is_handshake_over(now) {
            pending::finish(flow);
        }
    }
    if !account(flow, way, packet.packets, packet.bytes, now) {
        count(Counter::LateUnmatched);
        return None;
    }
    if way == Way::Out && !flow.has_final_owner() && sock.locked_by_process() {
        let rank = of_sender(packet.is_payload(), || sock.state());
        owner::claim_connection(flow, sock, rank);
    }
    Some(flow)
}

/// The flow of a packet whose socket has none, or one that has ended, or has just begun to connect.
#[inline(always)]
fn without_tuple(
    known: Option<&'static mut Flow>,
    packet: &Packet,
    sock: Sock,
    key: &u64,
    way: Way,
    now: u64,
) -> Option<&'static mut Flow> {
    let state = sock.state();
    let connected = is_connected(state, || sock.remote_port());
    if is_foreign(state, connected, way, || sock.kind(), || sock.has_file()) {
        return None;
    }
    if state == LISTEN && way == Way::Out && packet.family == FAMILY_IPV6 {
        if let Some(seen) = SYN_ACK_SEEN.get_ptr_mut(0) {
            // SAFETY: a valid element; every writer writes the same.
            unsafe { *seen = 1 }
        }
    }
    #[cfg(not(feature = "perf"))]
    let tuple =
        &mut if connected { sock.tcp_tuple(state) } else { packet.tuple(way, sock.netns()) };
    #[cfg(feature = "perf")]
    let mut place = MaybeUninit::uninit();
    #[cfg(feature = "perf")]
    let tuple = {
        let tuple = zeroed(&mut place);
        if connected {
            sock.write_tcp_tuple(tuple, state);
        } else {
            packet.write_tuple(tuple, way, sock.netns());
        }
        tuple
    };
    if let Some(flow) = known
        && flow.ended == 0
    {
        // The first packet of a connect: the port has been chosen by now.
        copy(&raw mut flow.tuple, tuple);
        return Some(flow);
    }
    match without_flow(state, connected, || sock.kind()) {
        WithoutFlow::SocketLess => {
            if !pending::packet(packet, tuple, sock, way, now) {
                late::at_listener(packet, tuple, way, now);
            }
            None
        }
        WithoutFlow::Other => None,
        WithoutFlow::Accepted => accepted(sock, tuple, now, Counter::FlowTableFull),
        WithoutFlow::Midway => {
            if late::is_expected(tuple) {
                // Another CPU is closing it: the state changes after the flow has ended.
                late::packet(packet, tuple, way, now);
                return None;
            }
            let full = Counter::FlowTableFull;
            let flow = create(&FLOWS, key, *key, tuple, Began::Midway, now, full);
            if flow.is_some() {
                count(Counter::Midway);
            }
            flow
        }
    }
}

/// Makes the flow of a connection that came in through a listener. A full table is counted in `full`,
/// and the packets of the handshake where they are known.
#[inline(always)]
fn accepted(sock: Sock, tuple: &Tuple, now: u64, full: Counter) -> Option<&'static mut Flow> {
    let key = sock.key();
    if let Some(flow) = FLOWS.get_ptr_mut(&key) {
        // Another CPU was first, and takes what the handshake counted.
        // SAFETY: entries stay readable for the run of a program.
        return Some(unsafe { &mut *flow });
    }
    let flow = create(&FLOWS, &key, key, tuple, Began::Accept, now, full);
    let Some(handshake) = PENDING.get_ptr_mut(tuple) else {
        if flow.is_some() {
            count(Counter::PendingMissed);
        }
        return flow;
    };
    // SAFETY: as above.
    let handshake = unsafe { &mut *handshake };
    let Some(flow) = flow else {
        if handshake.child == 0 {
            // These are counted here. Should there be room for a flow a moment later, it does not take them.
            handshake.child = key;
            count_many(Counter::FlowTableFull, handshake.traffic.packets());
            copy(&raw mut handshake.taken, &raw const handshake.traffic);
        }
        return None;
    };
    match flow.take_handshake(key, handshake, add) {
        Taken::Now => owner::inherit(flow, handshake.listener, Rank::Listener),
        Taken::Before => {}
        Taken::Never => count(Counter::PendingMissed),
    }
    Some(flow)
}

/// A TCP socket goes from one state to another.
#[inline(always)]
pub fn state_changed(sock: Sock, old: u8, new: u8) {
    // Half of all changes say nothing new.
    let Some(change) = Change::between(old, new) else { return };
    if !sock.is_inet() || sock.protocol() != PROTO_TCP as u16 {
        return;
    }
    match change {
        Change::Opened => opened(sock),
        Change::Established => established(sock, old),
        Change::Listening => {
            owner::remember(sock, Task::current(), PROTO_TCP, Rank::Listener, Seen::Coming);
        }
        Change::Closed => closed(sock, old),
    }
}

/// connect(2) was called.
#[inline(always)]
fn opened(sock: Sock) {
    let key = &sock.key();
    let now = now();
    if let Some(flow) = FLOWS.get_ptr_mut(key) {
        // SAFETY: entries stay readable for the run of a program.
        let flow = unsafe { &*flow };
        // The same change, seen by the other copy of the hook a moment ago.
        if !flow.has_ends() && now.wrapping_sub(flow.first) < owner::A_MOMENT {
            return;
        }
    }
    discard_stale(sock, now);
    // Ports are not chosen yet: an empty tuple is filled in by the first packet.
    #[cfg(feature = "perf")]
    let tuple = &Tuple::default();
    #[cfg(not(feature = "perf"))]
    let Some(Flow { tuple, .. }) = BLANK.get(0) else { return };
    let full = Counter::OpenTableFull;
    let flow = create(&FLOWS, key, *key, tuple, Began::Connect, now, full);
    if let Some(flow) = flow {
        owner::claim_connection(flow, sock, Rank::Opener);
    }
}

/// Whether nothing is known of a socket that has begun to connect, and has not sent its first packet, or to
/// listen.
#[inline(always)]
pub fn has_missed(sock: Sock, state: u8) -> bool {
    if state == LISTEN {
        return !owner::is_listener(sock);
    }
    // SAFETY: entries stay readable for the run of a program.
    let flow = unsafe { FLOWS.get(&sock.key()) };
    flow.is_none_or(|flow| flow.ended != 0 || flow.has_ends())
}

#[inline(always)]
fn established(sock: Sock, old: u8) {
    let key = &sock.key();
    let now = now();
    // SAFETY: entries stay readable for the run of a program.
    let known = FLOWS.get_ptr_mut(key).map(|flow| unsafe { &mut *flow });
    let flow = match known {
        Some(flow) if old == SYN_SENT => flow,
        _ if old == SYN_SENT => return,
        _ => {
            let tuple = &sock.tcp_tuple(ESTABLISHED);
            match known {
                // One of other ends is what an earlier socket at this address left behind.
                Some(flow) if flow.tuple == *tuple => flow,
                _ if old == SYN_RECV => {
                    discard_stale(sock, now);
                    if tuple.family == FAMILY_IPV6 && !ipv6_enabled() {
                        return;
                    }
                    match accepted(sock, tuple, now, Counter::OpenTableFull) {
                        Some(flow) => flow,
                        None => return,
                    }
                }
                _ => return,
            }
        }
    };
    if flow.note_established(now) {
        if old == SYN_RECV {
            owner::adopt(flow, sock);
        }
        report_connected(flow);
    }
}

#[inline(always)]
fn report_connected(flow: &Flow) {
    if owner::wanted(REPORT_CONNECTIONS) && (flow.tuple.family != FAMILY_IPV6 || ipv6_enabled()) {
        submit::connected(flow);
    }
}

/// Hands over what an earlier socket at the same address left behind: its close was missed.
#[inline(always)]
fn discard_stale(sock: Sock, now: u64) {
    let key = &sock.key();
    if let Some(flow) = FLOWS.get_ptr_mut(key) {
        // SAFETY: as above.
        let flow = unsafe { &mut *flow };
        if flow.ended == 0 {
            flow.ended = now;
            submit::flow(flow);
        }
        let _ = FLOWS.remove(key);
    }
}

/// The connection, or the listener, is over.
#[inline(always)]
fn closed(sock: Sock, old: u8) {
    let key = &sock.key();
    if old == LISTEN {
        owner::forget(sock);
        return;
    }
    let Some(flow) = FLOWS.get_ptr_mut(key) else {
        if old != SYN_SENT && owner::wanted(REPORT_CONNECTIONS) {
            owner::left(sock, &sock.tcp_tuple(old));
        }
        return;
    };
    // SAFETY: as above.
    let flow = unsafe { &mut *flow };
    if flow.ended != 0 {
        // Handed over already.
        let _ = FLOWS.remove(key);
        return;
    }
    let now = now();
    if !flow.has_ends() {
        // A connect that failed before its first packet.
        flow.tuple = sock.tcp_tuple(SYN_SENT);
    }
    if flow.tuple.family == FAMILY_IPV6 && !ipv6_enabled() {
        let _ = FLOWS.remove(key);
        return;
    }
    // Before it ends: packets that another CPU sees from then on are late ones.
    if leaves_late_packets(old) {
        late::expect(&flow.tuple, flow.id);
    }
    if flow.has_handshake() {
        pending::finish(flow);
    }
    flow.ended = now;
    let retransmits = at::tcp_sock_total_retrans();
    flow.tcp.close(
        old,
        field(sock.0, at::sock_sk_err()),
        retransmits.map(|offset| field(sock.0, Some(offset))),
        field(sock.0, at::tcp_sock_srtt_us()),
    );
    submit::flow(flow);
    owner::reported(sock, now);
    let _ = FLOWS.remove(key);
}

/// Packets that the kernel sent for the flow without showing them to the packet hook.
#[inline(always)]
pub fn sent(flow: &mut Flow, packets: u64, bytes: u64, now: u64) {
    if !account(flow, Way::Out, packets, bytes, now) {
        count_many(Counter::LateUnmatched, packets);
    }
}
