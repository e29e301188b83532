//! Other rules while records come, without a moment in which a rule that stays is not loaded.
//!
//! What is missing is added first: if the kernel refuses it, nothing else has been touched. Rules whose
//! place among the others changes are covered meanwhile by a copy of them that matches the same. What is not
//! wanted any more goes last.

use std::collections::HashSet;

use super::load::{self, RefusedRule, RefusedRules};
use crate::{
    netlink::{Control, RequestError, Transport},
    rules::{Command, Condition, Field, Located, Operator, Position, Rule, RuleSet, Value},
};

/// A list of rules that can be changed: that of the kernel, or of a test.
pub(super) trait RuleTable {
    /// The rules that are loaded, list by list, each in its order, as the kernel lists them.
    fn list(&mut self) -> Result<Vec<Vec<u8>>, RequestError>;
    /// Adds a rule behind the others of its list.
    fn add(&mut self, rule: &Rule) -> Result<(), RequestError>;
    /// Removes a rule that is as listed.
    fn remove(&mut self, listed: &[u8]) -> Result<(), RequestError>;
}

impl<T: Transport> RuleTable for Control<T> {
    fn list(&mut self) -> Result<Vec<Vec<u8>>, RequestError> {
        self.rules()
    }

    fn add(&mut self, rule: &Rule) -> Result<(), RequestError> {
        self.add_rule(&rule.encode(Position::Last))
    }

    fn remove(&mut self, listed: &[u8]) -> Result<(), RequestError> {
        match self.delete_rule(listed) {
            // Its file is gone, and the kernel has removed it by itself.
            Err(error) if error.fault.errno() == Some(libc::ENOENT) => Ok(()),
            result => result,
        }
    }
}

/// Result of a change of rules.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// Rules that were not there.
    pub(super) added: usize,
    /// Rules that have another place among the others.
    pub(super) moved: usize,
    /// Rules that are not there any more.
    pub(super) removed: usize,
    /// Rules that are there now.
    pub(super) rules: usize,
    /// What the kernel did not take and was to be ignored.
    pub(super) ignored: Vec<RefusedRule>,
}

/// Why the rules are as they were before.
#[derive(Debug)]
pub(super) enum NotChanged {
    Refused(RefusedRules),
    Request(RequestError),
}

impl From<RequestError> for NotChanged {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

/// The commands that add the rules which a set comes to, in the order of their lists.
fn wanted(set: &RuleSet) -> Vec<&Located<Command>> {
    let mut wanted: Vec<&Located<Command>> = Vec::new();
    for command in &set.commands {
        match &command.value {
            Command::Add { position: Position::First, .. } => wanted.insert(0, command),
            Command::Add { position: Position::Last, .. } => wanted.push(command),
            Command::Delete { rule } => wanted.retain(|it| of(it) != Some(rule)),
            Command::DeleteAll { key: None } => wanted.clear(),
            Command::DeleteAll { key: Some(key) } => {
                wanted.retain(|it| of(it).is_none_or(|rule| !rule.has_key(key)));
            }
            _ => {}
        }
    }
    wanted
}

fn of(command: &Located<Command>) -> Option<&Rule> {
    match &command.value {
        Command::Add { rule, .. } => Some(rule),
        _ => None,
    }
}

/// A rule that matches the same and is not the same.
fn cover(rule: &Rule) -> Option<Rule> {
    let mut cover = rule.clone();
    // No process has that id.
    let value = Value::Number(u32::MAX >> 1);
    let condition = Condition { field: Field::PID, operator: Operator::NotEqual, value };
    cover.add(condition).ok().map(|()| cover)
}

/// Makes the rules those of a set. `stays` says of which others the set knows nothing.
///
/// # Errors
/// The kernel refuses one of them; all is as it was.
pub(super) fn change(
    table: &mut impl RuleTable,
    set: &RuleSet,
    ignore_errors: bool,
    stays: impl Fn(&[u8], Option<&Rule>) -> bool,
) -> Result<Changed, NotChanged> {
    let mut changed = Changed::default();
    let mut wanted = wanted(set);
    let mut loaded = Loaded::read(table, &stays)?;
    add_missing(table, &mut wanted, &mut loaded, ignore_errors, &mut changed)?;
    let rules: Vec<&Rule> = wanted.iter().filter_map(|command| of(command)).collect();
    changed.moved = put_in_order(table, &rules, &loaded)?;
    let known: HashSet<&Rule> = rules.iter().copied().collect();
    for (bytes, rule) in &loaded.rules {
        if rule.as_ref().is_none_or(|rule| !known.contains(rule)) {
            table.remove(bytes)?;
            changed.removed += 1;
        }
    }
    changed.rules = rules.len();
    Ok(changed)
}

/// Rules as they are listed, and what they say.
struct Loaded {
    rules: Vec<(Vec<u8>, Option<Rule>)>,
}

impl Loaded {
    fn read(
        table: &mut impl RuleTable,
        stays: impl Fn(&[u8], Option<&Rule>) -> bool,
    ) -> Result<Self, RequestError> {
        let listed = table.list()?.into_iter().map(|bytes| {
            let rule = Rule::decode(&bytes).ok();
            (bytes, rule)
        });
        Ok(Self { rules: listed.filter(|(bytes, rule)| !stays(bytes, rule.as_ref())).collect() })
    }

    fn has(&self, rule: &Rule) -> bool {
        self.rules.iter().any(|(_, known)| known.as_ref() == Some(rule))
    }
}

/// Adds what is not there, behind the rest; what is refused is taken out of `wanted` if that is to be
/// ignored.
fn add_missing(
    table: &mut impl RuleTable,
    wanted: &mut Vec<&Located<Command>>,
    loaded: &mut Loaded,
    ignore_errors: bool,
    changed: &mut Changed,
) -> Result<(), NotChanged> {
    let before = loaded.rules.len();
    let mut refused = Vec::new();
    wanted.retain(|command| {
        let Some(rule) = of(command).filter(|rule| !loaded.has(rule)) else { return true };
        match table.add(rule) {
            Ok(()) => {
                loaded.rules.push((rule.encode(Position::Last), Some(rule.clone())));
                true
            }
            Err(source) => {
                refused.push(RefusedRule::of(command, source));
                false
            }
        }
    });
    if !refused.is_empty() && !ignore_errors {
        for (bytes, _) in loaded.rules.drain(before..) {
            table.remove(&bytes)?;
        }
        return Err(NotChanged::Refused(RefusedRules(refused)));
    }
    changed.added = loaded.rules.len() - before;
    changed.ignored = refused;
    Ok(())
}

/// Puts the rules, all of which are there, into the order in which they are wanted; how many had to move.
fn put_in_order(
    table: &mut impl RuleTable,
    wanted: &[&Rule],
    loaded: &Loaded,
) -> Result<usize, RequestError> {
    let lists: HashSet<_> = wanted.iter().map(|rule| rule.list()).collect();
    let mut moved = 0;
    for list in lists {
        let wanted = wanted.iter().copied().filter(|rule| rule.list() == list);
        let mut wanted = wanted.peekable();
        for rule in loaded.rules.iter().filter_map(|(_, rule)| rule.as_ref()) {
            wanted.next_if(|next| *next == rule);
        }
        // Those in front are in order, and stay; the rest goes behind them, one after the other.
        let rest: Vec<&Rule> = wanted.collect();
        let mut covers = Vec::new();
        for cover in rest.iter().filter_map(|rule| cover(rule)) {
            match table.add(&cover) {
                Ok(()) => covers.push(cover),
                Err(error) => log::debug!(target: "audit", "a rule moves without a copy: {error}"),
            }
        }
        for rule in &rest {
            table.remove(&rule.encode(Position::Last))?;
            table.add(rule)?;
        }
        for cover in covers {
            table.remove(&cover.encode(Position::Last))?;
        }
        moved += rest.len();
    }
    Ok(moved)
}

/// Applies the settings among the commands of a set.
pub(super) fn apply_settings<T: Transport>(
    control: &mut Control<T>,
    set: &RuleSet,
) -> Vec<RefusedRule> {
    let is_setting = |command: &&Located<Command>| {
        !matches!(
            command.value,
            Command::Add { .. } | Command::Delete { .. } | Command::DeleteAll { .. }
        )
    };
    let mut refused = Vec::new();
    for command in set.commands.iter().filter(is_setting) {
        if let Err(source) = load::set(control, &command.value) {
            refused.push(RefusedRule::of(command, source));
        }
    }
    refused
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
