//! What the socket dataset counts beside its parts.

metrics::metrics! {
    /// Those of the socket dataset.
    pub(crate) METRICS;
    pub(super) DOCUMENTS = Total {
        name: "documents",
        unit: "documents",
        counts: "documents written",
    };
    pub(super) SOCKETS = Total {
        name: "sockets",
        unit: "documents",
        counts: "documents of sockets: docs/sockets.md",
    };
    pub(super) CLOCK_STEPS = Total {
        name: "clock_steps",
        unit: "steps",
        counts: "times that the wall clock was found to have moved by more than \
            `socket.clock_max_drift`",
    };
    pub(super) TABLE_READ_FAILURES = Loss {
        name: "table_read_failures",
        unit: "reads",
        counts: "reads or removals of table entries that the kernel refused",
        missing: "late packets of a flow, the final report of an idle one, or who listens",
        remedy: "see the warning beside it in the log",
    };
    pub(super) SOCKET_NAMESPACES_MISSED = Loss {
        name: "socket_namespaces_missed",
        unit: "namespaces",
        counts: "network namespaces that a report of open sockets left out: beyond 4,096, or not \
            to be entered (the log tells)",
        missing: "the open sockets there, in that report",
        remedy: "run the agent with `CAP_SYS_ADMIN`",
    };
    pub(super) SOCKET_REPORTS_FAILED = Loss {
        name: "socket_reports_failed",
        unit: "reports",
        counts: "reports of open sockets that could not be made (the log tells)",
        missing: "that report",
        remedy: "run the agent as root in the host's pid namespace",
    };
}
