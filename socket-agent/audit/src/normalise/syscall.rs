//! The system call of an event.

use super::text::Text;
use crate::{
    decode,
    names::{self, IO_URING},
    records::{Key, Kind, Record},
};

/// A system call, or an operation of io_uring that does the same.
#[derive(Clone, Debug)]
pub(super) struct Syscall<'a> {
    pub(super) record: &'a Record,
    /// By its architecture's table; the number if that has none.
    pub(super) name: Text<'a>,
    /// What the tables have it under: for `socketcall`, the call within.
    pub(super) meaning: Text<'a>,
    pub(super) arch: &'static str,
}

impl<'a> Syscall<'a> {
    pub(super) fn find(records: &'a [Record]) -> Option<Self> {
        let record =
            records.iter().find(|record| matches!(record.kind(), Kind::SYSCALL | Kind::URINGOP))?;
        if record.kind() == Kind::URINGOP {
            let name = record
                .number(Key::URING_OP)
                .and_then(|number| IO_URING.name(u32::try_from(number).ok()?))
                .map_or_else(|| record.text(Key::URING_OP).unwrap_or_default(), Text::from);
            return Some(Self { record, meaning: name.clone(), name, arch: "" });
        }
        let name = name(record)?;
        let meaning = match &*name {
            "socketcall" => record
                .hex(Key::A0)
                .and_then(|call| decode::one("socketcall", call))
                .map_or(name.clone(), Text::from),
            _ => name.clone(),
        };
        let arch = record.hex(Key::ARCH).and_then(|arch| u32::try_from(arch).ok());
        let arch = arch.and_then(decode::arch_name).unwrap_or_default();
        Some(Self { record, name, meaning, arch })
    }

    /// An argument, 0 to 3.
    pub(super) fn argument(&self, index: u8) -> Option<u64> {
        self.record.hex(*[Key::A0, Key::A1, Key::A2, Key::A3].get(usize::from(index))?)
    }

    /// Whether relative paths are relative to the working directory.
    pub(super) fn is_at_cwd(&self) -> bool {
        decode::argument(&self.name, self.arch)
            .iter()
            .filter(|argument| argument.set == "directory")
            .all(|argument| {
                let number = self.argument(argument.index);
                number.and_then(|number| argument.describe(self.arch, number)).is_some()
            })
    }
}

/// The name of the system call in a SYSCALL or SECCOMP record; that which auditd has added, or the
/// number, if it has none here.
pub(super) fn name(record: &Record) -> Option<Text<'_>> {
    let number = record.text(Key::SYSCALL)?;
    let arch = record.hex(Key::ARCH).and_then(|arch| u32::try_from(arch).ok());
    let known =
        arch.zip(number.parse().ok()).and_then(|(arch, call)| decode::syscall_name(arch, call));
    let added = || record.get_added(Key::SYSCALL_NAME).map(|name| name.text());
    Some(known.map(Text::from).or_else(|| added().filter(|name| is_known(name))).unwrap_or(number))
}

/// Whether a record is of an architecture that numbers most errors otherwise.
pub(super) fn has_other_numbers(record: &Record) -> bool {
    let arch = record.hex(Key::ARCH).and_then(|arch| u32::try_from(arch).ok());
    arch.and_then(decode::arch_name).is_some_and(names::arch::has_other_numbers)
}

/// Whether a name that auditd has added is more than its word for what it does not know.
pub(super) fn is_known(name: &str) -> bool {
    !name.starts_with("unknown")
}
