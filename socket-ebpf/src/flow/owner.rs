//! Whose socket it is.
//!
//! `current` is only asked where the code is known to run for the owner: in system calls, or while
//! the socket's lock is held by a process. Elsewhere the owner comes from the socket that the
//! connection came through. A higher [`Rank`] replaces a lower one.

use core::mem::MaybeUninit;

use aya_ebpf::bindings::{BPF_ANY, BPF_NOEXIST};
use socket_common::{
    Counter, Flow, Owner, PROTO_UDP, REPORT_LISTENERS, Rank, SocketOwner, Tuple,
    rules::owner::{acts_for_connection, taken_over},
};

use super::submit;
use crate::{
    kernel::{copy, mptcp::Connection, now, sock::Sock, task::Task, zero},
    maps::{FLOWS, LAST_CLOSED, OWNERS, count, owned, settings},
};

/// `-EEXIST`.
const EEXIST: i32 = -17;
/// Longer than an interrupt takes, shorter than a socket lives, nanoseconds.
pub const A_MOMENT: u64 = 10_000_000;

/// Longer than it takes from one copy of the hook on a close to the next, even where a virtual processor stands
/// still between them. Connections without a flow, which it matters for, have been idle for much longer.
const BETWEEN_COPIES: u64 = 200_000_000;

/// Makes the current task the owner of `flow`, if it ranks higher than who is known.
#[inline(always)]
pub fn claim(flow: &mut Flow, rank: Rank) {
    flow.give_owner(rank as u8, |owner| *owner = Task::current().owner());
}

/// As [`claim`], for a TCP connection. The kernel's own threads, and whoever manages paths, act for subflows of
/// MPTCP whose connection is another process's.
#[inline(always)]
pub fn claim_connection(flow: &mut Flow, sock: Sock, rank: Rank) {
    if !flow.is_outranked_by(rank as u8) {
        return;
    }
    let connection = Connection::of(sock);
    if connection.is_some() {
        let added = take_over(flow, sock, connection);
        if acts_for_connection(added, rank, || Task::current().is_of_kernel()) {
            return;
        }
    }
    claim(flow, rank);
}

/// A subflow that was added to a connection of MPTCP belongs to whom the connection belongs.
#[inline(always)]
pub fn adopt(flow: &mut Flow, sock: Sock) {
    let connection = Connection::of(sock);
    if connection.is_some() {
        take_over(flow, sock, connection);
    }
}

/// Takes over the owner of a connection of MPTCP, if it ranks higher than who is known: no higher than who has
/// opened it, as nothing is said of data. False for the subflow that it began with.
#[inline(always)]
fn take_over(flow: &mut Flow, sock: Sock, connection: Connection) -> bool {
    let first = connection.first();
    if first.0 == sock.0 {
        return false;
    }
    // SAFETY: entries stay readable for the run of a program.
    if let Some(known) = unsafe { FLOWS.get(&first.key()) } {
        let rank = taken_over(known.rank, Rank::Opener);
        flow.give_owner(rank, |owner| copy(owner, &raw const known.owner));
    }
    true
}

/// A process did something with the socket that makes it its owner.
#[inline(always)]
pub fn touched(sock: Sock, rank: Rank) {
    if let Some(flow) = FLOWS.get_ptr_mut(&sock.key()) {
        // SAFETY: entries stay readable for the run of a program.
        let flow = unsafe { &mut *flow };
        claim(flow, rank);
        if !flow.has_final_owner() {
            return;
        }
        if let Some(place) = owned(sock.key()) {
            // SAFETY: a valid element; what another CPU writes there is as true.
            unsafe { place.write_volatile(sock.key()) }
        }
    }
}

/// Whether the owner of a socket's flow cannot change any more, as far as is remembered.
#[inline(always)]
pub fn is_settled(sock: Sock) -> bool {
    // SAFETY: a valid element.
    owned(sock.key()).is_some_and(|place| unsafe { place.read_volatile() } == sock.key())
}

/// Takes over the owner that is known for another socket, or for this one before it had a flow.
#[inline(always)]
pub fn inherit(flow: &mut Flow, from: u64, rank: Rank) {
    // SAFETY: as above.
    if let Some(known) = unsafe { OWNERS.get(&from) } {
        copy(&raw mut flow.owner, &raw const known.owner);
        flow.rank = taken_over(known.rank, rank);
    }
}

/// Event by which a socket came to be remembered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It listens, or has its port, for good: the agent gets a report.
    Coming,
    /// It is about to take a port, which may fail.
    Trying,
    /// The socket was there before the programs.
    Existing,
}

/// Remembers the task as the owner of a socket without traffic.
#[inline(always)]
pub fn remember(sock: Sock, task: Task, protocol: u8, rank: Rank, seen: Seen) {
    // `inet_sport` is set only after the hooks on bind have run.
    let mut tuple: Tuple = sock.tuple(protocol, false);
    zero(&raw mut tuple.remote);
    tuple.remote_port = 0;
    let now = now();
    let listening = (protocol != PROTO_UDP) as u8;
    if seen == Seen::Coming && listening != 0 {
        // SAFETY: as above.
        if let Some(known) = unsafe { OWNERS.get(&sock.key()) } {
            // The same change, seen by the other copy of the hook a moment ago.
            if known.announced != 0 && now.wrapping_sub(known.since) < A_MOMENT {
                return;
            }
        }
    }
    let report = seen == Seen::Coming && wanted(REPORT_LISTENERS);
    let mut entry = MaybeUninit::<SocketOwner>::uninit();
    zero(entry.as_mut_ptr());
    // SAFETY: zeroes are valid.
    let entry = unsafe { entry.assume_init_mut() };
    copy(&raw mut entry.tuple, &raw const tuple);
    entry.owner = task.owner();
    if seen != Seen::Existing {
        entry.since = now;
    }
    entry.inode = sock.inode();
    entry.rank = rank as u8;
    entry.listening = listening;
    if report {
        entry.announced = 1;
    }
    // What the start-up scan finds never replaces what was seen to happen.
    let flags = if seen == Seen::Existing { BPF_NOEXIST } else { BPF_ANY };
    if let Err(error) = OWNERS.insert(&sock.key(), &*entry, flags as u64) {
        if error != EEXIST {
            count(Counter::OwnerTableFull);
        }
        return;
    }
    if report {
        submit::socket(entry, sock.key(), entry.tuple.local_port, 0);
    }
}

/// Whether a socket is remembered as a listener.
#[inline(always)]
pub fn is_listener(sock: Sock) -> bool {
    // SAFETY: as above.
    unsafe { OWNERS.get(&sock.key()) }.is_some_and(|known| known.listening != 0)
}

/// Forgets what [`remember`] kept.
#[inline(always)]
pub fn forget(sock: Sock) {
    // SAFETY: as above.
    if let Some(known) = unsafe { OWNERS.get(&sock.key()) } {
        if wanted(REPORT_LISTENERS) && (known.announced != 0 || known.since == 0) {
            // A listener that never called bind has been given its port since.
            let port = sock.tuple(known.tuple.protocol, true).local_port;
            submit::socket(known, sock.key(), port, now());
        }
        let _ = OWNERS.remove(&sock.key());
    }
}

/// A connection is over that has no flow any more, as nothing crossed it for long.
#[inline(always)]
pub fn left(sock: Sock, tuple: &Tuple) {
    let Some(last) = LAST_CLOSED.get_ptr_mut(0) else { return };
    // SAFETY: a valid element of this CPU.
    let last = unsafe { &mut *last };
    let now = now();
    let again = last[0] == sock.key() && now.wrapping_sub(last[1]) < BETWEEN_COPIES;
    *last = [sock.key(), now];
    if again {
        return;
    }
    let entry = SocketOwner {
        tuple: *tuple,
        owner: Owner::default(),
        since: 0,
        inode: sock.inode(),
        rank: Rank::Unknown as u8,
        listening: 0,
        announced: 0,
        connection: 1,
        reserved2: 0,
    };
    submit::socket(&entry, sock.key(), entry.tuple.local_port, now);
}

/// The end of a connection has been reported with its flow: the other copy of the hook need not.
#[inline(always)]
pub fn reported(sock: Sock, now: u64) {
    if let Some(last) = LAST_CLOSED.get_ptr_mut(0) {
        // SAFETY: as above.
        unsafe { *last = [sock.key(), now] }
    }
}

/// Whether the agent asked for reports of this kind.
#[inline(always)]
pub fn wanted(what: u32) -> bool {
    settings().is_some_and(|settings| settings.features & what != 0)
}
