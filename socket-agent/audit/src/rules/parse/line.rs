//! Which requests the options of a line make.

use super::{
    Fault, build, control,
    options::{Name, Opt},
};
use crate::rules::{command::Command, host::Host};

/// The requests of a line, each with its column.
pub(super) fn commands(
    options: &[Opt],
    host: &Host<'_>,
    faults: &mut Vec<Fault>,
) -> Vec<(usize, Command)> {
    if let Some(all) = options.iter().find(|option| option.name == Name::DeleteAll) {
        return delete_all(all, options, faults).into_iter().collect();
    }
    let (rule, control): (Vec<&Opt>, Vec<&Opt>) =
        options.iter().partition(|option| is_rule_part(option.name));
    let mut commands = Vec::new();
    for option in &control {
        commands.extend(control::command(option, faults).map(|command| (option.column, command)));
    }
    if let Some(first) = rule.first() {
        if let Some(other) = control.first() {
            faults.push(Fault::error(
                other.column,
                "it is no part of a rule: give it a line of its own",
            ));
        }
        let command = build::command(&rule, host, faults);
        commands.extend(command.map(|command| (first.column, command)));
    }
    commands
}

fn is_rule_part(name: Name) -> bool {
    matches!(
        name,
        Name::Append
            | Name::Prepend
            | Name::Delete
            | Name::Watch
            | Name::Unwatch
            | Name::Perm
            | Name::Key
            | Name::Call
            | Name::Field
            | Name::Compare
    )
}

/// `-D` or `-D -k KEY`.
fn delete_all(all: &Opt, options: &[Opt], faults: &mut Vec<Fault>) -> Option<(usize, Command)> {
    let mut key = None;
    for option in options {
        match option.name {
            Name::DeleteAll => {}
            Name::Key if key.is_none() && !option.value.text.is_empty() => {
                key = Some(option.value.text.clone());
            }
            _ => {
                faults.push(Fault::error(
                    option.column,
                    "-D takes nothing but one -k KEY: give the rest a line of its own",
                ));
                return None;
            }
        }
    }
    Some((all.column, Command::DeleteAll { key }))
}
