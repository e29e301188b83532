//! Every place on the kernel side where something can be missed has a counter here.

/// Index into the per-CPU counter array.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Packets that belong to no flow because the flow table was full.
    FlowTableFull = 0,
    /// UDP packets that belong to no flow because the peer table was full.
    PeerTableFull = 1,
    /// Closed flows lost: the ring and the spill table were both full.
    ClosedLost = 2,
    /// Closed flows that took the spill table because the ring was full. Not lost.
    Spilled = 3,
    /// Process events that the ring had no room for.
    ProcessLost = 4,
    /// Socket owners not kept because the table was full.
    OwnerTableFull = 5,
    /// Connections accepted whose handshake was not in the table any more: up to three packets
    /// are missing from the flow.
    PendingMissed = 6,
    /// Packets of closed connections that belong to no flow still held.
    LateUnmatched = 7,
    /// Closed flows whose late packets could not be tracked because that table was full.
    LateTableFull = 8,
    /// Packets that could not be read or parsed.
    Unparsed = 9,
    /// Flows that began without the socket's beginning having been seen.
    Midway = 10,
    /// Late packets that could not be handed over when their place was taken.
    LateLost = 11,
    /// Packets of the flows in `ClosedLost`.
    ClosedLostPackets = 12,
    /// Connects, and connections found at the start, that found the flow table full.
    OpenTableFull = 13,
    /// Opened and closed sockets that the ring had no room for.
    SocketLost = 14,
    /// DNS packets that their ring had no room for.
    DnsDropped = 15,
    /// Handshakes that found their table full.
    PendingFull = 16,
}

/// Length of the counter array.
pub const COUNTERS: u32 = 17;
