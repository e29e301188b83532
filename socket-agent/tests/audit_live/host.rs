//! The machine's audit framework, for one test at a time.

use std::process::{Command, Output};

use scenarios::machine::AuditLock;
use socket_agent::audit::{
    names::Arch,
    netlink::{Control, Setting, Status},
    rules::{Enabled, FailureMode, Rule},
};

/// The framework without rules and daemon; put back as it was when dropped.
pub(crate) struct Host {
    pub(crate) control: Control,
    rules: Vec<Vec<u8>>,
    status: Status,
    _lock: AuditLock,
}

impl Host {
    /// Waits for its turn, and removes the rules that are there. `Err`: why there is no turn.
    pub(crate) fn take() -> Result<Self, String> {
        if !nix::unistd::Uid::effective().is_root() {
            return Err("needs root".to_owned());
        }
        let lock = AuditLock::take().map_err(|error| format!("no lock can be had: {error}"))?;
        let mut control = Control::open().map_err(|error| error.to_string())?;
        let status = control.status().map_err(|error| error.to_string())?;
        if status.is_locked() {
            return Err("the audit settings of this machine are locked".to_owned());
        }
        if status.pid != 0 {
            return Err(format!("process {} owns the audit socket of this machine", status.pid));
        }
        let rules = control.rules().map_err(|error| error.to_string())?;
        let mut host = Self { control, rules, status, _lock: lock };
        host.clear();
        Ok(host)
    }

    /// The rules as bytes.
    pub(crate) fn rules(&mut self) -> Vec<Vec<u8>> {
        self.control.rules().unwrap()
    }

    /// The rules in words.
    pub(crate) fn rule_texts(&mut self) -> Vec<String> {
        self.rules().iter().map(|it| Rule::decode(it).unwrap().to_text(Arch::of_build())).collect()
    }

    /// Settings, without what changes by itself.
    pub(crate) fn settings(&mut self) -> Status {
        Status {
            lost: 0,
            backlog: 0,
            backlog_wait_time_actual: None,
            ..self.control.status().unwrap()
        }
    }

    fn clear(&mut self) {
        for rule in self.control.rules().unwrap_or_default() {
            if let Err(error) = self.control.delete_rule(&rule) {
                println!("a rule is still loaded: {error}");
            }
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.clear();
        let Status { failure, rate_limit, backlog_limit, enabled, .. } = self.status;
        let mut settings = vec![
            Setting::Failure(FailureMode::from_number(failure).unwrap_or(FailureMode::Silent)),
            Setting::RateLimit(rate_limit),
            Setting::BacklogLimit(backlog_limit),
        ];
        settings.extend(self.status.backlog_wait_time.map(Setting::BacklogWaitTime));
        settings.push(Setting::Enabled(Enabled::from_number(enabled).unwrap_or(Enabled::Off)));
        let settings = settings.into_iter().map(|setting| self.control.set(setting));
        let undone: Vec<_> = settings.collect();
        let rules = self.rules.iter().map(|rule| self.control.add_rule(rule));
        // A test may be failing already: what is left behind is told, not another panic.
        for error in undone.into_iter().chain(rules).filter_map(Result::err) {
            println!("the audit framework is not as it was: {error}");
        }
    }
}

/// Runs a command that must succeed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (stdout, stderr) = (text(stdout), text(stderr));
    assert!(status.success(), "{program} {arguments:?}: {status}: {stdout}{stderr}");
    stdout
}

/// Whether a program is there.
pub(crate) fn needs(program: &str, remedy: &str) -> Result<(), String> {
    let found = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).exists())
    });
    if found { Ok(()) } else { Err(format!("{program} is not there: {remedy}")) }
}
