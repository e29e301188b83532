//! Options that are no part of a rule: settings of the audit framework, and questions to auditctl.

use super::{
    Fault,
    options::{Name, Opt},
    value::unsigned,
};
use crate::rules::command::{Command, Enabled, FailureMode};

/// The longest time that a kernel takes, ten minutes, in the shortest ticks that it can have.
const WAIT_TIME_MAX: u32 = 10 * 60 * 1_000;

/// The request of an option; `None` for one that asks for nothing here.
pub(super) fn command(option: &Opt, faults: &mut Vec<Fault>) -> Option<Command> {
    match read(option) {
        Ok(command) => Some(command),
        Err(fault) => {
            faults.push(fault);
            None
        }
    }
}

fn read(option: &Opt) -> Result<Command, Fault> {
    let wrong = |message: String| Fault::error(option.value.column, message);
    let number = || unsigned(option.text()?).map_err(wrong);
    Ok(match option.name {
        Name::Enable => {
            Command::Enable(number().ok().and_then(Enabled::from_number).ok_or_else(|| {
                wrong("-e is 0 (off), 1 (on) or 2 (on, and locked until the next boot)".to_owned())
            })?)
        }
        Name::Failure => {
            Command::Failure(number().ok().and_then(FailureMode::from_number).ok_or_else(|| {
                wrong("-f is 0 (silent), 1 (a line in the kernel's log) or 2 (panic)".to_owned())
            })?)
        }
        Name::Backlog => Command::BacklogLimit(number()?),
        Name::Rate => Command::RateLimit(number()?),
        Name::WaitTime => {
            let ticks = number()?;
            if ticks > WAIT_TIME_MAX {
                return Err(wrong(format!(
                    "{ticks} is more than any kernel takes: {}",
                    Command::WAIT_TIME_LIMIT
                )));
            }
            Command::BacklogWaitTime(ticks)
        }
        Name::LoginuidImmutable => Command::LoginuidImmutable,
        Name::ResetLost => Command::ResetLost,
        Name::ResetWaitTime => Command::ResetBacklogWaitTime,
        Name::Ignore => Command::IgnoreErrors,
        Name::Continue => Command::Continue,
        Name::Trim => Command::Trim,
        Name::Equivalent => equivalent(&option.value.text).map_err(wrong)?,
        Name::Message => message(&option.value.text).map_err(wrong)?,
        Name::Status | Name::List | Name::Version | Name::Help => {
            return Err(Fault::warning(
                option.column,
                format!(
                    "{} asks auditctl to print something and loads no rule: remove it",
                    option.name.shown()
                ),
            ));
        }
        Name::ReadFile => {
            return Err(Fault::error(
                option.column,
                "a rule file cannot read another: add that file to audit_rule_files",
            ));
        }
        Name::Signal => {
            return Err(Fault::error(
                option.column,
                "--signal is for auditd and no rule: remove it",
            ));
        }
        // The caller has taken the parts of rules out.
        _ => return Err(Fault::error(option.column, "it is part of a rule: add -a LIST,ACTION")),
    })
}

/// `MOUNT,SUBTREE`.
fn equivalent(text: &[u8]) -> Result<Command, String> {
    let mut parts = text.split(|byte| *byte == b',');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(mount), Some(subtree), None) if !mount.is_empty() && !subtree.is_empty() => {
            Ok(Command::Equivalent { mount: mount.to_vec(), subtree: subtree.to_vec() })
        }
        _ => Err("-q takes a mount point and a directory with one comma between them".to_owned()),
    }
}

fn message(text: &[u8]) -> Result<Command, String> {
    if text.is_empty() || text.iter().any(|byte| *byte < b' ') {
        return Err("-m takes text without control characters: remove them".to_owned());
    }
    Ok(Command::Message(text.to_vec()))
}
