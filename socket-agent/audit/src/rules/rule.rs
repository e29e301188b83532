//! One rule, and what makes it one that the kernel takes.

use super::{
    compare,
    field::{Field, Kind},
    layout::{KEY_SEPARATOR, MAX_FIELDS, MAX_KEY, MAX_TEXT},
    list::{Action, List},
    mask::Mask,
    operator::Operator,
    perm::Perm,
};
use crate::names::FAMILY_END;

/// A rule: on a list, for some calls, if every condition holds, an action.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rule {
    pub(super) list: List,
    pub(super) action: Action,
    pub(super) calls: Mask,
    pub(super) conditions: Vec<Condition>,
}

/// A field compared with a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Condition {
    /// Field that is compared.
    pub field: Field,
    /// Operator of the comparison.
    pub operator: Operator,
    /// Value that the field is compared with.
    pub value: Value,
}

/// Value that a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// The kernel's number; negative ones as their two's complement.
    Number(u32),
    /// Text without a NUL; keys joined by byte 1.
    Text(Vec<u8>),
}

/// Why a condition cannot be part of a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The list has no use for the field.
    #[error("{field} means nothing on list {list}: use it on {allowed}")]
    List {
        /// Name of the field.
        field: &'static str,
        /// Name of the list.
        list: &'static str,
        /// Lists that take it.
        allowed: &'static str,
    },
    /// The field is not compared this way.
    #[error("{field} does not take {operator}: use {allowed}")]
    Operator {
        /// Name of the field.
        field: &'static str,
        /// The operator.
        operator: &'static str,
        /// Operators that it takes.
        allowed: &'static str,
    },
    /// The value cannot be one of this field.
    #[error("{field} {reason}")]
    Value {
        /// Name of the field.
        field: &'static str,
        /// Reason and remedy.
        reason: String,
    },
    /// The kernel takes one such condition in a rule.
    #[error("{field} and {other} cannot be in the same rule: write two rules")]
    Again {
        /// Name of the field.
        field: &'static str,
        /// The field that is there already.
        other: &'static str,
    },
    /// The kernel takes at most 64.
    #[error("a rule has at most {MAX_FIELDS} fields: write two rules")]
    TooMany,
}

/// Fields of which a rule holds at most one.
const EXCLUSIVE: [&[Field]; 3] =
    [&[Field::PATH, Field::DIR, Field::INODE], &[Field::EXE], &[Field::KEY]];

// === impl Rule ===

impl Rule {
    /// A rule without conditions and for no call.
    pub fn new(list: List, action: Action) -> Self {
        Self { list, action, calls: Mask::NONE, conditions: Vec::new() }
    }

    /// List of the rule.
    pub fn list(&self) -> List {
        self.list
    }

    /// Action of the rule.
    pub fn action(&self) -> Action {
        self.action
    }

    /// The calls it is about.
    pub fn calls(&self) -> &Mask {
        &self.calls
    }

    /// All of which must hold.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Keys of the rule.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let texts = self.conditions.iter().filter_map(|condition| match &condition.value {
            Value::Text(text) if condition.field == Field::KEY => Some(text.as_slice()),
            _ => None,
        });
        texts.flat_map(|text| text.split(|byte| *byte == KEY_SEPARATOR))
    }

    /// Whether `part` is in one of its keys, which is what `-D -k` and `-l -k` look for.
    pub fn has_key(&self, part: &[u8]) -> bool {
        let holds = |key: &[u8]| part.is_empty() || key.windows(part.len()).any(|it| it == part);
        self.keys().any(holds)
    }

    /// Sets the calls it is about.
    pub fn set_calls(&mut self, calls: Mask) {
        self.calls = calls;
    }

    /// Adds a condition that the kernel takes.
    ///
    /// # Errors
    /// Why the kernel would not, or why it would never hold.
    pub fn add(&mut self, condition: Condition) -> Result<(), RuleError> {
        let field = condition.field;
        if self.conditions.len() >= MAX_FIELDS {
            return Err(RuleError::TooMany);
        }
        condition.check(self.list)?;
        let others = EXCLUSIVE.iter().filter(|group| group.contains(&field)).copied().flatten();
        for other in others {
            if self.conditions.iter().any(|present| present.field == *other) {
                return Err(RuleError::Again { field: named(field), other: named(*other) });
            }
        }
        self.conditions.push(condition);
        Ok(())
    }

    /// Sets the kinds of access, where they are already asked for or as a new condition.
    pub(super) fn set_perm(&mut self, perm: Perm) -> Result<(), RuleError> {
        let value = Value::Number(perm.bits());
        match self.conditions.iter_mut().find(|condition| condition.field == Field::PERM) {
            Some(condition) => condition.value = value,
            None => self.add(Condition { field: Field::PERM, operator: Operator::Equal, value })?,
        }
        Ok(())
    }
}

fn named(field: Field) -> &'static str {
    field.name().unwrap_or("unknown")
}

// === impl Condition ===

impl Condition {
    fn check(&self, list: List) -> Result<(), RuleError> {
        let field = named(self.field);
        if let Some(allowed) = self.field.not_on(list) {
            return Err(RuleError::List { field, list: list.name(), allowed });
        }
        if let Some(allowed) = self.field.refuses(self.operator) {
            return Err(RuleError::Operator { field, operator: self.operator.symbol(), allowed });
        }
        let wrong = match &self.value {
            Value::Number(number) => wrong_number(self.field, *number),
            Value::Text(text) => wrong_text(self.field, text),
        };
        wrong.map_or(Ok(()), |reason| Err(RuleError::Value { field, reason }))
    }
}

fn wrong_number(field: Field, number: u32) -> Option<String> {
    match field.kind()? {
        Kind::User | Kind::Group if number == u32::MAX => {
            Some("is never unset: only auid can be compared with unset".to_owned())
        }
        Kind::Family if number >= FAMILY_END => {
            Some(format!("is smaller than {FAMILY_END}, not {number}"))
        }
        Kind::Compare if !(1..=compare::MAX).contains(&number) => {
            Some(format!("is 1 to {}: write -C FIELD=FIELD instead", compare::MAX))
        }
        Kind::FileType if number & !0o170_000 != 0 => {
            Some(format!("has no bits but those of S_IFMT, as 0100000, not {number:#o}"))
        }
        kind if field.is_text() => Some(format!("takes text, not a number ({kind:?})")),
        _ => None,
    }
}

fn wrong_text(field: Field, text: &[u8]) -> Option<String> {
    if text.contains(&0) {
        return Some("cannot hold a NUL byte".to_owned());
    }
    match field.kind()? {
        Kind::Key if text.len() > MAX_KEY => Some(format!(
            "is {} bytes long with all keys of the rule: shorten it to {MAX_KEY}",
            text.len()
        )),
        _ if text.len() > MAX_TEXT => {
            Some(format!("is {} bytes long: at most {MAX_TEXT} are allowed", text.len()))
        }
        _ if text.is_empty() => Some("has no value: write one behind the operator".to_owned()),
        Kind::File | Kind::Directory if text.first() != Some(&b'/') => Some(format!(
            "needs an absolute path, not `{}`: begin it with /",
            String::from_utf8_lossy(text)
        )),
        Kind::File if text.last() == Some(&b'/') => Some(if field == Field::PATH {
            "is a file and cannot end in /: use dir for a directory".to_owned()
        } else {
            "is a file and cannot end in /: leave the / out".to_owned()
        }),
        Kind::Text | Kind::File | Kind::Directory | Kind::Key => None,
        kind => Some(format!("takes a number, not text ({kind:?})")),
    }
}
