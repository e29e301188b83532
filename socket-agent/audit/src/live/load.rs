//! Rules into the kernel, as a whole or not at all.

use std::{ffi::OsStr, fmt, os::unix::ffi::OsStrExt as _, path::Path};

use crate::{
    names::Arch,
    netlink::{Control, RequestError, Setting, Transport},
    rules::{Command, Enabled, Located, Location, Position, Rule, RuleSet, Value},
};

/// A rule that the kernel does not take.
#[derive(Debug, thiserror::Error)]
#[error("{location}: `{what}`: {source}{remedy}")]
pub struct RefusedRule {
    /// Location of the rule in its file.
    pub location: Location,
    /// The rule as auditctl would list it, or the option.
    pub what: String,
    /// Error of the kernel.
    pub source: RequestError,
    /// Remedy, behind a separator; empty if there is none.
    pub remedy: String,
}

/// All that the kernel does not take of the rule files; never empty.
#[derive(Debug)]
pub struct RefusedRules(pub Vec<RefusedRule>);

/// Result of loading rules.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// Rules that are in the kernel now.
    pub(super) rules: usize,
    /// What the kernel did not take and was to be ignored.
    pub(super) ignored: Vec<RefusedRule>,
    /// `-e 2`: to be done last of all.
    pub(super) lock: bool,
}

/// Does what the rule files ask for, on empty lists of rules. Goes on after a rule that is refused,
/// so that all of them are known.
pub(super) fn load<T: Transport>(
    control: &mut Control<T>,
    set: &RuleSet,
    ignore_errors: bool,
) -> Result<Loaded, RefusedRules> {
    let ignores = |command: &Located<Command>| {
        matches!(command.value, Command::IgnoreErrors | Command::Continue)
    };
    let ignore_errors = ignore_errors || set.commands.iter().any(ignores);
    let mut loaded = Loaded::default();
    for command in &set.commands {
        let Err(source) = apply(control, &command.value, &mut loaded) else { continue };
        // Without the right to do so, or an answer, none is taken.
        let ends = matches!(source.fault.errno(), None | Some(libc::EPERM));
        loaded.ignored.push(RefusedRule::of(command, source));
        if ends && !ignore_errors {
            break;
        }
    }
    if loaded.ignored.is_empty() || ignore_errors {
        Ok(loaded)
    } else {
        Err(RefusedRules(loaded.ignored))
    }
}

fn remedy(command: &Command, error: &RequestError) -> String {
    match (error.fault.errno(), command) {
        (Some(libc::ENOENT | libc::ENOTDIR), Command::Add { rule, .. })
            if let Some(path) = missing(rule) =>
        {
            format!(
                "; there is no directory {}: create it, leave the rule out, or set ignore_errors",
                path.display()
            )
        }
        (Some(libc::ENOENT), Command::Delete { .. }) => {
            "; no such rule is loaded before it: leave it out, or set ignore_errors".to_owned()
        }
        (Some(libc::EINVAL), Command::BacklogWaitTime(_)) => {
            format!("; the kernel takes {}", Command::WAIT_TIME_LIMIT)
        }
        (Some(libc::EINVAL), Command::Add { .. }) => {
            "; this kernel does not know a field of it: remove it, or set ignore_errors".to_owned()
        }
        (Some(libc::EEXIST), _) => "; another rule is the same: remove one".to_owned(),
        _ => String::new(),
    }
}

/// The topmost directory of a rule's paths that is not there.
fn missing(rule: &Rule) -> Option<&Path> {
    rule.conditions().iter().find_map(|condition| {
        let Value::Text(path) = &condition.value else { return None };
        let directory = Path::new(OsStr::from_bytes(condition.field.needs_directory(path)?));
        directory.ancestors().filter(|path| !path.is_dir()).last()
    })
}

/// Does what a command asks for that is not about rules.
pub(super) fn set<T: Transport>(
    control: &mut Control<T>,
    command: &Command,
) -> Result<(), RequestError> {
    apply(control, command, &mut Loaded::default())
}

fn apply<T: Transport>(
    control: &mut Control<T>,
    command: &Command,
    loaded: &mut Loaded,
) -> Result<(), RequestError> {
    match command {
        Command::Add { rule, position } => {
            control.add_rule(&rule.encode(*position))?;
            loaded.rules += 1;
            Ok(())
        }
        Command::Delete { rule } => {
            control.delete_rule(&rule.encode(Position::Last))?;
            loaded.rules = loaded.rules.saturating_sub(1);
            Ok(())
        }
        Command::DeleteAll { key } => {
            for bytes in control.rules()? {
                let goes = key
                    .as_ref()
                    .is_none_or(|key| Rule::decode(&bytes).is_ok_and(|rule| rule.has_key(key)));
                if goes {
                    control.delete_rule(&bytes)?;
                    loaded.rules = loaded.rules.saturating_sub(1);
                }
            }
            Ok(())
        }
        Command::Enable(Enabled::Immutable) => {
            loaded.lock = true;
            Ok(())
        }
        Command::Enable(enabled) => control.set(Setting::Enabled(*enabled)),
        Command::Failure(mode) => control.set(Setting::Failure(*mode)),
        Command::BacklogLimit(limit) => control.set(Setting::BacklogLimit(*limit)),
        Command::RateLimit(limit) => control.set(Setting::RateLimit(*limit)),
        Command::BacklogWaitTime(ticks) => control.set(Setting::BacklogWaitTime(*ticks)),
        Command::LoginuidImmutable => control.set_loginuid_immutable(),
        Command::ResetLost => control.set(Setting::ResetLost),
        Command::ResetBacklogWaitTime => control.set(Setting::ResetBacklogWaitTime),
        Command::Trim => control.trim(),
        Command::Equivalent { mount, subtree } => control.make_equivalent(mount, subtree),
        Command::Message(text) => control.write(text),
        Command::IgnoreErrors | Command::Continue => Ok(()),
    }
}

/// In auditctl's language.
fn describe(command: &Command) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match command {
        Command::Add { rule, .. } | Command::Delete { rule } => rule.to_text(Arch::of_build()),
        Command::DeleteAll { key: None } => "-D".to_owned(),
        Command::DeleteAll { key: Some(key) } => format!("-D -k {}", text(key)),
        Command::Enable(enabled) => format!("-e {}", enabled.number()),
        Command::Failure(mode) => format!("-f {}", mode.number()),
        Command::BacklogLimit(limit) => format!("-b {limit}"),
        Command::RateLimit(limit) => format!("-r {limit}"),
        Command::BacklogWaitTime(ticks) => format!("--backlog_wait_time {ticks}"),
        Command::LoginuidImmutable => "--loginuid-immutable".to_owned(),
        Command::ResetLost => "--reset-lost".to_owned(),
        Command::ResetBacklogWaitTime => "--reset_backlog_wait_time_actual".to_owned(),
        Command::Trim => "-t".to_owned(),
        Command::Equivalent { mount, subtree } => format!("-q {},{}", text(mount), text(subtree)),
        Command::Message(message) => format!("-m {}", text(message)),
        Command::IgnoreErrors => "-i".to_owned(),
        Command::Continue => "-c".to_owned(),
    }
}

/// Replaces all rules by others that the kernel has told before, whatever is there now. Goes on
/// after an error, so that as many as possible are there again; returns the first.
pub(super) fn put_back<T: Transport>(
    control: &mut Control<T>,
    before: &[Vec<u8>],
) -> Result<(), RequestError> {
    let mut first = clear(control);
    for rule in before {
        first = first.and(control.add_rule(rule));
    }
    first
}

/// Removes all rules.
pub(super) fn clear<T: Transport>(control: &mut Control<T>) -> Result<(), RequestError> {
    let mut first = Ok(());
    for rule in control.rules()? {
        match control.delete_rule(&rule) {
            // Its file is gone, and the kernel has removed it by itself.
            Err(error) if error.fault.errno() == Some(libc::ENOENT) => {}
            result => first = first.and(result),
        }
    }
    first
}

// === impl RefusedRule ===

impl RefusedRule {
    pub(super) fn of(command: &Located<Command>, source: RequestError) -> Self {
        let Located { location, value } = command;
        let (what, remedy) = (describe(value), remedy(value, &source));
        Self { location: location.clone(), what, source, remedy }
    }
}

// === impl RefusedRules ===

impl fmt::Display for RefusedRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => one.fmt(f),
            many => write!(f, "{} rules are refused", many.len()),
        }
    }
}

impl std::error::Error for RefusedRules {}

#[cfg(test)]
mod tests {
    use std::{io, time::Duration};

    use super::*;
    use crate::rules::{PermCalls, Source, System};

    /// A kernel that refuses every second request with an error.
    struct Refusing {
        errno: i32,
        requests: u32,
        answer: Option<Vec<u8>>,
    }

    impl Transport for Refusing {
        fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
            self.requests += 1;
            let errno = if self.requests.is_multiple_of(2) { -self.errno } else { 0 };
            // struct nlmsghdr of an error, the error, and the header that it is about.
            let mut answer = Vec::new();
            answer.extend_from_slice(&36_u32.to_ne_bytes());
            answer.extend_from_slice(&2_u16.to_ne_bytes());
            answer.extend_from_slice(&[0; 2]);
            answer.extend_from_slice(&datagram[8..12]);
            answer.extend_from_slice(&[0; 4]);
            answer.extend_from_slice(&errno.to_ne_bytes());
            answer.extend_from_slice(&datagram[..16]);
            self.answer = Some(answer);
            Ok(())
        }

        fn receive(&mut self, buffer: &mut Vec<u8>, _: Duration) -> io::Result<bool> {
            let Some(answer) = self.answer.take() else { return Ok(false) };
            *buffer = answer;
            Ok(true)
        }
    }

    fn refused(errno: i32, rules: &str) -> Vec<String> {
        let system = System::read().unwrap();
        let source = Source { name: "f", first_line: 1, text: rules.as_bytes() };
        let set = RuleSet::read([source], &system.host(PermCalls::All), false).unwrap();
        let mut control = Control::new(Refusing { errno, requests: 0, answer: None });
        let RefusedRules(refused) = load(&mut control, &set, false).unwrap_err();
        refused.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_refused_rule_is_told_with_what_is_missing() {
        let problems = refused(
            libc::ENOENT,
            "-w /etc/passwd -p wa\n-w /no/such/folder/file -p wa\n-w /etc/group -p wa\n\
             -a always,exit -F dir=/no/directory -F perm=r",
        );
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(
            problems[0].starts_with("f:2:1: `-w /no/such/folder/file -p wa`: "),
            "{problems:?}"
        );
        for problem in &problems {
            assert!(problem.contains("there is no directory /no: create it"), "{problem}");
        }
        let delete = refused(libc::ENOENT, "-w /etc/passwd -p wa\n-d always,exit -S all");
        assert!(delete[0].contains("no such rule is loaded"), "{delete:?}");
    }

    #[test]
    fn a_setting_that_is_refused_is_told_in_words() {
        let problems = refused(libc::EINVAL, "-b 64\n--backlog_wait_time 600000");
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("f:2:1: `--backlog_wait_time 600000`: "), "{problems:?}");
        assert!(problems[0].contains("the kernel takes at most ten minutes"), "{problems:?}");
        let rule = refused(libc::EINVAL, "-b 64\n-a always,exit -S all");
        assert!(rule[0].contains("does not know a field of it"), "{rule:?}");
    }

    #[test]
    fn without_the_right_one_refusal_is_enough() {
        let rules = "-w /etc/passwd -p wa\n-w /etc/hosts -p wa\n-w /etc/group -p wa\n-b 1";
        assert_eq!(refused(libc::EPERM, rules).len(), 1);
    }
}
