//! Records: reports of flows.

use socket_common::Flow;

/// Which end began the conversation, as seen from this host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// The remote end began: it is client and source.
    Ingress,
    /// This end began: the local end is client and source.
    Egress,
    /// Not known; the end with the higher port is taken for the client.
    #[default]
    Unknown,
}

/// Why a flow is reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    /// The socket was closed.
    #[default]
    Closed,
    /// Nothing crossed it for the inactivity timeout.
    Idle,
    /// It has gone on for the report period, and still does.
    Period,
    /// The agent stops.
    Stop,
}

/// A flow that is due for a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRecord {
    /// The kernel's facts; `id`, `traffic`, `first` and `last` are those of what is reported: the flow
    /// since its beginning, or since its last pause.
    pub flow: Flow,
    /// Direction: the end that began.
    pub direction: Direction,
    /// Why it is reported now.
    pub cause: Cause,
    /// No further record with these counts follows.
    pub is_final: bool,
    /// No record with some of these counts went before.
    pub is_first: bool,
    /// TCP: the handshake was seen, from connect or accept on, and lies in this record.
    pub complete: bool,
    /// When its counts were taken, boottime nanoseconds.
    pub until: u64,
}
