//! Where kernels differ from what the programs are written for. Each row is known and meant; the
//! tests fail on any other.

/// Fields that one kernel lacks, or has in another form.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    /// Fields that are not there, or of another kind. The programs read them as zero.
    pub(crate) absent: &'static [&'static str],
    /// Fields that are bit fields. The loader's library gives the offset of the storage unit, not that of the byte
    /// the field begins in, which the agent corrects.
    pub(crate) bits: &'static [&'static str],
}

/// The field `start_boottime` had this name before 5.5.
pub(crate) const OLD_START: &str = "task_struct.real_start_time";

/// Fields with two names, of which each kernel knows one: older first. 6.15 renamed the first row's.
pub(crate) const RENAMED: [[&str; 2]; 1] = [["kernfs_node.parent", "kernfs_node.__parent"]];

/// Counters of dropped datagrams that UDP sockets have of their own since 6.18; a kernel has all of
/// these or none.
pub(crate) const DROPS: [&str; 3] = [
    "numa_drop_counters.drops0.counter",
    "numa_drop_counters.drops1.counter",
    "sock.sk_drop_counters",
];

/// Described only where conntrack, or what looks into its entries, is built into the kernel; else the
/// programs take the layout that has never changed.
pub(crate) const OF_MODULES: [&str; 1] = ["nf_conn.tuplehash"];

/// What MPTCP is made of, since 5.6 where a kernel is built with it; a kernel has all of these or none.
pub(crate) const MPTCP: [&str; 6] = [
    "mptcp_sock.conn_list",
    "mptcp_sock.first",
    "mptcp_subflow_context.conn",
    "mptcp_subflow_context.node",
    "mptcp_subflow_context.tcp_sock",
    "tcp_sock.is_mptcp",
];

/// Kernels that have all fields.
pub(crate) const CURRENT: Differences = Differences { absent: &[OLD_START], bits: &[] };

/// Before 5.5 (`kernfs_node.id` was a union, so processes have no cgroup id) and 5.6 (`sk_protocol`
/// and `sk_type` were bit fields).
pub(crate) const BEFORE_5_5: Differences = Differences {
    absent: &["kernfs_node.id", "task_struct.start_boottime"],
    bits: &["sock.sk_protocol", "sock.sk_type"],
};
