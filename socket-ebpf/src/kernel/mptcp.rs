//! `struct mptcp_sock`: a connection that several TCP sockets carry, its subflows. Kernel 5.6.
//!
//! A process has the connection's socket open; the subflows are sockets of the kernel. That of a listener is
//! its first subflow.

use super::{core_offsets as at, field, sock::Sock};

/// `IPPROTO_MPTCP`: the protocol of the connection's socket. Subflows have that of TCP.
pub const PROTO_MPTCP: u16 = 262;

/// Subflows of a connection that are looked at: no more than eight can be added (`MPTCP_SUBFLOWS_MAX`).
pub const SUBFLOWS: usize = 9;

/// Address of a connection's `struct mptcp_sock`; 0 is none.
#[derive(Clone, Copy)]
pub struct Connection(pub usize);

impl Connection {
    /// The one that a TCP socket is a subflow of.
    #[inline(always)]
    pub fn of(subflow: Sock) -> Self {
        if field::<u8>(subflow.0, at::tcp_sock_is_mptcp()) == 0 {
            return Self(0);
        }
        let context: usize = field(subflow.0, at::inet_connection_sock_icsk_ulp_data());
        Self(field(context, at::mptcp_subflow_context_conn()))
    }

    #[inline(always)]
    pub fn is_some(self) -> bool {
        self.0 != 0
    }

    /// The subflow that it began with; 0 once that is closed.
    #[inline(always)]
    pub fn first(self) -> Sock {
        Sock(field(self.0, at::mptcp_sock_first()))
    }

    /// Where the list of its subflows begins.
    #[inline(always)]
    pub fn subflows(self) -> Subflows {
        match (at::mptcp_sock_conn_list(), at::mptcp_subflow_context_node()) {
            (Some(list), Some(node)) if self.is_some() => {
                let end = self.0 + list;
                Subflows { next: super::read(end), end, node }
            }
            _ => Subflows { next: 0, end: 0, node: 0 },
        }
    }
}

/// A walk over the subflows of a connection.
pub struct Subflows {
    /// Of a `struct list_head`, which begins with the address of the next.
    next: usize,
    end: usize,
    /// Where it is in a subflow's context.
    node: usize,
}

impl Subflows {
    /// The next of them; `None` behind the last.
    #[inline(always)]
    pub fn next(&mut self) -> Option<Sock> {
        if self.next == self.end || self.next == 0 {
            return None;
        }
        let context = self.next - self.node;
        self.next = super::read(self.next);
        Some(Sock(field(context, at::mptcp_subflow_context_tcp_sock())))
    }
}
