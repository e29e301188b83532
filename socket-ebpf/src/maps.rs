//! Tables shared with the agent. Sizes given here are replaced when the object is loaded.

use aya_ebpf::{
    helpers::generated::bpf_get_smp_processor_id,
    macros::map,
    maps::{Array, HashMap, PerCpuArray},
};
use socket_common::{
    COUNTERS, Counter, ESTABLISHED, ExecEvent, Flow, Late, PeerKey, Pending, SAMPLES, Sample,
    Settings, SocketOwner, SubflowWalk, Tuple,
};

/// One element.
#[map]
pub static SETTINGS: Array<Settings> = Array::with_max_entries(1, 0);

/// By address of the `struct sock`: TCP connections, and the first peer of each UDP socket.
#[map]
pub static FLOWS: HashMap<u64, Flow> = HashMap::with_max_entries(1024, 0);

/// Further peers of UDP sockets.
#[map]
pub static PEERS: HashMap<PeerKey, Flow> = HashMap::with_max_entries(1024, 0);

/// By address of the `struct sock`: listeners and bound UDP sockets.
#[map]
pub static OWNERS: HashMap<u64, SocketOwner> = HashMap::with_max_entries(1024, 0);

/// TCP handshakes that have no socket yet, and those that have been completed a moment ago. What is abandoned
/// the agent removes.
#[map]
pub static PENDING: HashMap<Tuple, Pending> = HashMap::with_max_entries(1024, 0);

/// Packets of closed connections.
#[map]
pub static LATE: HashMap<Tuple, Late> = HashMap::with_max_entries(1024, 0);

/// Closed flows that the ring had no room for, by flow id.
#[map]
pub static SPILL: HashMap<u64, Flow> = HashMap::with_max_entries(1024, 0);

/// Counters by [`Counter`].
#[map]
pub static COUNTS: PerCpuArray<u64> = PerCpuArray::with_max_entries(COUNTERS, 0);

/// The buffer, ports with network namespace, and device that the transmit hook counted last on each
/// CPU: stacked devices show the first two again.
#[map]
pub static LAST_SENT: PerCpuArray<[u64; 3]> = PerCpuArray::with_max_entries(1, 0);

/// The packet that each CPU counted last at a listener, as buffer and contents, and when: where another
/// CPU has made the child meanwhile, the kernel shows the packet again, at the child.
#[map]
pub static LAST_HANDSHAKE: PerCpuArray<[u64; 4]> = PerCpuArray::with_max_entries(1, 0);

/// Sockets whose owner has sent or received, at a place that their address gives: such owners stay. What
/// follows each receipt need not look for the flow.
#[map]
pub static OWNED: Array<u64> = Array::with_max_entries(OWNED_PLACES, 0);

/// The socket whose end was reported last on each CPU, and when: the state hook is attached twice.
#[map]
pub static LAST_CLOSED: PerCpuArray<[u64; 2]> = PerCpuArray::with_max_entries(1, 0);

/// Not zero once a cgroup program has seen a SYN-ACK over IPv6, which older kernels hide from it.
#[map]
pub static SYN_ACK_SEEN: Array<u64> = Array::with_max_entries(1, 0);

/// A flow of zeroes: what new table entries are made from, so that no program needs one on its
/// stack.
#[map]
pub static BLANK: Array<Flow> = Array::with_max_entries(1, 0);

/// The tuple of a new flow, while this CPU makes it.
#[cfg(feature = "perf")]
#[map]
pub static TUPLE: PerCpuArray<Tuple> = PerCpuArray::with_max_entries(1, 0);

/// Which subflows are looked at in a run over all open files.
#[map]
pub static SUBFLOW_WALK: Array<SubflowWalk> = Array::with_max_entries(1, 0);

/// Samples that the sampling program has read.
#[map]
pub static SAMPLED: Array<[Sample; SAMPLES]> = Array::with_max_entries(1, 0);

/// Where an exec event is put together, by each copy of the hook and by the trace event.
#[map]
pub static EXEC: PerCpuArray<ExecEvent> = PerCpuArray::with_max_entries(4, 0);

/// What the first copy of a hook has dealt with and the second has not been shown yet: see
/// [`copies`](crate::hooks::copies).
#[map]
pub static HANDLED: HashMap<u64, u64> = HashMap::with_max_entries(1, 0);

/// By hook and what stood in for its first copy, which was skipped: the second copy, the last, a program of
/// another kind. What the last of these counts may wrap on one CPU, not in the sum.
#[map]
pub static RECOVERED: PerCpuArray<u64> = PerCpuArray::with_max_entries(ESTABLISHED + 1, 0);

/// Places of [`OWNED`], a power of two.
const OWNED_PLACES: u32 = 256;

/// The place of a socket in [`OWNED`].
#[inline(always)]
pub fn owned(sock: u64) -> Option<*mut u64> {
    // The upper bits of a product with the golden ratio: addresses differ in the middle.
    let place = sock.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - OWNED_PLACES.trailing_zeros());
    OWNED.get_ptr_mut(place as u32)
}

/// Adds one to a counter of this CPU.
#[inline(always)]
pub fn count(counter: Counter) {
    count_many(counter, 1);
}

/// Adds to a counter of this CPU.
#[inline(always)]
pub fn count_many(counter: Counter, many: u64) {
    if let Some(value) = COUNTS.get_ptr_mut(counter as u32) {
        // SAFETY: a valid element of this CPU; programs on one CPU that interrupt each other may
        // lose an increment, never corrupt the value.
        unsafe { *value += many }
    }
}

/// A copy-free view of the settings.
#[inline(always)]
pub fn settings() -> Option<&'static Settings> {
    SETTINGS.get(0)
}

/// A number no other flow has while the programs stay loaded.
///
/// Programs that interrupt each other on one CPU read different times, so time and CPU suffice. The
/// shift leaves 208 days before the number wraps, which is harmless.
#[inline(always)]
pub fn next_id(now: u64) -> u64 {
    // SAFETY: no preconditions.
    let cpu = unsafe { bpf_get_smp_processor_id() } as u64;
    (now << 10) | (cpu & 0x3ff)
}
