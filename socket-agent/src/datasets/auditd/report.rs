//! The last words: what was done, and every counter of what may be missing.

use serde_json::Value;

use super::Worker;
use audit::live::LiveCounters;

/// Each as one line of JSON.
pub(super) fn log(live: &LiveCounters, worker: &Worker) {
    let line = |values: Vec<(&'static str, u64)>| -> Value {
        values.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
    };
    let stream = worker.stream.totals();
    let events = stream.counters;
    let totals = vec![
        ("audit_records", events.records),
        ("audit_events", events.events),
        ("audit_documents", worker.publisher.documents()),
        ("audit_warnings", stream.warnings),
    ];
    log::info!(target: "audit", "totals {}", line(totals));
    let counters = vec![
        ("audit_kernel_lost", live.kernel_lost),
        ("audit_kernel_waited", live.kernel_waited),
        ("audit_left_behind", live.left_behind),
        ("audit_receive_overruns", live.receiver.overruns),
        ("audit_receive_foreign", live.receiver.foreign),
        ("audit_receive_short", live.receiver.short),
        ("audit_receive_cut", live.receiver.cut),
        ("audit_reregistered", live.reregistered),
        ("audit_control_foreign", live.control.foreign),
        ("audit_control_overruns", live.control.overruns),
        ("audit_control_short", live.control.short),
        ("audit_rules_refused", live.rules_refused),
        ("audit_queue_dropped", live.queue_dropped),
        ("audit_queue_waits", live.queue_waits),
        ("audit_unparsed", stream.unparsed),
        ("audit_sequence_gaps", events.gaps),
        ("audit_sequence_lost", events.lost),
        ("audit_late", events.late),
        ("audit_duplicates", events.duplicates),
        ("audit_resumed", events.resumed),
        ("audit_timed_out", events.timed_out),
        ("audit_records_cut", events.cut),
        ("audit_evicted", events.evicted),
        ("audit_own", worker.host.own()),
    ];
    log::info!(target: "audit", "counters {}", line(counters));
}
