//! A rule in words: what `auditctl -l` says, in a form that can be read again.
//!
//! Where auditctl's own listing cannot be given back to it, this one can: file types are named,
//! spaces in paths and keys are escaped, a directory that ends in a slash keeps it, and an
//! architecture that is neither the host's nor its 32-bit partner's is named. What neither tells is
//! whether a watched path was a directory when the rule was loaded.

use std::fmt::Write as _;

use super::{
    compare,
    field::{Field, Kind},
    layout::KEY_SEPARATOR,
    list::List,
    mask::Mask,
    operator::Operator,
    parse::{watch, words},
    perm::Perm,
    rule::{Condition, Rule, Value},
};
use crate::names::{Arch, FILE_TYPE, FS_TYPE, IO_URING, MESSAGE_TYPE, syscall};
use linux::ERRNO;

/// Numbers that are written as names.
#[derive(Clone, Copy)]
pub enum Numbers<'a> {
    /// Those that auditctl names.
    Auditctl,
    /// Users, groups and file types stay numbers.
    Bare,
    /// Those that auditctl names, and users and groups: the first function names users.
    Named(&'a dyn Fn(u32) -> Option<String>, &'a dyn Fn(u32) -> Option<String>),
}

impl Rule {
    /// As one line of a rule file, for a host of this architecture. Bytes that are no UTF-8 and
    /// line feeds, which no rule file can hold, are replaced.
    pub fn to_text(&self, host: Option<Arch>) -> String {
        self.text(host, Numbers::Auditctl, false)
    }

    /// As [`to_text`](Self::to_text) with a choice of words, and to be read by people: a directory
    /// that ends in a slash is listed as the watch that auditctl makes of it, which would leave the
    /// slash out.
    pub fn to_listing(&self, host: Option<Arch>, numbers: Numbers<'_>) -> String {
        self.text(host, numbers, true)
    }

    fn text(&self, host: Option<Arch>, numbers: Numbers<'_>, slashes: bool) -> String {
        let mut line = self.line(host, numbers, slashes);
        // Else it were the end of a line of other systems, which is left out.
        if line.ends_with('\r') {
            line.push(' ');
        }
        line
    }

    fn line(&self, host: Option<Arch>, numbers: Numbers<'_>, slashes: bool) -> String {
        let mut line = String::new();
        if self.is_watch(slashes) {
            for condition in &self.conditions {
                self.watch_part(&mut line, condition);
            }
            return line;
        }
        // Writing to a string cannot fail.
        let _ = write!(line, "-a {},{}", self.action.name(), self.list.name());
        // Before the calls, which the last one names.
        let mut arch = host;
        for condition in self.conditions.iter().filter(|condition| condition.field == Field::ARCH) {
            if let Condition { operator, value: Value::Number(number), .. } = condition {
                let _ = write!(line, " -F arch{}{}", operator.symbol(), arch_text(*number, host));
                arch = Arch::from_audit(*number);
            }
        }
        calls_part(&mut line, self.list, &self.calls, arch);
        for condition in self.conditions.iter().filter(|condition| condition.field != Field::ARCH) {
            condition_part(&mut line, condition, numbers);
        }
        line
    }

    /// Whether it is what `-w` makes: kinds of access to one path, in any call. A path that ends in
    /// a slash is only with `slashes`, because `-w` leaves it out; one that `-w` refuses never.
    fn is_watch(&self, slashes: bool) -> bool {
        let watched = |value: &Value| match value {
            Value::Text(path) => {
                (slashes || path.len() == 1 || path.last() != Some(&b'/'))
                    && watch::refused(path).is_none()
            }
            Value::Number(_) => false,
        };
        let fields: Vec<Field> = self.conditions.iter().map(|condition| condition.field).collect();
        self.list == List::Exit
            && self.action == super::Action::Always
            && self.calls.is_all()
            && self.conditions.iter().all(|condition| condition.operator == Operator::Equal)
            && matches!(
                fields.as_slice(),
                [Field::PATH | Field::DIR, Field::PERM]
                    | [Field::PATH | Field::DIR, Field::PERM, Field::KEY]
            )
            && self.conditions.first().is_some_and(|condition| watched(&condition.value))
    }

    fn watch_part(&self, line: &mut String, condition: &Condition) {
        let _ = match &condition.value {
            Value::Text(text) if condition.field == Field::KEY => {
                return for_each_key(text, |key| {
                    let _ = write!(line, " -k {}", words::escape(key, false));
                });
            }
            Value::Text(text) => write!(line, "-w {}", words::escape(text, false)),
            Value::Number(bits) => write!(line, " -p {}", Perm::from_bits(*bits)),
        };
    }
}

fn arch_text(number: u32, host: Option<Arch>) -> String {
    match Arch::from_audit(number) {
        Some(arch) if host.and_then(Arch::wide) == Some(arch) => "b64".to_owned(),
        Some(arch) if host.and_then(Arch::narrow) == Some(arch) => "b32".to_owned(),
        Some(arch) => arch.name().to_owned(),
        None => format!("{number:#X}").replacen("0X", "0x", 1),
    }
}

fn calls_part(line: &mut String, list: List, calls: &Mask, arch: Option<Arch>) {
    if !list.takes_calls() || calls.is_empty() {
        return;
    }
    if calls.is_all() {
        line.push_str(" -S all");
        return;
    }
    for (at, number) in calls.iter().enumerate() {
        line.push_str(if at == 0 { " -S " } else { "," });
        let name = match list {
            List::IoUring => IO_URING.name(number),
            _ => arch.and_then(|arch| syscall::auditctl_name(arch, number)),
        };
        match name {
            Some(name) => line.push_str(name),
            None => {
                let _ = write!(line, "{number}");
            }
        }
    }
}

fn condition_part(line: &mut String, condition: &Condition, numbers: Numbers<'_>) {
    let Condition { field, operator, value } = condition;
    let symbol = operator.symbol();
    let name = field.name().map_or_else(|| format!("f{}", field.number()), str::to_owned);
    let _ = match value {
        Value::Text(text) if *field == Field::KEY && *operator == Operator::Equal => {
            for_each_key(text, |key| {
                let _ = write!(line, " -F key={}", words::escape(key, true));
            });
            Ok(())
        }
        Value::Text(text) => write!(line, " -F {name}{symbol}{}", words::escape(text, true)),
        Value::Number(number) => match (field.kind(), compare::fields(*number)) {
            (Some(Kind::Compare), Some((left, right))) => {
                let name = |field: Field| field.name().unwrap_or("unknown");
                write!(line, " -C {}{symbol}{}", name(left), name(right))
            }
            _ => write!(line, " -F {name}{symbol}{}", number_text(*field, *number, numbers)),
        },
    };
}

fn number_text(field: Field, number: u32, numbers: Numbers<'_>) -> String {
    let signed = number.cast_signed();
    let known = match field.kind() {
        Some(Kind::MessageType) => {
            MESSAGE_TYPE.name(number).map(str::to_owned).or(Some(number.to_string()))
        }
        Some(Kind::FileType) if matches!(numbers, Numbers::Bare) => None,
        Some(Kind::FileType) => FILE_TYPE.name(number).map(str::to_owned),
        Some(Kind::FsType) => FS_TYPE.name(number).map(str::to_owned).or(Some(number.to_string())),
        Some(Kind::Perm) => Some(Perm::from_bits(number).to_string()),
        Some(Kind::Exit) if signed < 0 => {
            ERRNO.name(signed.unsigned_abs()).map(|name| format!("-{name}"))
        }
        Some(Kind::Signed) => Some(format!("0x{number:X}")),
        Some(Kind::Number) => Some(number.to_string()),
        Some(Kind::User) if let Numbers::Named(user, _) = numbers => user(number),
        Some(Kind::Group) if let Numbers::Named(_, group) = numbers => group(number),
        _ => None,
    };
    known.unwrap_or_else(|| signed.to_string())
}

fn for_each_key(text: &[u8], each: impl FnMut(&[u8])) {
    text.split(|byte| *byte == KEY_SEPARATOR).filter(|key| !key.is_empty()).for_each(each);
}
