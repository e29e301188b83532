//! Being the audit daemon, or listening beside one: from the start to the end.

use std::{
    fs, io,
    os::fd::{AsFd, BorrowedFd},
    thread,
    time::{Duration, Instant},
};

use super::{
    change::{self, NotChanged},
    counters::LiveCounters,
    load::{self, Loaded, RefusedRules},
    plan::{Mode, Plan, PlanError, Situation, decide},
    self_exclusion,
};
use crate::{
    AuditConfig, Backpressure, SocketType,
    netlink::{Control, Fault, Feature, Received, Receiver, RequestError, Setting, Status},
    records::Kind,
    rules::{Command, Enabled, FailureMode, Position, Rule, RuleSet},
};

/// At the end, how long the kernel may take to hand over what waits in its backlog.
const HAND_OVER: Duration = Duration::from_secs(2);
/// How long to wait before its backlog is looked at again.
const PAUSE: Duration = Duration::from_millis(2);

/// Why there are no records.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No session can run on this host.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Rules were refused, and each was reported; all is as it was before.
    #[error("{0}; the rules that were there are back")]
    Rules(RefusedRules),
    /// A request failed.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// Records come, and the host is set as the configuration wants it, until [`release`].
///
/// [`release`]: Self::release
#[derive(Debug)]
pub struct Session {
    control: Control,
    receiver: Receiver,
    plan: Plan,
    /// Status and rules before anything was changed; rules only if they were to be replaced.
    before: Option<Status>,
    rules_before: Option<Vec<Vec<u8>>>,
    restore: bool,
    /// The rule that excludes this process.
    self_exclusion: Option<Rule>,
    loaded: usize,
    drops: bool,
    /// Records that came before the start was over.
    early: Vec<(Kind, Vec<u8>)>,
    last_lost: u32,
    counters: LiveCounters,
}

// === impl Session ===

impl Session {
    /// Looks, decides, and does what was decided.
    ///
    /// # Errors
    /// There is no audit framework, it is not for this process, or the kernel refuses a rule. The
    /// host is then as it was before.
    pub fn start(config: &AuditConfig) -> Result<Self, StartError> {
        let mut control = Control::open()?;
        let situation = Situation::look(&mut control);
        let before = situation.status.as_ref().ok().copied();
        let mut plan = decide(config, situation)?;
        let mut early = Vec::new();
        let mut receiver = None;
        if plan.mode == Mode::Unicast {
            match register(config, &mut control, &mut early) {
                Ok(registered) => receiver = Some(registered),
                // Another was faster.
                Err(error)
                    if error.fault.errno() == Some(libc::EEXIST)
                        && config.socket_type != SocketType::Unicast =>
                {
                    plan = decide(config, Situation::look(&mut control))?;
                    if plan.mode == Mode::Unicast {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        let receiver = match receiver {
            Some(receiver) => receiver,
            None => {
                let receiver = Receiver::multicast()?;
                if !hears_multicast() {
                    log::warn!(
                        target: "audit",
                        "this is not the initial network namespace, and no events come to others: \
                         give the agent the host's (hostNetwork: true, --network host)"
                    );
                }
                set_buffer(config, &receiver);
                receiver
            }
        };
        let mut session = Self {
            control,
            receiver,
            plan,
            before,
            rules_before: None,
            restore: config.restore_rules,
            self_exclusion: None,
            loaded: 0,
            drops: false,
            early,
            last_lost: before.map_or(0, |status| status.lost),
            counters: LiveCounters::default(),
        };
        if let Err(error) = session.set_up(config) {
            session.undo();
            session.sign_off();
            return Err(error);
        }
        Ok(session)
    }

    /// The decisions taken at the start.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Number of rules that were loaded.
    pub fn loaded(&self) -> usize {
        self.loaded
    }

    /// Whether records are to be dropped rather than waited for when documents are slow.
    pub fn drops(&self) -> bool {
        self.drops
    }

    /// The records that came before the start was over.
    pub fn take_early(&mut self) -> Vec<(Kind, Vec<u8>)> {
        std::mem::take(&mut self.early)
    }

    /// Receives records, as [`Receiver::receive`] does.
    ///
    /// # Errors
    /// See there.
    pub fn receive(&mut self, record: impl FnMut(Kind, &[u8])) -> io::Result<Received> {
        self.receiver.receive(record)
    }

    /// Asks the kernel how it is doing: counts what it lost, and takes the place of the audit daemon
    /// again if the kernel has given up this process as one, as kernels before 5.16 do after a
    /// pause in reading.
    pub fn check(&mut self, record: impl FnMut(Kind, &[u8])) {
        if self.before.is_none() {
            return;
        }
        match self.control.status() {
            Ok(status) => {
                self.count_lost(&status);
                if self.plan.mode == Mode::Unicast && status.pid == 0 {
                    self.register_again(record);
                }
            }
            Err(error) => log::warn!(target: "audit", "{error}"),
        }
    }

    /// Takes over settings that have changed: rules, limits of the kernel, and what it does when it loses a
    /// record. An error is logged, and what it is about stays as it was.
    pub fn reconfigure(&mut self, config: &AuditConfig) {
        if self.plan.configure {
            log_failure(self.configure(config));
        }
        let Some(set) = &config.rules else { return };
        if !self.plan.load_rules {
            return log::warn!(
                target: "audit",
                "audit_rules have changed, and are not loaded: {}",
                self.plan.reason
            );
        }
        let own = self.self_exclusion.clone();
        let changed =
            change::change(&mut self.control, set, config.ignore_errors, |bytes, rule| {
                (own.is_some() && rule == own.as_ref()) || self_exclusion::is_left_behind(bytes)
            });
        match changed {
            Ok(changed) => {
                let settings = change::apply_settings(&mut self.control, set);
                for error in changed.ignored.iter().chain(&settings) {
                    log::warn!(target: "audit", "{error} (left out)");
                }
                self.counters.rules_refused += (changed.ignored.len() + settings.len()) as u64;
                self.loaded = changed.rules;
                log::info!(
                    target: "audit",
                    "rules changed: {} added, {} moved, {} removed; {} loaded",
                    changed.added,
                    changed.moved,
                    changed.removed,
                    changed.rules
                );
            }
            Err(NotChanged::Refused(RefusedRules(refused))) => {
                for rule in &refused {
                    log::error!(target: "audit", "{rule}");
                }
                log::error!(target: "audit", "the rules stay as they were");
            }
            Err(NotChanged::Request(error)) => {
                log::error!(target: "audit", "the rules may have changed in part: {error}");
            }
        }
    }

    /// Puts rules and settings back if that was asked for, waits until the kernel has handed over
    /// what it had made until then, and gives the audit socket up. `drain` takes what is there.
    pub fn release(mut self, mut drain: impl FnMut(&mut Self) -> io::Result<()>) -> LiveCounters {
        if self.restore {
            self.undo();
        } else if let Some(rule) = self.self_exclusion.take() {
            log_failure(self.control.delete_rule(&rule.encode(Position::Last)));
        }
        let deadline = Instant::now() + HAND_OVER;
        while self.before.is_some() {
            log_failure(drain(&mut self));
            match self.control.status() {
                Ok(status) if status.backlog == 0 => break,
                Ok(status) if Instant::now() >= deadline => {
                    self.counters.left_behind = u64::from(status.backlog);
                    break;
                }
                Ok(_) => thread::sleep(PAUSE),
                Err(error) => {
                    log::warn!(target: "audit", "{error}");
                    break;
                }
            }
        }
        self.sign_off();
        log_failure(drain(&mut self));
        self.counters()
    }

    /// What has been counted so far, but for the queue.
    pub fn counters(&self) -> LiveCounters {
        let (control, receiver) = (self.control.counters(), self.receiver.counters());
        LiveCounters { control, receiver, ..self.counters }
    }

    fn set_up(&mut self, config: &AuditConfig) -> Result<(), StartError> {
        let mut lock = config.immutable;
        if self.plan.configure {
            self.configure(config)?;
        }
        if self.plan.load_rules
            && let Some(set) = &config.rules
        {
            let mut before = self.control.rules()?;
            before.retain(|rule| !self_exclusion::is_left_behind(rule));
            self.rules_before = Some(before);
            load::clear(&mut self.control)?;
            let loaded = load::load(&mut self.control, set, config.ignore_errors);
            let Loaded { rules, ignored, lock: asked } = loaded.map_err(|refused| {
                // One is told by the error itself.
                for rule in refused.0.iter().filter(|_| refused.0.len() > 1) {
                    log::error!(target: "audit", "{rule}");
                }
                StartError::Rules(refused)
            })?;
            for error in &ignored {
                log::warn!(target: "audit", "{error} (left out)");
            }
            self.counters.rules_refused = ignored.len() as u64;
            self.loaded = rules;
            lock |= asked;
            let own = self_exclusion::of(std::process::id());
            self.control.add_rule(&own.encode(Position::First))?;
            self.self_exclusion = Some(own);
        }
        let is_off = self.control_status()?.is_some_and(|status| status.enabled == 0);
        let turns_off = |set: &RuleSet| {
            let off = Command::Enable(Enabled::Off);
            set.commands.iter().any(|command| command.value == off)
        };
        if self.plan.enable && is_off && !config.rules.as_ref().is_some_and(turns_off) {
            self.control.set(Setting::Enabled(Enabled::On))?;
        }
        if lock && self.plan.enable {
            self.control.set(Setting::Enabled(Enabled::Immutable))?;
            // Nothing can be undone any more.
            self.restore = false;
            self.self_exclusion = None;
        }
        Ok(())
    }

    fn control_status(&mut self) -> Result<Option<Status>, RequestError> {
        if self.before.is_some() { self.control.status().map(Some) } else { Ok(None) }
    }

    fn configure(&mut self, config: &AuditConfig) -> Result<(), RequestError> {
        let Some(before) = self.before else { return Ok(()) };
        let kernel_can_drop = before.has(Feature::BacklogWaitTime);
        let (kernel, userspace) = match config.backpressure {
            Backpressure::Auto => (kernel_can_drop, !kernel_can_drop),
            Backpressure::Kernel => (true, false),
            Backpressure::Userspace => (false, true),
            Backpressure::Both => (true, true),
            Backpressure::None => (false, false),
        };
        self.drops = userspace;
        self.control.set(Setting::Failure(config.failure_mode))?;
        self.control.set(Setting::BacklogLimit(config.backlog_limit))?;
        self.control.set(Setting::RateLimit(config.rate_limit))?;
        if kernel && kernel_can_drop {
            self.control.set(Setting::BacklogWaitTime(0))?;
        } else if kernel {
            log::warn!(
                target: "audit",
                "backpressure_strategy: this kernel is older than 3.14 and cannot drop records by \
                 itself; audited processes may have to wait; use userspace"
            );
        }
        Ok(())
    }

    /// Puts back what was changed, as far as it goes.
    fn undo(&mut self) {
        if let Some(rules) = self.rules_before.take() {
            log_failure(load::put_back(&mut self.control, &rules));
            self.self_exclusion = None;
            self.loaded = 0;
        }
        let Some(before) = self.before else { return };
        if !self.plan.enable {
            return;
        }
        if let Some(mode) = FailureMode::from_number(before.failure) {
            log_failure(self.control.set(Setting::Failure(mode)));
        }
        log_failure(self.control.set(Setting::BacklogLimit(before.backlog_limit)));
        log_failure(self.control.set(Setting::RateLimit(before.rate_limit)));
        if before.has(Feature::BacklogWaitTime)
            && let Some(ticks) = before.backlog_wait_time
        {
            log_failure(self.control.set(Setting::BacklogWaitTime(ticks)));
        }
        if let Some(enabled) = Enabled::from_number(before.enabled) {
            log_failure(self.control.set(Setting::Enabled(enabled)));
        }
    }

    /// Gives up the part of the audit daemon.
    fn sign_off(&mut self) {
        if self.plan.mode == Mode::Unicast {
            match self.control.status() {
                Ok(status) if status.pid == std::process::id() => {
                    log_failure(self.control.set(Setting::Pid(0)));
                    self.count_lost(&status);
                }
                Ok(_) => {}
                Err(error) => log::warn!(target: "audit", "{error}"),
            }
        } else if let Ok(Some(status)) = self.control_status() {
            self.count_lost(&status);
        }
    }

    fn register_again(&mut self, record: impl FnMut(Kind, &[u8])) {
        self.counters.reregistered += 1;
        match self.receiver.register(std::process::id(), record) {
            Ok(_) => log::warn!(
                target: "audit",
                "the kernel had given up this agent as audit daemon; it is again"
            ),
            Err(error) => log::error!(target: "audit", "no events come: {error}"),
        }
    }

    fn count_lost(&mut self, status: &Status) {
        // Somebody may have set it to 0.
        let lost = status.lost.checked_sub(self.last_lost).unwrap_or(status.lost);
        self.last_lost = status.lost;
        if lost > 0 {
            self.counters.kernel_lost += u64::from(lost);
            log::warn!(
                target: "audit",
                "the kernel has lost {lost} records (backlog {} of {}); raise backlog_limit and \
                 reassembler.queue_size, or audit less",
                status.backlog,
                status.backlog_limit
            );
        }
        let waited = |status: &Status| status.backlog_wait_time_actual.unwrap_or(0);
        let since = self.before.as_ref().map_or(0, waited);
        self.counters.kernel_waited = u64::from(waited(status).saturating_sub(since));
    }
}

impl AsFd for Session {
    /// Becomes readable when records have come.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}

/// Becomes the audit daemon.
fn register(
    config: &AuditConfig,
    control: &mut Control,
    early: &mut Vec<(Kind, Vec<u8>)>,
) -> Result<Receiver, RequestError> {
    let pid = std::process::id();
    let mut receiver = Receiver::unicast()?;
    set_buffer(config, &receiver);
    let answer = receiver.register(pid, |kind, record| early.push((kind, record.to_vec())))?;
    if answer.is_none() && control.status()?.pid != pid {
        let error = io::Error::from_raw_os_error(libc::EEXIST);
        let fault = Fault::Refused(error);
        return Err(RequestError { what: "becoming the audit daemon", fault });
    }
    Ok(receiver)
}

/// Whether this may be the initial network namespace, the only one that records are sent to: the
/// first process is in it, if that of the host can be seen.
fn hears_multicast() -> bool {
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net"));
    match (namespace("self"), namespace("1")) {
        (Ok(own), Ok(first)) => own == first,
        _ => true,
    }
}

fn set_buffer(config: &AuditConfig, receiver: &Receiver) {
    match receiver.set_buffer(config.receive_buffer as usize) {
        Ok(true) => {}
        Ok(false) => log::warn!(
            target: "audit",
            "audit.receive_buffer is cut to net.core.rmem_max: grant CAP_NET_ADMIN, or raise that"
        ),
        Err(error) => log::warn!(target: "audit", "audit.receive_buffer: {error}"),
    }
}

/// Logs a failure after which the session goes on.
fn log_failure<E: std::fmt::Display>(result: Result<(), E>) {
    if let Err(error) = result {
        log::warn!(target: "audit", "{error}");
    }
}
