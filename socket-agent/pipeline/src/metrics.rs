//! Counters of outputs and the queue.

use metrics::{Metric, Values};

use crate::{OutputCounters, Pipeline, Stopped};

metrics::metrics! {
    /// Those of outputs and of the queue.
    pub METRICS;
    OUTPUT_DELIVERED = Total {
        name: "output_delivered",
        unit: "documents",
        counts: "documents that outputs have taken; each output counts",
    };
    OUTPUT_REFUSED = Loss {
        name: "output_refused",
        unit: "documents",
        counts: "documents that an output will never take",
        missing: "those documents, there",
        remedy: "see the log",
    };
    OUTPUT_RETRIES = Notice {
        name: "output_retries",
        unit: "deliveries",
        counts: "deliveries that failed and were tried again",
        missing: "nothing",
        remedy: "see the warning in the log",
    };
    OUTPUT_UNDELIVERED = Loss {
        name: "output_undelivered",
        unit: "documents",
        counts: "documents that had not reached an output when the agent ended",
        missing: "those documents, there",
        remedy: "see the warning in the log",
    };
    pub OUTPUT_WAITED_MS = Total {
        name: "output_waited_ms",
        unit: "milliseconds",
        counts: "time that the socket dataset has waited for the output: more than 16 MiB waited \
            to be written",
    };
    OUTPUT_QUEUED = Gauge {
        name: "output_queued",
        unit: "bytes",
        counts: "documents in the queue, which no output, or not each, has taken yet",
    };
}

impl OutputCounters {
    /// The counters with their metrics.
    pub fn values(&self) -> [(&'static Metric, u64); 4] {
        let Self { delivered, refused, undelivered, retries } = *self;
        [
            (&OUTPUT_DELIVERED, delivered),
            (&OUTPUT_REFUSED, refused),
            (&OUTPUT_RETRIES, retries),
            (&OUTPUT_UNDELIVERED, undelivered),
        ]
    }
}

impl Pipeline {
    /// What all outputs together have done, and what waits.
    pub fn values(&self) -> Values {
        let outputs = self.counters();
        let mut values: Values =
            outputs.iter().flat_map(|(_, counters)| counters.values()).collect();
        values.add(&OUTPUT_QUEUED, self.queued() as u64);
        values
    }
}

impl Stopped {
    /// Sums of the counters of all outputs.
    pub fn values(&self) -> Values {
        self.counters().iter().flat_map(|(_, counters)| counters.values()).collect()
    }
}
