//! TCP states, from the kernel's include/net/tcp_states.h, and what they say of a flow.

use socket_common::{Flow, PROTO_TCP};

/// `TCP_ESTABLISHED`.
pub const ESTABLISHED: u8 = 1;
/// `TCP_SYN_SENT`.
pub const SYN_SENT: u8 = 2;
/// `TCP_SYN_RECV`.
pub const SYN_RECV: u8 = 3;
/// `TCP_FIN_WAIT1`.
pub const FIN_WAIT1: u8 = 4;
/// `TCP_FIN_WAIT2`.
pub const FIN_WAIT2: u8 = 5;
/// `TCP_TIME_WAIT`.
pub const TIME_WAIT: u8 = 6;
/// `TCP_CLOSE`.
pub const CLOSE: u8 = 7;
/// `TCP_CLOSE_WAIT`.
pub const CLOSE_WAIT: u8 = 8;
/// `TCP_LAST_ACK`.
pub const LAST_ACK: u8 = 9;
/// `TCP_LISTEN`.
pub const LISTEN: u8 = 10;
/// `TCP_CLOSING`.
pub const CLOSING: u8 = 11;
/// `TCP_NEW_SYN_RECV`.
pub const NEW_SYN_RECV: u8 = 12;

/// Whether a connect succeeded: `None` if the flow had none, or none that was decided.
pub fn connected(flow: &Flow) -> Option<bool> {
    if flow.tuple.protocol != PROTO_TCP {
        return None;
    }
    match flow.tcp.state {
        // Still open: only a measured connect tells.
        0 => (flow.tcp.connect_ns != 0).then_some(true),
        SYN_SENT if flow.ended != 0 => Some(false),
        SYN_SENT | SYN_RECV | NEW_SYN_RECV | LISTEN => None,
        // Closed before the programs looked: only a measured connect tells.
        CLOSE => (flow.tcp.connect_ns != 0).then_some(true),
        _ => Some(true),
    }
}
