//! Sockets that were open before the programs were attached.

use socket_common::{
    Began, Counter, PROTO_TCP, PROTO_UDP, Rank,
    kernel::{
        socket_type::{DATAGRAM, STREAM},
        tcp_state::{CLOSE, LISTEN, NEW_SYN_RECV, SYN_SENT, TIME_WAIT},
    },
};

use super::{
    entry::create,
    owner::{self, Seen},
};
use crate::{
    kernel::{
        core_offsets as at, field,
        mptcp::{Connection, PROTO_MPTCP},
        now,
        sock::Sock,
        task::Task,
    },
    maps::{FLOWS, SUBFLOW_WALK},
};

const S_IFMT: u16 = 0o170_000;
const S_IFSOCK: u16 = 0o140_000;

/// `task` holds `file` open: if that is a TCP or UDP socket, the task is remembered as its holder. Of the subflows
/// of an MPTCP socket one is looked at in each run over all files: the agent says which.
#[inline(always)]
pub fn file(task: Task, file: usize) {
    let inode: usize = field(file, at::file_f_inode());
    let mode: u16 = field(inode, at::inode_i_mode());
    if mode & S_IFMT != S_IFSOCK {
        return;
    }
    let socket: usize = field(file, at::file_private_data());
    if field::<usize>(socket, at::socket_file()) != file {
        return;
    }
    let sock = Sock(field(socket, at::socket_sk()));
    if sock.0 == 0 || !sock.is_inet() {
        return;
    }
    // Raw sockets may have the protocols of others.
    let (protocol, kind) = (sock.protocol(), sock.kind());
    if protocol == PROTO_UDP as u16 {
        if kind == DATAGRAM && (sock.remote_port() != 0 || sock.port() != 0) {
            owner::remember(sock, task, PROTO_UDP, Rank::Holder, Seen::Existing);
        }
        return;
    }
    let Some(walk) = SUBFLOW_WALK.get_ptr_mut(0) else { return };
    // SAFETY: a valid element, which only this program and the agent, between two runs, write to.
    let walk = unsafe { &mut *walk };
    let sock = if kind == STREAM && protocol == PROTO_MPTCP {
        let Some((subflow, more)) = Connection(sock.0).subflow(walk.number) else { return };
        walk.more |= more as u64;
        subflow
    } else if kind == STREAM && protocol == PROTO_TCP as u16 && walk.number == 0 {
        sock
    } else {
        return;
    };
    tcp(sock, task);
}

#[inline(always)]
fn tcp(sock: Sock, task: Task) {
    match sock.state() {
        LISTEN => owner::remember(sock, task, PROTO_TCP, Rank::Holder, Seen::Existing),
        CLOSE | SYN_SENT | NEW_SYN_RECV | TIME_WAIT => {}
        state => {
            if let Some(flow) = FLOWS.get_ptr_mut(&sock.key()) {
                // SAFETY: entries stay readable for the run of a program.
                let flow = unsafe { &mut *flow };
                flow.give_owner(Rank::Holder as u8, |owner| *owner = task.owner());
                return;
            }
            let tuple = sock.tcp_tuple(state);
            let flow = create(
                &FLOWS,
                &sock.key(),
                sock.key(),
                &tuple,
                Began::Existing,
                now(),
                Counter::OpenTableFull,
            );
            if let Some(flow) = flow {
                flow.give_owner(Rank::Holder as u8, |owner| *owner = task.owner());
            }
        }
    }
}
