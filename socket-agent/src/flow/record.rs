//! What is reported of a flow.

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

/// A flow that is due for a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRecord {
    /// The kernel's facts; `traffic`, `first` and `last` cover this record only.
    pub flow: Flow,
    /// Who began.
    pub direction: Direction,
    /// No further record of this flow follows.
    pub is_final: bool,
    /// Beginning and end were both seen.
    pub complete: bool,
}
