//! The flow state machine: how packets and events change flows, handshakes and owners.
//!
//! Both sides that keep flows follow these rules: the eBPF programs, whose tables are maps of the kernel, and the
//! agent where it aggregates trace events itself. What differs is where a table is, and that several CPUs write
//! to those of the kernel; the latter is why counters are added to by a function that the caller gives.
//!
//! Nothing here allocates, panics or refers to data, and all of it is inlined: programs for kernels before 4.16
//! have no functions, those before 5.2 no data.
//!
//! | event | rule |
//! |---|---|
//! | a flow begins | [`Flow::begin`], [`Flow::begin_peer`] |
//! | packets pass | [`Flow::account`], [`Late::account`], [`Pending::account`] |
//! | a packet has no flow yet | [`tcp::without_flow`], [`handshake::step`] |
//! | a connection comes out of its handshake | [`Flow::take_handshake`] |
//! | a TCP socket changes state | [`tcp::Change::between`], [`Flow::note_established`], [`Tcp::close`] |
//! | a process acts on a socket | [`Flow::give_owner`], [`owner::of_sender`] |
//!
//! [`Flow::begin`]: crate::Flow::begin
//! [`Flow::begin_peer`]: crate::Flow::begin_peer
//! [`Flow::account`]: crate::Flow::account
//! [`Late::account`]: crate::Late::account
//! [`Pending::account`]: crate::Pending::account
//! [`Flow::take_handshake`]: crate::Flow::take_handshake
//! [`Flow::note_established`]: crate::Flow::note_established
//! [`Tcp::close`]: crate::Tcp::close
//! [`Flow::give_owner`]: crate::Flow::give_owner

pub mod ends;
mod flow;
pub mod handshake;
pub mod owner;
pub mod tcp;
mod traffic;
pub mod udp;
pub mod wire;

pub use ends::Peer;
pub use traffic::Way;
