//! The process of an event.

use super::text::Text;
use crate::records::{Arguments, Key, Kind, Record, arguments};

/// A process, as far as the records say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process<'a> {
    /// Process id.
    pub pid: Option<u32>,
    /// Process id of the parent.
    pub parent_pid: Option<u32>,
    /// The name that the kernel has for it.
    pub name: Option<Text<'a>>,
    /// Path of its program.
    pub executable: Option<Text<'a>>,
    /// Its command line, which the kernel cuts after 128 bytes.
    pub title: Option<Text<'a>>,
    /// Working directory.
    pub working_directory: Option<Text<'a>>,
    /// All arguments, if it has just started a program.
    pub args: Arguments<'a>,
}

impl<'a> Process<'a> {
    pub(super) fn read(records: &'a [Record]) -> Self {
        let mut process = Self::default();
        for record in records {
            match record.kind() {
                Kind::PROCTITLE => process.title = record.text(Key::PROCTITLE),
                Kind::CWD => process.working_directory = record.text(Key::CWD),
                Kind::PATH | Kind::SOCKADDR | Kind::EXECVE | Kind::OBJ_PID => {}
                _ => process.add(record),
            }
        }
        process.args = arguments(records);
        process
    }

    /// What another record has told already stays.
    fn add(&mut self, record: &'a Record) {
        let number = |key: Key| record.number(key).and_then(|number| u32::try_from(number).ok());
        self.pid = self.pid.or_else(|| number(Key::PID));
        self.parent_pid = self.parent_pid.or_else(|| number(Key::PPID));
        self.name = self.name.take().or_else(|| record.text(Key::COMM));
        self.executable = self.executable.take().or_else(|| record.text(Key::EXE));
        self.working_directory = self.working_directory.take().or_else(|| record.text(Key::CWD));
    }

    /// The program, or what an interpreter runs.
    pub(super) fn means(&self) -> Option<Text<'a>> {
        let Some(executable) = &self.executable else { return self.name.clone() };
        let program = program_name(executable);
        let is_interpreter = INTERPRETERS.iter().any(|name| {
            program.strip_prefix(name).is_some_and(|rest| {
                rest.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'm'))
            })
        });
        if is_interpreter
            && let Some(name) = &self.name
            && !program.starts_with(name.as_ref())
        {
            return Some(name.clone());
        }
        Some(executable.clone())
    }
}

/// The last part of a program's path, without what a package manager and the kernel put behind the
/// name of a file that was replaced while it ran: `python2.7;58d1ccfb (deleted)`.
fn program_name(executable: &str) -> &str {
    let program = executable.strip_suffix(" (deleted)").unwrap_or(executable);
    let program = program.rsplit('/').next().unwrap_or_default();
    match program.rsplit_once(';') {
        Some((name, digits)) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => name,
        _ => program,
    }
}

/// Programs that run scripts; a version may follow.
const INTERPRETERS: [&str; 14] = [
    "python", "perl", "ruby", "node", "php", "lua", "tclsh", "bash", "dash", "sh", "zsh", "ksh",
    "fish", "busybox",
];
