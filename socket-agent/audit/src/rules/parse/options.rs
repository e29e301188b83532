//! Options and their values among the words of a line, as getopt reads them: values joined to the
//! option or as the next word, several options without values behind one dash, long options by any
//! beginning that only they have.

use super::{Fault, words::Word};
use crate::names::nearest;

/// Declares the options: name in the code, letter or nothing, long name or nothing, whether it
/// takes a value.
macro_rules! options {
    ($($name:ident, $short:literal, $long:literal, $value:literal;)*) => {
        /// An option of auditctl.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Name {
            $($name,)*
        }

        const OPTIONS: &[(Name, &str, &str, bool)] = &[$((Name::$name, $short, $long, $value),)*];
    };
}

options! {
    Append, "a", "", true;
    Prepend, "A", "", true;
    Delete, "d", "", true;
    DeleteAll, "D", "", false;
    Watch, "w", "", true;
    Unwatch, "W", "", true;
    Perm, "p", "", true;
    Key, "k", "", true;
    Call, "S", "", true;
    Field, "F", "", true;
    Compare, "C", "", true;
    Enable, "e", "", true;
    Failure, "f", "", true;
    Backlog, "b", "", true;
    Rate, "r", "", true;
    Ignore, "i", "", false;
    Continue, "c", "", false;
    Trim, "t", "", false;
    Equivalent, "q", "", true;
    Message, "m", "", true;
    WaitTime, "", "backlog_wait_time", true;
    LoginuidImmutable, "", "loginuid-immutable", false;
    ResetLost, "", "reset-lost", false;
    ResetWaitTime, "", "reset_backlog_wait_time_actual", false;
    Status, "s", "", false;
    List, "l", "", false;
    Version, "v", "", false;
    Help, "h", "help", false;
    ReadFile, "R", "", true;
    Signal, "", "signal", true;
}

/// An option of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opt {
    /// Column of the option, from 1.
    pub(super) column: usize,
    pub(super) name: Name,
    /// Empty, and at the option, for one without a value.
    pub(super) value: Word,
}

/// Reads the options of a line; what is none becomes a fault.
pub(super) fn read(words: Vec<Word>, faults: &mut Vec<Fault>) -> Vec<Opt> {
    let mut options = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let column = word.column;
        let found = match word.text.as_slice() {
            [b'-', b'-', long @ ..] if !long.is_empty() => read_long(long, column, &mut words),
            [b'-', short @ ..] if !short.is_empty() => {
                read_short(short, column, &mut words, &mut options)
            }
            [b'#', ..] => {
                faults
                    .push(Fault::error(column, "comments have a line of their own: move it there"));
                return options;
            }
            text => Err(Fault::error(
                column,
                format!(
                    "`{}` belongs to no option: quote a value that has spaces, and begin options \
                     with -",
                    String::from_utf8_lossy(text)
                ),
            )),
        };
        match found {
            Ok(option) => options.extend(option),
            Err(fault) => faults.push(fault),
        }
    }
    options
}

/// `--NAME`, `--NAME VALUE` or `--NAME=VALUE`.
fn read_long(
    text: &[u8],
    column: usize,
    words: &mut impl Iterator<Item = Word>,
) -> Result<Option<Opt>, Fault> {
    let (name, joined) = match text.iter().position(|byte| *byte == b'=') {
        Some(at) => {
            let (name, value) = text.split_at(at);
            let value = value.get(1..).unwrap_or_default().to_vec();
            (name, Some(Word { column: column + 3 + at, text: value }))
        }
        None => (text, None),
    };
    let shown = String::from_utf8_lossy(name);
    let long = || OPTIONS.iter().filter(|option| !option.2.is_empty());
    let mut matching = long().filter(|option| option.2.as_bytes().starts_with(name));
    let exact = long().find(|option| option.2.as_bytes() == name);
    let option = match (exact, matching.next(), matching.next()) {
        (Some(exact), ..) => exact,
        (None, Some(only), None) => only,
        (None, Some(_), Some(_)) => {
            return Err(Fault::error(
                column,
                format!("--{shown} is the beginning of several options: write it out"),
            ));
        }
        (None, None, _) => {
            let hint = nearest(&shown, long().map(|option| option.2))
                .map_or("see auditctl(8) for the options".to_owned(), |it| {
                    format!("did you mean --{it}?")
                });
            return Err(Fault::error(column, format!("--{shown} is no option: {hint}")));
        }
    };
    let value = match (option.3, joined) {
        (false, None) => Word { column, text: Vec::new() },
        (false, Some(value)) => {
            return Err(Fault::error(
                value.column,
                format!("--{} takes no value: leave it out", option.2),
            ));
        }
        (true, Some(value)) => value,
        (true, None) => words.next().ok_or_else(|| no_value(column, &format!("--{}", option.2)))?,
    };
    Ok(Some(Opt { column, name: option.0, value }))
}

/// `-X`, `-X VALUE`, `-XVALUE`; options without values can be followed by others.
fn read_short(
    text: &[u8],
    column: usize,
    words: &mut impl Iterator<Item = Word>,
    options: &mut Vec<Opt>,
) -> Result<Option<Opt>, Fault> {
    for (at, letter) in text.iter().enumerate() {
        let column = column + 1 + at;
        let Some((name, _, _, takes_value)) =
            OPTIONS.iter().find(|option| option.1.as_bytes() == [*letter])
        else {
            let shown = String::from_utf8_lossy(text.get(at..).unwrap_or_default());
            let shown = shown.chars().next().unwrap_or(char::REPLACEMENT_CHARACTER);
            return Err(Fault::error(
                column - 1,
                format!("-{shown} is no option: rules begin with -a, -A, -w, -d, -W or -D"),
            ));
        };
        if !takes_value {
            options.push(Opt {
                column: column - 1,
                name: *name,
                value: Word { column, text: Vec::new() },
            });
            continue;
        }
        let value = match text.get(at + 1..).filter(|joined| !joined.is_empty()) {
            Some(joined) => Word { column: column + 1, text: joined.to_vec() },
            None => words
                .next()
                .ok_or_else(|| no_value(column - 1, &format!("-{}", char::from(*letter))))?,
        };
        return Ok(Some(Opt { column: column - 1, name: *name, value }));
    }
    Ok(None)
}

fn no_value(column: usize, option: &str) -> Fault {
    Fault::error(column, format!("{option} needs a value: write it behind the option"))
}

// === impl Name ===

impl Name {
    /// With its dash, as in messages.
    pub(super) fn shown(self) -> &'static str {
        match self {
            Self::Append => "-a",
            Self::Prepend => "-A",
            Self::Delete => "-d",
            Self::Watch => "-w",
            Self::Unwatch => "-W",
            Self::ReadFile => "-R",
            Self::Signal => "--signal",
            Self::Status => "-s",
            Self::List => "-l",
            Self::Version => "-v",
            Self::Help => "-h",
            Self::Call => "-S",
            Self::Field => "-F",
            Self::Compare => "-C",
            Self::Perm => "-p",
            Self::Key => "-k",
            _ => "this option",
        }
    }
}

// === impl Opt ===

impl Opt {
    /// The value as text.
    pub(super) fn text(&self) -> Result<&str, Fault> {
        std::str::from_utf8(&self.value.text).map_err(|_| {
            Fault::error(
                self.value.column,
                "the value is no UTF-8: only paths and keys can hold other bytes",
            )
        })
    }
}
