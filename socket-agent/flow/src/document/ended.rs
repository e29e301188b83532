//! Ways in which a flow ends.

use std::ffi::c_int;

use socket_common::{Flow, PROTO_TCP, Tcp};

use crate::{Cause, state};

/// `system.audit.socket.ended`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// `open`: the socket was open when the agent stopped.
    Open,
    /// `ongoing`: the report period has passed; the flow goes on.
    Ongoing,
    /// `idle`: nothing crossed it for the inactivity timeout; the socket is still open.
    Idle,
    /// `closed`: the socket was closed. UDP, and TCP when no more is known.
    Closed,
    /// `fin_local`: this end closed first.
    FinLocal,
    /// `fin_remote`: the remote end closed first.
    FinRemote,
    /// `fin_both`: both ends closed before either saw the other's FIN.
    FinBoth,
    /// `reset_local`: this end aborted the connection, for example by closing with data unread.
    ResetLocal,
    /// `reset_remote`: the remote end aborted it.
    ResetRemote,
    /// `refused`: a connect was answered with a reset.
    Refused,
    /// `timeout`: what was sent, or the connect, was never acknowledged.
    Timeout,
    /// `unreachable`: a router or a firewall said that the remote end cannot be reached.
    Unreachable,
    /// `cancelled`: the socket was closed while its connect was under way.
    Cancelled,
    /// `error`: any other error; its number is in `system.audit.socket.tcp.error`.
    Error,
}

impl Ended {
    /// How a flow ended, from the socket's error and the TCP state that it left to be closed.
    pub fn of(flow: &Flow, cause: Cause) -> Self {
        match cause {
            Cause::Idle => return Self::Idle,
            Cause::Period => return Self::Ongoing,
            Cause::Stop => return Self::Open,
            Cause::Closed => {}
        }
        if flow.tuple.protocol == PROTO_TCP { Self::of_tcp(&flow.tcp) } else { Self::Closed }
    }

    /// The name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Ongoing => "ongoing",
            Self::Idle => "idle",
            Self::Closed => "closed",
            Self::FinLocal => "fin_local",
            Self::FinRemote => "fin_remote",
            Self::FinBoth => "fin_both",
            Self::ResetLocal => "reset_local",
            Self::ResetRemote => "reset_remote",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Cancelled => "cancelled",
            Self::Error => "error",
        }
    }

    /// The kernel sets the error before it leaves the state, except when this end aborts: so a
    /// reset with an error came from the remote end, and one without was sent by this one.
    ///
    /// Source: `tcp_reset`, `tcp_write_err`, `tcp_close` and `tcp_disconnect` in net/ipv4.
    fn of_tcp(tcp: &Tcp) -> Self {
        let error = c_int::try_from(tcp.error).unwrap_or(c_int::MAX);
        match (error, tcp.state) {
            (0, state::FIN_WAIT2 | state::TIME_WAIT) => Self::FinLocal,
            (0, state::LAST_ACK) => Self::FinRemote,
            (0, state::CLOSING) => Self::FinBoth,
            (0, state::SYN_SENT) => Self::Cancelled,
            (
                0,
                state::ESTABLISHED
                | state::SYN_RECV
                | state::NEW_SYN_RECV
                | state::FIN_WAIT1
                | state::CLOSE_WAIT,
            )
            | (libc::ECONNABORTED, _) => Self::ResetLocal,
            (0, _) => Self::Closed,
            (libc::ECONNREFUSED, _) => Self::Refused,
            (libc::ECONNRESET | libc::EPIPE, _) => Self::ResetRemote,
            (libc::ETIMEDOUT, _) => Self::Timeout,
            (
                libc::EHOSTUNREACH
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::ENETDOWN
                | libc::ENOPROTOOPT
                | libc::EACCES,
                _,
            ) => Self::Unreachable,
            (_, _) => Self::Error,
        }
    }
}

/// `system.audit.socket.tcp.state`: the state an open connection is in, or a closed one left.
pub fn state_name(state: u8) -> Option<&'static str> {
    Some(match state {
        state::ESTABLISHED => "established",
        state::SYN_SENT => "syn_sent",
        state::SYN_RECV | state::NEW_SYN_RECV => "syn_recv",
        state::FIN_WAIT1 => "fin_wait1",
        state::FIN_WAIT2 => "fin_wait2",
        state::TIME_WAIT => "time_wait",
        state::CLOSE => "close",
        state::CLOSE_WAIT => "close_wait",
        state::LAST_ACK => "last_ack",
        state::LISTEN => "listen",
        state::CLOSING => "closing",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use socket_common::{PROTO_UDP, Tuple};

    use super::*;

    fn flow(protocol: u8, ended: u64, state: u8, error: c_int) -> Flow {
        Flow {
            tuple: Tuple { protocol, ..Tuple::default() },
            tcp: Tcp { state, error: error.unsigned_abs(), ..Tcp::default() },
            ended,
            ..Flow::default()
        }
    }

    #[test]
    fn tcp_by_state_and_error() {
        use Ended::*;
        for (state, error, expected, outcome) in [
            (state::FIN_WAIT2, 0, FinLocal, Some(true)),
            (state::TIME_WAIT, 0, FinLocal, Some(true)),
            (state::LAST_ACK, 0, FinRemote, Some(true)),
            (state::CLOSING, 0, FinBoth, Some(true)),
            (state::ESTABLISHED, 0, ResetLocal, Some(true)),
            (state::CLOSE_WAIT, 0, ResetLocal, Some(true)),
            (state::FIN_WAIT1, 0, ResetLocal, Some(true)),
            (state::SYN_RECV, 0, ResetLocal, None),
            (state::ESTABLISHED, libc::ECONNABORTED, ResetLocal, Some(true)),
            (state::ESTABLISHED, libc::ECONNRESET, ResetRemote, Some(true)),
            (state::CLOSE_WAIT, libc::EPIPE, ResetRemote, Some(true)),
            (state::LAST_ACK, libc::ECONNRESET, ResetRemote, Some(true)),
            (state::SYN_SENT, libc::ECONNREFUSED, Refused, Some(false)),
            (state::SYN_SENT, libc::ETIMEDOUT, Timeout, Some(false)),
            (state::SYN_SENT, libc::EHOSTUNREACH, Unreachable, Some(false)),
            (state::SYN_SENT, libc::ENETUNREACH, Unreachable, Some(false)),
            (state::SYN_SENT, 0, Cancelled, Some(false)),
            (state::ESTABLISHED, libc::ETIMEDOUT, Timeout, Some(true)),
            (state::FIN_WAIT1, libc::EHOSTUNREACH, Unreachable, Some(true)),
            (state::ESTABLISHED, libc::ENOMEM, Error, Some(true)),
            (state::CLOSE, 0, Closed, None),
            (0, 0, Closed, None),
            (0, libc::ETIMEDOUT, Timeout, None),
            (200, 0, Closed, Some(true)),
        ] {
            let flow = flow(PROTO_TCP, 1, state, error);
            assert_eq!(Ended::of(&flow, Cause::Closed), expected, "state {state}, error {error}");
            assert_eq!(state::connected(&flow), outcome, "state {state}, error {error}");
        }
        let mut closed = flow(PROTO_TCP, 1, state::CLOSE, 0);
        closed.tcp.connect_ns = 5;
        assert_eq!(state::connected(&closed), Some(true));
        // More than an errno can be.
        closed.tcp.error = u32::MAX;
        assert_eq!(Ended::of(&closed, Cause::Closed), Error);
    }

    #[test]
    fn what_has_not_ended() {
        for protocol in [PROTO_TCP, PROTO_UDP] {
            let open = flow(protocol, 0, 1, 0);
            assert_eq!(Ended::of(&open, Cause::Stop), Ended::Open);
            assert_eq!(Ended::of(&open, Cause::Idle), Ended::Idle);
        }
        assert_eq!(state::connected(&flow(PROTO_TCP, 0, state::SYN_SENT, 0)), None);
        assert_eq!(state::connected(&flow(PROTO_TCP, 0, state::ESTABLISHED, 0)), Some(true));
        let udp = flow(PROTO_UDP, 1, 0, libc::ECONNREFUSED);
        assert_eq!(Ended::of(&udp, Cause::Closed), Ended::Closed);
        assert_eq!(state::connected(&udp), None);
    }
}
