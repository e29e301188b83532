//! Networks to test on: anonymous network namespaces, veth pairs, addresses, offloads, translation, loss.
//!
//! Namespaces have no name and live as long as a descriptor or a process holds them: nothing is
//! left behind when a run is killed.

pub mod ethtool;
pub mod link;
pub mod mptcp;
mod namespace;
pub mod nat;
mod netlink;
pub mod watch;
pub mod xdp;

pub use namespace::Netns;
