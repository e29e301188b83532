//! Calls of `-S`.

use super::{Fault, value::unsigned};
use crate::names::{Arch, IO_URING, nearest, syscall};
use crate::rules::{list::List, mask::Mask};

/// What `-S` named, before it is known for which architecture.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Name or number, and its column.
    named: Vec<(String, usize)>,
}

/// The calls of a rule without `-S`. Those on lists that know no calls have them all too, as
/// auditctl has it.
pub(super) fn unnamed(list: List) -> Mask {
    if list == List::Task { Mask::NONE } else { Mask::ALL }
}

// === impl Calls ===

impl Calls {
    /// Adds a comma-separated list; between and around its commas there may be nothing. Returns
    /// whether it names a call.
    pub(super) fn push(&mut self, text: &str, column: usize) -> bool {
        let before = self.named.len();
        let mut at = column;
        for name in text.split(',') {
            if !name.is_empty() {
                self.named.push((name.to_owned(), at));
            }
            at += name.chars().count() + 1;
        }
        self.named.len() > before
    }

    pub(super) fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// The calls as numbers; `None` without `-S`. What is wrong becomes a fault.
    pub(super) fn resolve(
        &self,
        list: List,
        arch: Option<Arch>,
        faults: &mut Vec<Fault>,
    ) -> Option<Mask> {
        let (_, column) = self.named.first()?;
        if !list.takes_calls() {
            faults.push(Fault::error(
                *column,
                format!("list {} knows no calls: remove -S, or use list exit", list.name()),
            ));
            return Some(Mask::NONE);
        }
        let mut mask = Mask::NONE;
        for (name, column) in &self.named {
            if name == "all" {
                mask.union(&Mask::ALL);
                continue;
            }
            match number(name, list, arch) {
                Ok(number) if mask.insert(number) => {}
                Ok(number) => faults.push(Fault::error(
                    *column,
                    format!("call {number} is too large: rules hold calls below {}", Mask::END),
                )),
                Err(message) => faults.push(Fault::error(*column, message)),
            }
        }
        // Beside every call, a class of calls adds nothing.
        Some(if mask.is_all() { Mask::ALL } else { mask })
    }

    /// Tells of names that mean other numbers to 32-bit programs, which a rule without `arch` then
    /// takes for other calls.
    pub(super) fn warn_if_ambiguous(
        &self,
        host: Option<Arch>,
        mask: &Mask,
        faults: &mut Vec<Fault>,
    ) {
        let Some(((_, column), narrow)) = self.named.first().zip(host.and_then(Arch::narrow))
        else {
            return;
        };
        let mut ignored = Vec::new();
        let other = self.resolve(List::Exit, Some(narrow), &mut ignored);
        if host != Some(narrow) && other.is_some_and(|other| other != *mask) {
            faults.push(Fault::warning(
                *column,
                format!(
                    "these calls have other numbers in {narrow} programs: write one rule with -F \
                     arch=b64 and one with -F arch=b32 before -S"
                ),
            ));
        }
    }
}

fn number(name: &str, list: List, arch: Option<Arch>) -> Result<u32, String> {
    if name.eq_ignore_ascii_case("all") {
        return Err(format!("`{name}` is no call: did you mean all?"));
    }
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        return unsigned(name);
    }
    if list == List::IoUring {
        return IO_URING.number(name).ok_or_else(|| match nearest(name, IO_URING.names()) {
            Some(known) => {
                format!("`{name}` is no audited io_uring operation: did you mean {known}?")
            }
            None => {
                format!("`{name}` is no audited io_uring operation: write its number if it is new")
            }
        });
    }
    let Some(arch) = arch else {
        return Err(format!(
            "`{name}` has no number on this unknown architecture: add -F arch=NAME"
        ));
    };
    syscall::number(arch, name).ok_or_else(|| unknown_call(name, arch))
}

fn unknown_call(name: &str, arch: Arch) -> String {
    let partner = [arch.narrow(), widened(arch)]
        .into_iter()
        .flatten()
        .find(|other| *other != arch && syscall::number(*other, name).is_some());
    if let Some(other) = partner {
        let bits = if other.is_64_bit() { "b64" } else { "b32" };
        return format!(
            "`{name}` is a call of {other}, not of {arch}: write it in a rule with -F arch={bits}"
        );
    }
    match nearest(name, syscall::names(arch)) {
        Some(known) => format!("`{name}` is no call of {arch}: did you mean {known}?"),
        None => format!(
            "`{name}` is no call of {arch}: write its number if it is newer than this program"
        ),
    }
}

/// The 64-bit architecture whose 32-bit programs have this one.
fn widened(arch: Arch) -> Option<Arch> {
    Arch::names()
        .filter_map(Arch::from_name)
        .find(|wide| *wide != arch && wide.narrow() == Some(arch))
}
