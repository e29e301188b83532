//! What may be missing, counted where it happens.

use crate::netlink::{ControlCounters, ReceiverCounters};

/// Sums since the start of the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveCounters {
    /// Counters of requests and answers.
    pub control: ControlCounters,
    /// Counters of messages.
    pub receiver: ReceiverCounters,
    /// Records that found the agent's queue full and were dropped.
    pub queue_dropped: u64,
    /// How often the reader waited for room in the queue.
    pub queue_waits: u64,
    /// Records that the kernel says it has lost.
    pub kernel_lost: u64,
    /// Ticks for which audited processes had to wait; 0 where the kernel does not report it.
    pub kernel_waited: u64,
    /// Records that still waited in the kernel when the agent ended.
    pub left_behind: u64,
    /// How often the kernel had dropped the agent as audit daemon, and took it again.
    pub reregistered: u64,
    /// Rules that the kernel did not take, with `ignore_errors`.
    pub rules_refused: u64,
}
