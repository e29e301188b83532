//! Rules into the kernel, as a whole or not at all.

use crate::{
    names::Arch,
    netlink::{Control, RequestError, Setting, Transport},
    rules::{Command, Enabled, Located, Place, Position, Rule, RuleSet},
};

/// A rule that the kernel does not take.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Of the configuration.
    #[error("{place}: `{what}`: {source}{}", remedy(.source))]
    Refused {
        /// Where it was written.
        place: Place,
        /// The rule as auditctl would list it, or the option.
        what: String,
        /// What the kernel says.
        source: RequestError,
    },
    /// Any other request on the way.
    #[error(transparent)]
    Request(#[from] RequestError),
}

fn remedy(error: &RequestError) -> &'static str {
    match error.fault.errno() {
        Some(libc::EINVAL) => {
            "; this kernel does not know a field of it: remove it, or set ignore_errors"
        }
        Some(libc::EEXIST) => "; another rule is the same: remove one",
        _ => "",
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// Rules that are in the kernel now.
    pub(super) rules: usize,
    /// What the kernel did not take and was to be ignored.
    pub(super) ignored: Vec<LoadError>,
    /// `-e 2`: to be done last of all.
    pub(super) lock: bool,
}

/// Does what the rule files ask for, on empty lists of rules.
pub(super) fn load<T: Transport>(
    control: &mut Control<T>,
    set: &RuleSet,
    ignore_errors: bool,
) -> Result<Loaded, LoadError> {
    let ignores = |command: &Located<Command>| {
        matches!(command.value, Command::IgnoreErrors | Command::Continue)
    };
    let ignore_errors = ignore_errors || set.commands.iter().any(ignores);
    let mut loaded = Loaded::default();
    for Located { place, value } in &set.commands {
        let Err(source) = apply(control, value, &mut loaded) else { continue };
        let error = LoadError::Refused { place: place.clone(), what: describe(value), source };
        if ignore_errors {
            loaded.ignored.push(error);
        } else {
            return Err(error);
        }
    }
    Ok(loaded)
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

fn describe(command: &Command) -> String {
    match command {
        Command::Add { rule, .. } | Command::Delete { rule } => rule.to_text(Arch::of_build()),
        other => format!("{other:?}"),
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
