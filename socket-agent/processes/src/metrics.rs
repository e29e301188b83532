//! Counters of the process table.

use metrics::Metric;

use crate::{ProcessCounters, ProcessTable};

metrics::metrics! {
    /// Those of the process table.
    pub METRICS;
    PROCESS_UNRESOLVED = Notice {
        name: "process_unresolved",
        unit: "processes",
        counts: "owners of whom only the kernel's short name is known",
        missing: "arguments, executable, parent and working directory",
        remedy: "see `process_lost`; run the agent in the host's pid namespace",
    };
    PROCESS_EVICTED = Notice {
        name: "process_evicted",
        unit: "processes",
        counts: "processes dropped for lack of room in the agent's table of 65,536: running \
            ones, and those gone for less than two minutes",
        missing: "as `process_unresolved` if the process is gone when its flow is reported",
        remedy: "none: the size is fixed",
    };
    ARGS_TRUNCATED = Total {
        name: "args_truncated",
        unit: "processes",
        counts: "processes whose arguments were cut; such documents say so in \
            `system.audit.socket.args_truncated`",
    };
    PROCESSES_KNOWN = Gauge {
        name: "processes_known",
        unit: "processes",
        counts: "processes in the agent's table, running and gone",
    };
}

impl ProcessTable {
    /// Each counter, and how many processes are known, with its metric.
    pub fn values(&self) -> [(&'static Metric, u64); 4] {
        // Whoever had to be read from /proc late is not missing there.
        let ProcessCounters {
            evicted_exited,
            evicted_running,
            read_late: _,
            unresolved,
            args_truncated,
        } = self.counters();
        [
            (&PROCESS_UNRESOLVED, unresolved),
            (&PROCESS_EVICTED, evicted_exited + evicted_running),
            (&ARGS_TRUNCATED, args_truncated),
            (&PROCESSES_KNOWN, self.len() as u64),
        ]
    }
}
