//! One rule from the options of its line.

use super::{
    Fault,
    fields::Fields,
    options::{Name, Opt},
    watch,
};
use crate::names::nearest;
use crate::rules::{
    command::Command,
    host::Host,
    list::{Action, List, Position},
    mask::Mask,
    operator::Operator,
    perm::Perm,
    rule::{Condition, Rule, Value},
};

/// Operation on the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Add(Position),
    Delete,
}

/// Reads the rule of a line; `None` after an error. The options can come in any order, fields
/// keep theirs, keys come last.
pub(super) fn command(
    options: &[&Opt],
    host: &Host<'_>,
    faults: &mut Vec<Fault>,
) -> Option<Command> {
    let operation = operation(options, faults);
    let start = operation.and_then(|option| start(option, host, faults));
    let is_watch = operation.is_some_and(|option| is_watch(option.name));
    let (operation, rule) = match start {
        Some((operation, rule)) => (Some(operation), Some(rule)),
        // The rest is still read, for what is wrong with it.
        None => (None, None),
    };
    let mut fields = Fields::new(host, rule, faults);
    for option in options {
        match option.name {
            Name::Field => fields.field(option),
            Name::Compare => fields.compare(option),
            Name::Perm => fields.perm(option),
            Name::Key => fields.key(&option.value.text, option.value.column),
            Name::Call if is_watch => fields.warn(
                option.column,
                "a watch is about every call, so -S does nothing: use -a always,exit -F path=...",
            ),
            Name::Call => fields.call(option),
            _ => {}
        }
    }
    let rule = fields.finish(is_watch, matches!(operation, Some(Operation::Add(_))))?;
    Some(match operation? {
        Operation::Add(position) => Command::Add { rule, position },
        Operation::Delete => Command::Delete { rule },
    })
}

fn is_watch(name: Name) -> bool {
    matches!(name, Name::Watch | Name::Unwatch)
}

/// The one option that says what the rule is for.
fn operation<'a>(options: &[&'a Opt], faults: &mut Vec<Fault>) -> Option<&'a Opt> {
    let mut operations = options.iter().filter(|option| {
        is_watch(option.name) || matches!(option.name, Name::Append | Name::Prepend | Name::Delete)
    });
    let first = operations.next();
    if let Some(second) = operations.next() {
        faults.push(Fault::error(
            second.column,
            format!("a line holds one rule: give {} a line of its own", second.name.shown()),
        ));
        return None;
    }
    if first.is_none()
        && let Some(option) = options.first()
    {
        faults.push(Fault::error(
            option.column,
            format!("{} is part of no rule: add -a LIST,ACTION or -w PATH", option.name.shown()),
        ));
    }
    first.copied()
}

/// The rule as its first option has it.
fn start(option: &Opt, host: &Host<'_>, faults: &mut Vec<Fault>) -> Option<(Operation, Rule)> {
    let operation = match option.name {
        Name::Prepend => Operation::Add(Position::First),
        Name::Delete | Name::Unwatch => Operation::Delete,
        _ => Operation::Add(Position::Last),
    };
    let column = option.value.column;
    if !is_watch(option.name) {
        return match option.text().and_then(|text| list_and_action(text, column)) {
            Ok((list, action)) => Some((operation, Rule::new(list, action))),
            Err(fault) => {
                faults.push(fault);
                None
            }
        };
    }
    let (field, path) = watch::target(&option.value.text, column, host.paths, faults)?;
    let mut rule = Rule::new(List::Exit, Action::Always);
    rule.set_calls(Mask::ALL);
    let target = Condition { field, operator: Operator::Equal, value: Value::Text(path) };
    match rule.add(target).and_then(|()| rule.set_perm(Perm::ALL)) {
        Ok(()) => Some((operation, rule)),
        Err(error) => {
            faults.push(Fault::error(column, error.to_string()));
            None
        }
    }
}

/// `LIST,ACTION` or `ACTION,LIST`.
fn list_and_action(text: &str, column: usize) -> Result<(List, Action), Fault> {
    let Some((one, other)) = text.split_once(',').filter(|(_, rest)| !rest.contains(',')) else {
        return Err(Fault::error(
            column,
            format!("`{text}` is not LIST,ACTION: write for example always,exit"),
        ));
    };
    if let (Some(list), Some(action)) = (List::from_name(one), Action::from_name(other)) {
        return Ok((list, action));
    }
    if let (Some(action), Some(list)) = (Action::from_name(one), List::from_name(other)) {
        return Ok((list, action));
    }
    let known = |word: &str| List::from_name(word).is_some() || Action::from_name(word).is_some();
    let (at, word) =
        if known(one) { (column + one.chars().count() + 1, other) } else { (column, one) };
    Err(Fault::error(at, wrong_word(word)))
}

fn wrong_word(word: &str) -> String {
    match word {
        "possible" => "the action possible does nothing any more: write always or never".to_owned(),
        "entry" => "the list entry is gone from the kernel: write exit".to_owned(),
        _ if List::from_name(word).is_some() => {
            format!("`{word}` is a list: the other word is always or never")
        }
        _ if Action::from_name(word).is_some() => {
            format!("`{word}` is an action: the other word is a list, for example exit")
        }
        _ => match nearest(word, List::names().chain(["always", "never"])) {
            Some(name) => format!("`{word}` is no list and no action: did you mean {name}?"),
            None => format!(
                "`{word}` is no list and no action: lists are {}; actions are always and never",
                List::names().collect::<Vec<_>>().join(", ")
            ),
        },
    }
}
