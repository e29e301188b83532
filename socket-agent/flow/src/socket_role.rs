//! Roles of sockets.

/// Role of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SocketRole {
    /// Waits for whoever wants to talk to it: a TCP listener, or a bound UDP socket without peer.
    Listening,
    /// A connection that came in through a listener.
    Inbound,
    /// A connection that this host began.
    Outbound,
}
