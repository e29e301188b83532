//! Whose socket it is.

use socket_common::{
    Counter, Flow, PROTO_UDP, Rank, SocketOwner,
    rules::owner::{acts_for_connection, taken_over},
};

use super::{Aggregator, Context, Sock, Tasks, has_capacity};

impl<T: Tasks> Aggregator<T> {
    /// Makes the current process the owner of the flow of a socket, if it ranks higher than who is
    /// known.
    pub(super) fn claim(&mut self, sock: u64, rank: Rank, context: Context) {
        let Some(flow) = self.flows.get_mut(&sock) else { return };
        let tasks = &mut self.tasks;
        flow.give_owner(rank as u8, |owner| *owner = tasks.owner(context.pid, context.tid));
    }

    /// As [`claim`](Self::claim), for a TCP connection. The kernel's own threads, and whoever manages paths, act
    /// for subflows of MPTCP whose connection is another process's.
    pub(super) fn claim_connection(&mut self, sock: &Sock, rank: Rank, context: Context) {
        if self.flows.get(&sock.address).is_none_or(|flow| !flow.is_outranked_by(rank as u8)) {
            return;
        }
        if sock.first_subflow.is_some() {
            let added = self.adopt(sock);
            if acts_for_connection(added, rank, || self.tasks.is_of_kernel(context.pid)) {
                return;
            }
        }
        self.claim(sock.address, rank, context);
    }

    /// A subflow that was added to a connection of MPTCP belongs to whom the connection belongs; false for any
    /// other socket. The owner ranks no higher than who has opened it, as nothing is said of data.
    pub(super) fn adopt(&mut self, sock: &Sock) -> bool {
        let Some(first) = sock.first_subflow.filter(|first| *first != sock.address) else {
            return false;
        };
        let known = self.flows.get(&first).map(|known| (known.owner, known.rank));
        if let (Some((owner, rank)), Some(flow)) = (known, self.flows.get_mut(&sock.address)) {
            flow.give_owner(taken_over(rank, Rank::Opener), |place| *place = owner);
        }
        true
    }

    /// A process did something with the socket that makes it its owner.
    pub(super) fn touched(&mut self, sock: u64, rank: Rank, context: Context) {
        self.claim(sock, rank, context);
    }

    /// Takes over the owner that is known for another socket, or for this one before it had a flow.
    pub(super) fn inherit(&mut self, sock: u64, from: u64, rank: Rank) {
        let Some(flow) = self.flows.get_mut(&sock) else { return };
        if let Some(known) = self.owners.get(&from) {
            flow.owner = known.owner;
            flow.rank = taken_over(known.rank, rank);
        } else {
            held_before(&mut self.tasks, flow);
        }
    }

    /// Remembers the current process as the owner of a socket without traffic.
    pub(super) fn remember(&mut self, sock: &Sock, protocol: u8, rank: Rank, context: Context) {
        let mut tuple = sock.tuple(protocol, false);
        tuple.remote = [0; 4];
        tuple.remote_port = 0;
        if !has_capacity(&self.owners, &sock.address, self.limits.owners) {
            self.count(Counter::OwnerTableFull);
            return;
        }
        let entry = SocketOwner {
            tuple,
            owner: self.tasks.owner(context.pid, context.tid),
            rank: rank as u8,
            listening: (protocol != PROTO_UDP).into(),
            since: 0,
            inode: 0,
            announced: 0,
            connection: 0,
            reserved2: 0,
        };
        self.owners.insert(sock.address, entry);
    }
}

/// Looks for the holder of a socket that was open when the agent started, at its local end.
pub(super) fn held_before(tasks: &mut impl Tasks, flow: &mut Flow) {
    let mut local = flow.tuple;
    local.remote = [0; 4];
    local.remote_port = 0;
    if flow.rank == Rank::Unknown as u8
        && let Some(owner) = tasks.holder(&local)
    {
        flow.owner = owner;
        flow.rank = Rank::Holder as u8;
    }
}
