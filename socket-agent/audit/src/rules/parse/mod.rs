//! Rule files: text to [`Command`]s.
//!
//! The language is auditctl's, as in a file for `auditctl -R`. What is read here and not by
//! auditctl, so that rules written for other agents work too:
//! - quotes, `'a b'` and `"a b"`, at the start of a word or behind an operator; auditctl has only
//!   the backslash, which works here as well;
//! - options of a rule in any order, where auditctl wants the list first and `arch` before `-S`;
//! - tabs between words, and lines that end with a carriage return;
//! - numbers of file types and names of address families;
//! - a key on any rule, with a warning where auditctl wants `-S`, a path, `exe` or `fstype` for it.
//!
//! What auditctl accepts and is an error here: numbers followed by something else (auditctl drops
//! it), fields that the kernel refuses or never looks at on a list, the deprecated action
//! `possible`, `-S` with nothing but commas, which makes a rule that never holds, and settings on the
//! line of a rule.
//!
//! `-S all` on list io_uring is every operation, where auditctl takes those that it has names for.

mod build;
mod calls;
mod control;
mod fields;
mod line;
mod options;
mod value;
pub(super) mod watch;
pub(super) mod words;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::{
    command::Command,
    host::Host,
    problem::{Located, Location, Problem, Severity},
};
use words::Line;

/// A rule file.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// How messages call it: its path, or the setting that holds it.
    pub name: &'a str,
    /// Number of its first line, 1 for a file; of the setting's first line for rules in a
    /// configuration.
    pub first_line: usize,
    /// Content of the file.
    pub text: &'a [u8],
}

/// Commands and problems of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Requests of the lines without errors, in order.
    pub commands: Vec<Located<Command>>,
    /// Everything that is wrong, in order of lines.
    pub problems: Vec<Problem>,
}

/// Something wrong at a column of the line at hand.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    column: usize,
    severity: Severity,
    message: String,
}

/// Reads a rule file. It never stops early: lines with errors give problems, the others commands.
pub fn parse(source: &Source<'_>, host: &Host<'_>) -> Parsed {
    let name: Arc<str> = source.name.into();
    let mut parsed = Parsed::default();
    for (at, text) in source.text.split(|byte| *byte == b'\n').enumerate() {
        let location = |column| Location {
            source: Arc::clone(&name),
            line: source.first_line.saturating_add(at),
            column,
        };
        let mut faults = Vec::new();
        let commands = read_line(text, host, &mut faults);
        let wrong = faults.iter().any(|fault| fault.severity == Severity::Error);
        faults.sort_by_key(|fault| fault.column);
        parsed.problems.extend(faults.into_iter().map(|fault| Problem {
            location: location(fault.column),
            severity: fault.severity,
            message: fault.message,
        }));
        if !wrong {
            let located = |(column, value)| Located { location: location(column), value };
            parsed.commands.extend(commands.into_iter().map(located));
        }
    }
    parsed
}

fn read_line(text: &[u8], host: &Host<'_>, faults: &mut Vec<Fault>) -> Vec<(usize, Command)> {
    match words::split(text) {
        Ok(Line::Blank) => Vec::new(),
        Ok(Line::Words(words)) => {
            let options = options::read(words, faults);
            line::commands(&options, host, faults)
        }
        Err(fault) => {
            faults.push(fault);
            Vec::new()
        }
    }
}

// === impl Fault ===

impl Fault {
    fn error(column: usize, message: impl Into<String>) -> Self {
        Self { column, severity: Severity::Error, message: message.into() }
    }

    fn warning(column: usize, message: impl Into<String>) -> Self {
        Self { column, severity: Severity::Warning, message: message.into() }
    }
}
