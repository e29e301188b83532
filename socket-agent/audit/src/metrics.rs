//! Counters of the audit dataset.

use metrics::Metric;

use crate::{live::LiveCounters, reassembly::Counters, stream::Totals};

metrics::metrics! {
    /// Those of the audit dataset.
    pub METRICS;
    AUDIT_KERNEL_LOST = Loss {
        name: "audit_kernel_lost",
        unit: "records",
        counts: "records that the kernel says it has lost, for anybody: its backlog or its rate \
            limit was exceeded, or it had no memory",
        missing: "those records, or their events",
        remedy: "raise `backlog_limit` and `reassembler.queue_size`, give the agent more CPU, \
            audit less",
    };
    AUDIT_KERNEL_WAITED = Notice {
        name: "audit_kernel_waited",
        unit: "ticks",
        counts: "clock ticks for which audited processes had to wait (5.9)",
        missing: "nothing",
        remedy: "use another `backpressure_strategy` than `none`",
    };
    AUDIT_LEFT_BEHIND = Loss {
        name: "audit_left_behind",
        unit: "records",
        counts: "records that still waited in the kernel two seconds after the order to stop",
        missing: "those records",
        remedy: "audit less",
    };
    AUDIT_RECEIVE_OVERRUNS = Loss {
        name: "audit_receive_overruns",
        unit: "overruns",
        counts: "times that records found the socket's buffer full, with multicast",
        missing: "an unknown number of records; `audit_sequence_lost` counts events of which \
            none came",
        remedy: "raise `audit.receive_buffer`",
    };
    AUDIT_RECEIVE_FOREIGN = Notice {
        name: "audit_receive_foreign",
        unit: "datagrams",
        counts: "datagrams that another process has sent to the agent's socket",
        missing: "nothing",
        remedy: "find out who does that",
    };
    AUDIT_RECEIVE_SHORT = Loss {
        name: "audit_receive_short",
        unit: "datagrams",
        counts: "datagrams too short for a message",
        missing: "whatever they held; it stays zero with a healthy kernel",
        remedy: "report it",
    };
    AUDIT_RECEIVE_CUT = Loss {
        name: "audit_receive_cut",
        unit: "records",
        counts: "records longer than any that kernels make",
        missing: "the end of those records",
        remedy: "report it",
    };
    AUDIT_REREGISTERED = Notice {
        name: "audit_reregistered",
        unit: "registrations",
        counts: "times that the kernel had given up the agent as audit daemon, as those before \
            5.16 do after a pause in reading, and took it again",
        missing: "what was lost meanwhile is in `audit_kernel_lost`",
        remedy: "as for `audit_kernel_lost`",
    };
    AUDIT_CONTROL_FOREIGN = Notice {
        name: "audit_control_foreign",
        unit: "answers",
        counts: "answers to no request of the agent's",
        missing: "nothing",
        remedy: "none is needed",
    };
    AUDIT_CONTROL_OVERRUNS = Notice {
        name: "audit_control_overruns",
        unit: "answers",
        counts: "answers that were lost; the requests were repeated",
        missing: "nothing",
        remedy: "none is needed",
    };
    AUDIT_CONTROL_SHORT = Notice {
        name: "audit_control_short",
        unit: "answers",
        counts: "answers too short for a message",
        missing: "nothing",
        remedy: "report it",
    };
    AUDIT_RULES_REFUSED = Loss {
        name: "audit_rules_refused",
        unit: "rules",
        counts: "rules left out because the kernel refuses them, with `ignore_errors`",
        missing: "what they are about",
        remedy: "see the warnings in the log",
    };
    AUDIT_QUEUE_DROPPED = Loss {
        name: "audit_queue_dropped",
        unit: "records",
        counts: "records that found the agent's queue full and were dropped, with `userspace` or \
            `both`",
        missing: "those records",
        remedy: "raise `reassembler.queue_size`, give the agent more CPU",
    };
    AUDIT_QUEUE_WAITS = Notice {
        name: "audit_queue_waits",
        unit: "waits",
        counts: "times that reading waited for room in the queue",
        missing: "nothing yet: the kernel keeps the records",
        remedy: "raise `reassembler.queue_size` if `audit_kernel_lost` grows",
    };
    AUDIT_RECORDS = Total { name: "audit_records", unit: "records", counts: "audit records taken" };
    AUDIT_EVENTS = Total {
        name: "audit_events",
        unit: "events",
        counts: "audit events put together",
    };
    AUDIT_WARNINGS = Total {
        name: "audit_warnings",
        unit: "warnings",
        counts: "what was strange about audit events",
    };
    AUDIT_UNPARSED = Loss {
        name: "audit_unparsed",
        unit: "records",
        counts: "records without time and number",
        missing: "those records",
        remedy: "report it",
    };
    AUDIT_SEQUENCE_GAPS = Loss {
        name: "audit_sequence_gaps",
        unit: "gaps",
        counts: "gaps in the numbers of events",
        missing: "the events that `audit_sequence_lost` counts",
        remedy: "see `audit_kernel_lost` and `audit_receive_overruns`",
    };
    AUDIT_SEQUENCE_LOST = Loss {
        name: "audit_sequence_lost",
        unit: "events",
        counts: "numbers missing in these gaps: events of which no record came",
        missing: "those events; a few are numbers that the kernel has used for nothing",
        remedy: "see `audit_kernel_lost` and `audit_receive_overruns`",
    };
    AUDIT_LATE = Loss {
        name: "audit_late",
        unit: "records",
        counts: "records of events that were written already as whole",
        missing: "those records",
        remedy: "report it",
    };
    AUDIT_DUPLICATES = Notice {
        name: "audit_duplicates",
        unit: "records",
        counts: "records that came twice",
        missing: "nothing",
        remedy: "none is needed",
    };
    AUDIT_RESUMED = Notice {
        name: "audit_resumed",
        unit: "events",
        counts: "events written as two documents, because the rest came after the timeout, or \
            after `audit_evicted`",
        missing: "nothing",
        remedy: "raise `reassembler.timeout`, or `reassembler.max_in_flight` if `audit_evicted` \
            counts too",
    };
    AUDIT_TIMED_OUT = Notice {
        name: "audit_timed_out",
        unit: "events",
        counts: "events written after the timeout, as nothing had said that they were whole; \
            some kinds have no other end",
        missing: "nothing, mostly",
        remedy: "none is needed",
    };
    AUDIT_RECORDS_CUT = Loss {
        name: "audit_records_cut",
        unit: "records",
        counts: "records of one event beyond 65,536, or beyond 32 MiB of memory",
        missing: "those records; the document says `records` in `auditd.incomplete`",
        remedy: "none: such an event has a file or a process in each record, and a narrower rule \
            has fewer",
    };
    AUDIT_EVICTED = Notice {
        name: "audit_evicted",
        unit: "events",
        counts: "events written early, because more than may wait were waiting, or because their \
            records took more than 64 MiB, and 8 KiB for each that may wait",
        missing: "nothing, unless `audit_resumed` or `audit_late` counts too",
        remedy: "raise `reassembler.max_in_flight`",
    };
    pub AUDIT_DOCUMENTS = Total {
        name: "audit_documents",
        unit: "documents",
        counts: "documents written of them",
    };
    pub AUDIT_OWN = Notice {
        name: "audit_own",
        unit: "events",
        counts: "system calls of the agent itself, where another daemon's rules ask for them",
        missing: "those events",
        remedy: "none is needed",
    };
}

impl LiveCounters {
    /// The counters with their metrics.
    pub fn values(&self) -> [(&'static Metric, u64); 14] {
        let Self {
            control,
            receiver,
            queue_dropped,
            queue_waits,
            kernel_lost,
            kernel_waited,
            left_behind,
            reregistered,
            rules_refused,
        } = *self;
        [
            (&AUDIT_KERNEL_LOST, kernel_lost),
            (&AUDIT_KERNEL_WAITED, kernel_waited),
            (&AUDIT_LEFT_BEHIND, left_behind),
            (&AUDIT_RECEIVE_OVERRUNS, receiver.overruns),
            (&AUDIT_RECEIVE_FOREIGN, receiver.foreign),
            (&AUDIT_RECEIVE_SHORT, receiver.short),
            (&AUDIT_RECEIVE_CUT, receiver.cut),
            (&AUDIT_REREGISTERED, reregistered),
            (&AUDIT_CONTROL_FOREIGN, control.foreign),
            (&AUDIT_CONTROL_OVERRUNS, control.overruns),
            (&AUDIT_CONTROL_SHORT, control.short),
            (&AUDIT_RULES_REFUSED, rules_refused),
            (&AUDIT_QUEUE_DROPPED, queue_dropped),
            (&AUDIT_QUEUE_WAITS, queue_waits),
        ]
    }
}

impl Totals {
    /// The counters with their metrics.
    pub fn values(&self) -> [(&'static Metric, u64); 12] {
        let Self { counters, unparsed, warnings } = *self;
        // Events with a sure end need no remedy, and a sequence begins anew only in logs.
        let Counters {
            records,
            events,
            complete: _,
            timed_out,
            evicted,
            cut,
            late,
            duplicates,
            resumed,
            gaps,
            lost,
            restarts: _,
        } = counters;
        [
            (&AUDIT_RECORDS, records),
            (&AUDIT_EVENTS, events),
            (&AUDIT_WARNINGS, warnings),
            (&AUDIT_UNPARSED, unparsed),
            (&AUDIT_SEQUENCE_GAPS, gaps),
            (&AUDIT_SEQUENCE_LOST, lost),
            (&AUDIT_LATE, late),
            (&AUDIT_DUPLICATES, duplicates),
            (&AUDIT_RESUMED, resumed),
            (&AUDIT_TIMED_OUT, timed_out),
            (&AUDIT_RECORDS_CUT, cut),
            (&AUDIT_EVICTED, evicted),
        ]
    }
}
