//! Whose socket it is.
//!
//! `current` is only asked where the code is known to run for the owner: in system calls, or while
//! the socket's lock is held by a process. Elsewhere the owner comes from the socket that the
//! connection came through. A higher [`Rank`] replaces a lower one.

use aya_ebpf::bindings::{BPF_ANY, BPF_NOEXIST};
use socket_common::{Counter, Flow, PROTO_UDP, Rank, SocketOwner, Tuple};

use crate::{
    kernel::{copy, sock::Sock, task::Task},
    maps::{FLOWS, OWNERS, count},
};

/// `-EEXIST`.
const EEXIST: i32 = -17;

/// Makes the current task the owner of `flow`, if it ranks higher than who is known.
#[inline(always)]
pub fn claim(flow: &mut Flow, rank: Rank) {
    if flow.rank < rank as u8 {
        flow.owner = Task::current().owner();
        flow.rank = rank as u8;
    }
}

/// A process did something with the socket that makes it its owner.
#[inline(always)]
pub fn touched(sock: Sock, rank: Rank) {
    if let Some(flow) = FLOWS.get_ptr_mut(&sock.key()) {
        // SAFETY: entries stay readable for the run of a program.
        claim(unsafe { &mut *flow }, rank);
    }
}

/// Takes over the owner that is known for another socket, or for this one before it had a flow.
#[inline(always)]
pub fn inherit(flow: &mut Flow, from: u64, rank: Rank) {
    // SAFETY: as above.
    if let Some(known) = unsafe { OWNERS.get(&from) } {
        copy(&raw mut flow.owner, &raw const known.owner);
        let rank = if (known.rank) < rank as u8 { known.rank } else { rank as u8 };
        flow.rank = rank;
    }
}

/// Remembers the task as the owner of a socket without traffic.
#[inline(always)]
pub fn remember(sock: Sock, task: Task, protocol: u8, rank: Rank) {
    // `inet_sport` is set only after the hooks on bind have run.
    let mut tuple: Tuple = sock.tuple(protocol, false);
    tuple.remote = [0; 4];
    tuple.remote_port = 0;
    let entry = SocketOwner {
        tuple,
        owner: task.owner(),
        rank: rank as u8,
        listening: (protocol != PROTO_UDP) as u8,
        reserved: 0,
        reserved2: 0,
    };
    // What the start-up scan finds never replaces what was seen to happen.
    let flags = if rank as u8 == Rank::Holder as u8 { BPF_NOEXIST } else { BPF_ANY };
    if let Err(error) = OWNERS.insert(&sock.key(), &entry, flags as u64) {
        if error != EEXIST {
            count(Counter::OwnerTableFull);
        }
    }
}

/// Forgets what [`remember`] kept.
#[inline(always)]
pub fn forget(sock: Sock) {
    let _ = OWNERS.remove(&sock.key());
}
