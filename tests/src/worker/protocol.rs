//! What a scenario asks of a worker, and what it answers.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::sending::By;

/// Stands for the socket opened last, where its descriptor is not known in advance.
pub const LAST: i32 = -1;

/// One step. Descriptors are those of the worker; forked workers keep the numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// TCP: bind and listen.
    Listen {
        /// Address to listen on; port 0 lets the kernel choose.
        address: SocketAddr,
    },
    /// MPTCP: bind and listen.
    ListenMptcp {
        /// Address to listen on; port 0 lets the kernel choose.
        address: SocketAddr,
    },
    /// MPTCP: connect.
    ConnectMptcp {
        /// Address to connect to.
        address: SocketAddr,
    },
    /// A raw socket.
    Raw {
        /// Protocol number, such as `IPPROTO_TCP`.
        protocol: i32,
        /// Address to bind to; the port is 0.
        address: SocketAddr,
    },
    /// TCP: listen without bind, on whatever port the kernel gives.
    ListenAnywhere,
    /// TCP: connect.
    Connect {
        /// Address to connect to.
        address: SocketAddr,
    },
    /// TCP: limit how often a SYN is sent again (`TCP_SYNCNT`).
    SynRetries {
        /// The socket.
        fd: i32,
        /// Number of retries.
        retries: u32,
    },
    /// Let steps on the socket fail rather than wait.
    Nonblocking {
        /// The socket.
        fd: i32,
    },
    /// TCP: bind only, for a later [`Command::ConnectBound`].
    Bind {
        /// Address to bind to.
        address: SocketAddr,
    },
    /// TCP: connect a bound socket.
    ConnectBound {
        /// The socket.
        fd: i32,
        /// Address to connect to.
        address: SocketAddr,
    },
    /// TCP: accept one connection.
    Accept {
        /// The listener.
        fd: i32,
    },
    /// UDP: bind.
    Udp {
        /// Address to bind to; port 0 lets the kernel choose.
        address: SocketAddr,
    },
    /// UDP: connect.
    UdpConnect {
        /// The socket.
        fd: i32,
        /// Address to connect to.
        address: SocketAddr,
    },
    /// UDP: disconnect.
    Disconnect {
        /// The socket.
        fd: i32,
    },
    /// Tell the addresses of a socket.
    Describe {
        /// The socket.
        fd: i32,
    },
    /// UDP: send one datagram, or two, to somebody.
    SendBy {
        /// The socket.
        fd: i32,
        /// System call to send by.
        by: By,
        /// Number of bytes.
        bytes: u64,
        /// Address of the receiver.
        to: SocketAddr,
    },
    /// Send: all of it (TCP) or one datagram (UDP).
    Send {
        /// The socket.
        fd: i32,
        /// Number of bytes.
        bytes: u64,
        /// For unconnected UDP.
        to: Option<SocketAddr>,
    },
    /// Send these bytes: all of them (TCP) or as one datagram (UDP).
    SendBytes {
        /// The socket.
        fd: i32,
        /// Bytes to send.
        payload: Vec<u8>,
        /// For unconnected UDP.
        to: Option<SocketAddr>,
    },
    /// Set a socket option.
    SetOption {
        /// The socket.
        fd: i32,
        /// Level of the option, such as `IPPROTO_IPV6`.
        level: i32,
        /// Name of the option, such as `IPV6_DSTOPTS`.
        name: i32,
        /// Value as the kernel reads it.
        value: Vec<u8>,
    },
    /// Receive exactly so much (TCP) or one datagram (UDP).
    Receive {
        /// The socket.
        fd: i32,
        /// TCP only.
        bytes: u64,
    },
    /// Look at what waits, and leave it.
    Peek {
        /// The socket.
        fd: i32,
    },
    /// Limit what may wait to be received (`SO_RCVBUF`).
    ReceiveBuffer {
        /// The socket.
        fd: i32,
        /// Half of what the kernel makes of it.
        bytes: u32,
    },
    /// UDP: receive the datagrams that wait, and tell how many there were.
    Waiting {
        /// The socket.
        fd: i32,
    },
    /// Receive until the peer closes or resets.
    Drain {
        /// The socket.
        fd: i32,
    },
    /// Send from a file without going through user space.
    SendFile {
        /// The socket.
        fd: i32,
        /// Number of bytes.
        bytes: u64,
    },
    /// Send from a pipe without going through user space.
    Splice {
        /// The socket.
        fd: i32,
        /// Number of bytes, at most a pipe's 64 KiB.
        bytes: u64,
    },
    /// Half-close: no more to send.
    Shutdown {
        /// The socket.
        fd: i32,
    },
    /// `SO_LINGER` 0: close resets.
    Linger {
        /// The socket.
        fd: i32,
    },
    /// Close.
    Close {
        /// The socket.
        fd: i32,
    },
    /// Fork; the child is a worker too, on the channel that comes with the answer.
    Fork,
    /// Do a step on a thread of its own.
    Threaded(Box<Command>),
    /// The descriptor that comes with this leads to another worker.
    Link,
    /// Hand a socket to the linked worker and close it here.
    Pass {
        /// The socket.
        fd: i32,
    },
    /// Take the socket that the linked worker passed.
    Take,
    /// Become another user, with all ids or only with the effective ones.
    SetIds {
        /// User id.
        uid: u32,
        /// Group id.
        gid: u32,
        /// The real and saved ids stay.
        effective: bool,
    },
    /// So many connections one after the other: connect, send, receive, close.
    Burst {
        /// Address to connect to.
        address: SocketAddr,
        /// Number of connections.
        count: u32,
        /// Bytes each way.
        bytes: u64,
    },
    /// Serves the connections of [`Command::Burst`].
    Serve {
        /// The listener.
        fd: i32,
        /// Number of connections.
        count: u32,
        /// Bytes each way.
        bytes: u64,
    },
    /// Take these steps without a word and exit at once.
    LastWords(Vec<Command>),
}

/// A socket of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sock {
    /// Descriptor in the worker.
    pub fd: i32,
    /// Local address.
    pub local: SocketAddr,
    /// Address of the peer, if it is connected.
    pub peer: Option<SocketAddr>,
}

/// The answer to a [`Command`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// Done, nothing to say.
    Done,
    /// A socket was opened.
    Socket(Sock),
    /// Something was received.
    Received {
        /// Number of bytes.
        bytes: u64,
        /// UDP: from whom.
        from: Option<SocketAddr>,
        /// The peer reset the connection.
        reset: bool,
    },
    /// So many datagrams waited.
    Waited(u64),
    /// A child came to be.
    Forked {
        /// Process id of the child.
        pid: u32,
    },
    /// The connections of a burst: local and remote address.
    ManyConnections(Vec<(SocketAddr, SocketAddr)>),
    /// A system call failed.
    Failed {
        /// `errno`; 0 if there was none.
        errno: i32,
        /// Reason in words.
        reason: String,
    },
}
