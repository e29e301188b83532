//! Sockets that were open before the programs were attached.

use socket_common::{Began, Counter, PROTO_TCP, PROTO_UDP, Rank};

use super::{
    entry::create,
    owner::{self, Seen},
};
use crate::{
    kernel::{
        core_offsets as at, field, now,
        sock::{CLOSE, LISTEN, NEW_SYN_RECV, SYN_SENT, Sock, TIME_WAIT},
        task::Task,
    },
    maps::FLOWS,
};

const S_IFMT: u16 = 0o170_000;
const S_IFSOCK: u16 = 0o140_000;

/// `task` holds `file` open: if that is a TCP or UDP socket, the task is remembered as its holder.
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
    match sock.protocol() as u8 {
        PROTO_TCP if sock.protocol() == PROTO_TCP as u16 => tcp(sock, task),
        PROTO_UDP if sock.remote_port() != 0 || sock.tuple(PROTO_UDP, true).local_port != 0 => {
            owner::remember(sock, task, PROTO_UDP, Rank::Holder, Seen::Existing);
        }
        _ => {}
    }
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
                if flow.rank == Rank::Unknown as u8 {
                    flow.owner = task.owner();
                    flow.rank = Rank::Holder as u8;
                }
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
                flow.owner = task.owner();
                flow.rank = Rank::Holder as u8;
            }
        }
    }
}
