//! `struct mptcp_sock`: a connection that several TCP sockets carry, its subflows. Kernel 5.6.
//!
//! A process has the connection's socket open; the subflows are sockets of the kernel. That of a listener is
//! its first subflow.

use socket_common::MOST_SUBFLOWS;

use super::{core_offsets as at, field, read, sock::Sock};

/// `IPPROTO_MPTCP`: the protocol of the connection's socket. Subflows have that of TCP.
pub const PROTO_MPTCP: u16 = 262;

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

    /// One of its subflows by its number, and whether there are more behind it; `None` if it has fewer.
    #[inline(always)]
    pub fn subflow(self, number: u64) -> Option<(Sock, bool)> {
        // A list is a ring through its head, which begins with the address of the first.
        let head = self.0 + at::mptcp_sock_conn_list()?;
        let within = at::mptcp_subflow_context_node()?;
        let mut node: usize = read(head);
        let mut ahead = number;
        for _ in 0..MOST_SUBFLOWS {
            if ahead == 0 || node == head {
                break;
            }
            node = read(node);
            ahead -= 1;
        }
        if ahead != 0 || node == head || node < within {
            return None;
        }
        let subflow = field(node - within, at::mptcp_subflow_context_tcp_sock());
        Some((Sock(subflow), read::<usize>(node) != head))
    }
}
