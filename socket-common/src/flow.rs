//! Flows, their owners and the keys they are found by.

#[cfg(feature = "user")]
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::rules::Peer;

/// A conversation as one socket sees it. 48 bytes, no padding.
///
/// Both ends of a loopback connection have a tuple each, with local and remote exchanged.
///
/// Aligned so that the eBPF programs copy addresses by words.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, KnownLayout, Immutable))]
pub struct Tuple {
    /// Local address: four words whose bytes in memory are in network order. IPv4 in the first word,
    /// the rest zero.
    pub local: [u32; 4],
    /// Remote address, as `local`.
    pub remote: [u32; 4],
    /// Local port.
    pub local_port: u16,
    /// Remote port.
    pub remote_port: u16,
    /// Inode number of the network namespace (`/proc/<pid>/ns/net`).
    pub netns: u32,
    /// [`FAMILY_IPV4`](crate::FAMILY_IPV4) or [`FAMILY_IPV6`](crate::FAMILY_IPV6).
    pub family: u8,
    /// [`PROTO_TCP`](crate::PROTO_TCP) or [`PROTO_UDP`](crate::PROTO_UDP).
    pub protocol: u8,
    /// Zero.
    pub reserved: u16,
    /// Zero.
    pub reserved2: u32,
}

#[cfg(feature = "user")]
impl Tuple {
    /// An address of this tuple (`local` or `remote`) as sixteen bytes in network order.
    pub fn address_bytes(address: [u32; 4]) -> [u8; 16] {
        let mut bytes = [0; 16];
        for (chunk, word) in bytes.chunks_exact_mut(4).zip(address) {
            chunk.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    /// Sixteen bytes in network order as an address of a tuple.
    pub fn address_words(bytes: [u8; 16]) -> [u32; 4] {
        let word = |at: usize| {
            u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        [word(0), word(4), word(8), word(12)]
    }
}

/// How sure the kernel side is of an owner; a higher rank replaces a lower one.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// No task is known.
    #[default]
    Unknown = 0,
    /// Holds a descriptor of the socket, found when the agent started.
    Holder = 1,
    /// Took a port for the socket.
    Creator = 2,
    /// Owns the listening socket that the connection came in through.
    Listener = 3,
    /// Called connect or accept.
    Opener = 4,
    /// Was the first to send or to receive data.
    FirstIo = 5,
}

/// The task behind a socket. 56 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, KnownLayout, Immutable))]
pub struct Owner {
    /// Start of the process (thread group leader), boottime nanoseconds.
    pub start: u64,
    /// Cgroup v2 id (inode number of the directory); 0 if the kernel has none.
    pub cgroup: u64,
    /// Process id in the initial pid namespace; 0 means that no owner is known.
    pub pid: u32,
    /// Thread id in the initial pid namespace.
    pub tid: u32,
    /// Real user id, initial user namespace.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Effective group id.
    pub egid: u32,
    /// Name of the thread group leader, NUL-padded, as two words in memory order.
    pub comm: [u64; 2],
}

#[cfg(feature = "user")]
impl Owner {
    /// The same owner with another name.
    pub fn with_comm(mut self, bytes: [u8; 16]) -> Self {
        let (low, high) = bytes.split_at(8);
        for (word, part) in self.comm.iter_mut().zip([low, high]) {
            let mut whole = [0; 8];
            whole.copy_from_slice(part);
            *word = u64::from_ne_bytes(whole);
        }
        self
    }

    /// The bytes of `comm`, with the NULs at its end.
    pub fn comm_bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.comm[0].to_ne_bytes());
        bytes[8..].copy_from_slice(&self.comm[1].to_ne_bytes());
        bytes
    }
}

/// Packets and bytes, as on the wire: IP packets, IP total length; an offloaded buffer counts as
/// its segments. 32 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, KnownLayout, Immutable))]
pub struct Traffic {
    /// IP packets sent.
    pub packets_out: u64,
    /// Sum of the IP total lengths sent.
    pub bytes_out: u64,
    /// IP packets received.
    pub packets_in: u64,
    /// Sum of the IP total lengths received.
    pub bytes_in: u64,
}

/// Kinds of first events of a flow.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Began {
    /// Traffic on a socket whose beginning was not seen.
    #[default]
    Midway = 0,
    /// TCP: connect was called.
    Connect = 1,
    /// TCP: the connection came in through a listener.
    Accept = 2,
    /// UDP: the first packet was sent.
    Send = 3,
    /// UDP: the first packet was received.
    Receive = 4,
    /// The socket was open when the agent started.
    Existing = 5,
}

/// State of a TCP connection when its flow was handed over. 24 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, KnownLayout, Immutable))]
pub struct Tcp {
    /// Retransmitted segments.
    pub retransmits: u32,
    /// Smoothed round-trip time in microseconds; 0 if never measured.
    pub srtt_us: u32,
    /// `sk_err`, a positive errno, when the connection closed; 0 if it ended in order.
    pub error: u32,
    /// TCP state (`TCP_ESTABLISHED` = 1 ...) that the connection left to be closed; in the tables 0
    /// while it is open.
    pub state: u8,
    /// 1 if `retransmits` was read; 0 where the member of the kernel's structure is not known.
    pub counted: u8,
    /// Zero.
    pub reserved: u16,
    /// Time from SYN to the connection being established, nanoseconds; 0 if it never was.
    pub connect_ns: u64,
}

/// The socket has further UDP peers in the peer table.
pub const FLAG_HAS_PEERS: u8 = 1;
/// TCP, accepted: the handshake is still in the table of handshakes, whose counts this flow has taken.
pub const FLAG_HANDSHAKE: u8 = 2;
/// UDP: the socket was open before the agent started, so that earlier packets may not have been seen.
pub const FLAG_EXISTING: u8 = 4;

/// One flow as the kernel keeps it and hands it over. 224 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, KnownLayout, Immutable))]
pub struct Flow {
    /// Unique while the programs stay loaded; never 0.
    pub id: u64,
    /// Kernel address of the `struct sock`.
    pub sock: u64,
    /// Id of the first flow of the same socket: links UDP peers to the socket they belong to.
    pub socket_id: u64,
    /// Addresses, ports, network namespace.
    pub tuple: Tuple,
    /// The task behind it.
    pub owner: Owner,
    /// Traffic since `first`.
    pub traffic: Traffic,
    /// First packet or connect, boottime nanoseconds.
    pub first: u64,
    /// Last packet.
    pub last: u64,
    /// First packet after the last pause of at least the idle timeout; 0 if there was none.
    pub resumed: u64,
    /// When the socket closed; 0 while it is open.
    pub ended: u64,
    /// TCP only; zero for UDP.
    pub tcp: Tcp,
    /// Kind of the first event, a [`Began`].
    pub began: u8,
    /// Rank of `owner`, a [`Rank`].
    pub rank: u8,
    /// `FLAG_*`.
    pub flags: u8,
    /// Zero.
    pub reserved: u8,
    /// UDP, first peer of a socket: datagrams that the socket has dropped since the flow began. While
    /// it is open: the socket's own count when the flow began.
    pub drops: u32,
}

/// What the structure of an open socket says at a moment. 64 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, KnownLayout, Immutable))]
pub struct Sample {
    /// The socket's, to tell it from another that took its address; zero if it is no TCP or UDP
    /// socket.
    pub tuple: Tuple,
    /// TCP: retransmitted segments. UDP: datagrams dropped.
    pub count: u32,
    /// TCP: smoothed round-trip time in microseconds; 0 if never measured.
    pub srtt_us: u32,
    /// State, as in [`Tcp`]; that of a UDP socket is 1 if it is connected, else 7.
    pub state: u8,
    /// 1 if `count` was read; 0 where the member of the kernel's structure is not known.
    pub counted: u8,
    /// Zero.
    pub reserved: u16,
    /// Zero.
    pub reserved2: u32,
}

/// Sockets that are sampled in one run of the program.
pub const SAMPLES: usize = 4;

/// Most subflows of an MPTCP connection that are looked at when the agent starts: no more than eight can be added
/// to one (`MPTCP_SUBFLOWS_MAX`).
pub const MOST_SUBFLOWS: u64 = 9;

/// Which subflows of MPTCP connections are looked at in a run over all open files. 16 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, KnownLayout, Immutable))]
pub struct SubflowWalk {
    /// Their number in each connection's list.
    pub number: u64,
    /// Not zero if a connection has more.
    pub more: u64,
}

/// Key of the peer table: further flows of one UDP socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, KnownLayout, Immutable))]
pub struct PeerKey {
    /// [`Flow::socket_id`].
    pub socket_id: u64,
    /// Remote address, as in [`Tuple`].
    pub remote: [u32; 4],
    /// Remote port.
    pub port: u16,
    /// As in [`Tuple`].
    pub family: u8,
    /// Zero.
    pub reserved: u8,
    /// Local port: a socket that is disconnected may get another.
    pub local_port: u16,
    /// Zero.
    pub reserved2: u16,
}

impl PeerKey {
    /// Of a flow that is not its socket's first.
    pub fn of(flow: &Flow) -> Self {
        let Tuple { remote: address, remote_port: port, family, .. } = flow.tuple;
        Self::new(flow.socket_id, &Peer { address, port, family }, flow.tuple.local_port)
    }
}

/// Packets of a connection that has no socket of its own any more: TIME_WAIT, resets after close.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, KnownLayout, Immutable))]
pub struct Late {
    /// [`Flow::id`] of the closed flow.
    pub flow: u64,
    /// Since the flow was handed over.
    pub traffic: Traffic,
    /// Last of these packets; 0 if there was none.
    pub last: u64,
}

/// Packets of a TCP handshake before the child socket exists.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, KnownLayout, Immutable))]
pub struct Pending {
    /// Kernel address of the listening `struct sock`.
    pub listener: u64,
    /// Kernel address of the socket that came of it, once its flow has taken the counts; 0 before.
    pub child: u64,
    /// Arrival of the first SYN.
    pub first: u64,
    /// Last packet.
    pub last: u64,
    /// SYNs received, SYN-ACKs sent, and the final ACK.
    pub traffic: Traffic,
    /// What of `traffic` the child's flow has taken.
    pub taken: Traffic,
}

/// Owner of a socket that has no flow yet: a listener, or a bound UDP socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, KnownLayout, Immutable))]
pub struct SocketOwner {
    /// Remote part zero; local address may be the wildcard.
    pub tuple: Tuple,
    /// The task behind it.
    pub owner: Owner,
    /// Since when it listens or is bound, boottime nanoseconds; 0 if since before the start.
    pub since: u64,
    /// Inode number of the socket, as `/proc/<pid>/fd` shows it.
    pub inode: u64,
    /// Rank of the owner, a [`Rank`].
    pub rank: u8,
    /// 1 for a listening TCP socket.
    pub listening: u8,
    /// 1 if a [`SocketEvent`](crate::SocketEvent) has told, or should have told, of it.
    pub announced: u8,
    /// 1 for a connection, which is never in the table.
    pub connection: u8,
    /// Zero.
    pub reserved2: u32,
}

// The agent reads these from memory that the programs wrote: the layouts must not drift apart, nor
// hold padding.
const _: () = {
    assert!(size_of::<Tuple>() == 48);
    assert!(size_of::<Owner>() == 56);
    assert!(size_of::<Traffic>() == 32);
    assert!(size_of::<Tcp>() == 24);
    assert!(size_of::<Flow>() == 24 + 48 + 56 + 32 + 32 + 24 + 8);
    assert!(size_of::<Sample>() == 64);
    assert!(size_of::<PeerKey>() == 32);
    assert!(size_of::<Late>() == 48);
    assert!(size_of::<Pending>() == 96);
    assert!(size_of::<SocketOwner>() == 48 + 56 + 24);
};
