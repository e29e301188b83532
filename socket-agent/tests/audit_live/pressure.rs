//! More events than can be written.

use std::{
    io::Read as _,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    agent::{Agent, module},
    host::Host,
};

/// Audited calls; their records fill a pipe, a queue, a socket and the kernel's backlog.
const CALLS: usize = 30_000;

/// Calls that the rule of these tests is about, by this thread's process.
fn call() {
    for _ in 0..CALLS {
        // SAFETY: reads a number.
        unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    }
}

/// Makes calls while nobody reads the documents, then reads all; returns how long the calls took,
/// how many documents came, and the counters.
fn press(options: &str) -> (Duration, usize, std::collections::BTreeMap<String, u64>) {
    let rule =
        format!("-a always,exit -F arch=b64 -S getpriority -F pid={} -k press", std::process::id());
    let options = format!(
        "audit.receive_buffer: 64KiB\nreassembler.queue_size: 64\nbacklog_limit: 256\n\
         audit.restore_rules: true\n{options}"
    );
    let (agent, mut pipe) = Agent::stuck(&module(&rule, &options));
    let start = Instant::now();
    call();
    let took = start.elapsed();
    agent.terminate();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    });
    let stopped = agent.wait();
    assert!(stopped.status.success(), "{:#?}", stopped.log);
    let text = reader.join().unwrap();
    let ours = |line: &&str| {
        let document: Value = serde_json::from_str(line).unwrap();
        document["tags"][0] == "press" && document["auditd"]["message_type"] == "syscall"
    };
    (took, text.lines().filter(ours).count(), stopped.counters())
}

#[test]
fn the_kernel_drops_and_counts_and_the_process_goes_on() {
    let host = or_skip!(Host::take());
    let (took, documents, counters) = press("backpressure_strategy: kernel");
    assert!(took < Duration::from_secs(20), "{took:?} for {CALLS} calls");
    let lost = counters["audit_kernel_lost"] as usize;
    assert!(lost > 0 && documents < CALLS, "{documents} documents, {counters:?}");
    assert_eq!(counters["audit_queue_dropped"], 0);
    assert_eq!(counters["audit_kernel_waited"], 0);
    // An event has at least one record.
    assert!(documents + lost >= CALLS, "{documents} documents, {counters:?}");
    drop(host);
}

#[test]
fn the_agent_drops_and_counts_and_the_process_goes_on() {
    let host = or_skip!(Host::take());
    let (took, documents, counters) = press("backpressure_strategy: both");
    assert!(took < Duration::from_secs(20), "{took:?} for {CALLS} calls");
    let dropped = counters["audit_queue_dropped"] as usize;
    assert!(dropped > 0, "{documents} documents, {counters:?}");
    let lost = counters["audit_kernel_lost"] as usize;
    assert!(documents + dropped + lost >= CALLS, "{documents} documents, {counters:?}");
    drop(host);
}
