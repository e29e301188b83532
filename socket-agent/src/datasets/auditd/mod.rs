//! The audit dataset: one thread reads records from the kernel, this one makes documents of them.

mod host_context;
mod options;
mod reload;
mod rules;

use std::{
    os::fd::AsFd,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};
use config::{
    rows::{Known, Setting},
    tree::{Entry, Node},
};

use self::{host_context::HostContext, reload::Changes};
use super::{Module, ModuleReader, Needs, dataset::Dataset};
use crate::services::{Context, Report, Shared};
use audit::{
    AuditConfig, document,
    live::{Batch, Mode, Queue, Session, read},
    metrics::{AUDIT_DOCUMENTS, AUDIT_OWN},
    normalise::{IdNames, NoNames},
    reassembly,
    stream::Stream,
};
use linux::{clock::Clock, threads};
use metrics::Values;
use pipeline::Publisher;

/// Documents are delivered this long after they were made at the latest.
const FLUSH: Duration = Duration::from_millis(100);
/// How often the relation of the clocks is measured anew.
const CLOCK: Duration = Duration::from_secs(10);

/// Events of the Linux audit framework.
pub(super) struct Auditd;

impl Dataset for Auditd {
    type Options = AuditConfig;

    const NAME: &'static str = "auditd";
    const MODULE: Module = Module::Own { also: "audit" };
    const ROWS: &'static [Setting<AuditConfig>] = options::ROWS;
    const KNOWN: &'static [Known] = options::KNOWN;
    const SAMPLE: Option<&'static str> = Some(include_str!("sample.yml"));

    fn read(
        reader: &mut ModuleReader<'_, '_>,
        module: &Node,
        entries: &[Entry],
    ) -> Option<AuditConfig> {
        reader.auditd(module, entries)
    }

    fn needs(_: &AuditConfig) -> Needs {
        Needs { flows: None, processes: true }
    }

    fn needs_restart(before: &AuditConfig, after: &AuditConfig) -> Vec<&'static str> {
        reload::needs_restart(before, after)
    }

    fn run(options: &AuditConfig, context: Context<AuditConfig>) -> anyhow::Result<()> {
        run(options, context)
    }
}

/// Takes events until it is told to stop, then reports what is left.
///
/// # Errors
///
/// There is no audit framework, the kernel refuses a rule, the output cannot be written, or the
/// audit socket is of no more use.
fn run(
    config: &AuditConfig,
    Context { shared, publisher, metrics, stop, ready, updates }: Context<AuditConfig>,
) -> anyhow::Result<()> {
    let session = Session::start(config)?;
    log_start(&session);
    let queue = Arc::new(Queue::new(config.queue_size as usize, session.drops()));
    let reader = {
        let (queue, stop) = (Arc::clone(&queue), stop.descriptor()?);
        let updates = Changes(updates);
        let work = move || read(session, &queue, stop.as_fd(), &updates);
        threads::spawn("audit-reader", work)
            .context("cannot start a thread that reads audit records")?
    };
    ready.notify();

    let report = Report::new("audit", &metrics);
    let mut worker = Worker::new(config, report, shared, publisher);
    let result = worker.work(&queue);
    if result.is_err() {
        // The reader must not wait for room while it puts the host back in order.
        queue.abandon();
    }
    let read =
        reader.join().map_err(|_| anyhow!("the thread that reads audit records has panicked"))?;
    worker.report.finish(&worker.values(&queue));
    result?;
    read.context("audit: reading records failed; restart the agent")
}

fn log_start(session: &Session) {
    let plan = session.plan();
    for warning in &plan.warnings {
        log::warn!(target: "audit", "{warning}");
    }
    let mode = match plan.mode {
        Mode::Unicast => "unicast",
        Mode::Multicast => "multicast",
    };
    let rules = if plan.load_rules {
        format!("{} rules loaded", session.loaded())
    } else {
        "the kernel's rules stay".to_owned()
    };
    log::info!(target: "audit", "ready: {mode} ({}), {rules}", plan.reason);
}

/// Makes documents of records.
struct Worker {
    stream: Stream,
    host: HostContext,
    publisher: Publisher,
    /// Fixed moment that times of arrival count from.
    start: Instant,
    /// When documents were first published since they were last pushed.
    unpushed: Option<Instant>,
    /// Documents that have been pushed.
    pushed: u64,
    measured: Instant,
    report: Report,
}

// === impl Worker ===

impl Worker {
    fn new(
        config: &AuditConfig,
        report: Report,
        shared: Arc<Shared>,
        publisher: Publisher,
    ) -> Self {
        let limits = reassembly::Options {
            max_in_flight: config.max_in_flight as usize,
            timeout: config.timeout,
        };
        let form = document::Options {
            schema: config.schema,
            include_raw_message: config.include_raw_message,
            include_warnings: config.include_warnings,
        };
        let names: Box<dyn IdNames + Send> =
            if config.resolve_ids { Box::new(shared.accounts.names()) } else { Box::new(NoNames) };
        let now = Instant::now();
        Self {
            stream: Stream::new(limits, form, names),
            host: HostContext::new(shared),
            publisher,
            start: now,
            unpushed: None,
            pushed: 0,
            measured: now,
            report,
        }
    }

    /// Until the queue is closed and empty.
    fn work(&mut self, queue: &Queue) -> anyhow::Result<()> {
        let mut batch = Batch::default();
        while queue.take(&mut batch, self.deadline()) {
            if !batch.is_empty() {
                self.host.look_at_processes();
            }
            let now = self.start.elapsed();
            for (kind, text) in batch.iter() {
                let Self { stream, host, publisher, .. } = self;
                if let Err(error) = stream.push(kind, text, now, host, publisher) {
                    log::debug!(target: "audit", "a record that is none: {error}");
                }
            }
            let Self { stream, host, publisher, .. } = self;
            stream.tick(now, host, publisher);
            publisher.check()?;
            self.push_if_due();
            if self.measured.elapsed() >= CLOCK {
                self.measured = Instant::now();
                self.host.set_clock(Clock::now());
            }
            if self.report.is_due() {
                self.report.log(&self.values(queue));
            }
        }
        let Self { stream, host, publisher, .. } = self;
        stream.finish(host, publisher);
        publisher.push();
        publisher.check()?;
        Ok(())
    }

    /// When there is something to do without another record.
    fn deadline(&self) -> Option<Instant> {
        let events = self.stream.deadline().and_then(|after| self.start.checked_add(after));
        let flush = self.unpushed.map(|since| since + FLUSH);
        events.into_iter().chain(flush).chain([self.report.due()]).min()
    }

    /// Every metric of the dataset.
    fn values(&self, queue: &Queue) -> Values {
        let mut values = Values::default();
        values.extend(queue.counters().values());
        values.extend(self.stream.totals().values());
        values.add(&AUDIT_DOCUMENTS, self.publisher.documents());
        values.add(&AUDIT_OWN, self.host.own());
        values
    }

    /// Has documents delivered once they have waited for others for [`FLUSH`].
    fn push_if_due(&mut self) {
        let documents = self.publisher.documents();
        if documents != self.pushed {
            let since = *self.unpushed.get_or_insert_with(Instant::now);
            if since.elapsed() >= FLUSH {
                self.publisher.push();
                (self.pushed, self.unpushed) = (documents, None);
            }
        }
    }
}
