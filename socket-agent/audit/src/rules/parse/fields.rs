//! Conditions, keys and calls of a rule, in the order of its line.

use super::{
    Fault,
    calls::{self, Calls},
    options::Opt,
    value, watch,
};
use crate::names::{Arch, nearest};
use crate::rules::{
    compare,
    field::Field,
    host::{Host, PermCalls},
    layout::KEY_SEPARATOR,
    list::List,
    operator::Operator,
    perm::Perm,
    rule::{Condition, Rule, RuleError, Value},
};

/// The rule while its line is read.
pub(super) struct Fields<'a> {
    host: &'a Host<'a>,
    /// `None` if it is not known what rule it is.
    rule: Option<Rule>,
    faults: &'a mut Vec<Fault>,
    /// Joined as the kernel wants them.
    keys: Vec<u8>,
    key_column: Option<usize>,
    calls: Calls,
    arch: Option<Arch>,
    /// From `-F perm`.
    perm: Option<Perm>,
}

// === impl Fields ===

impl<'a> Fields<'a> {
    pub(super) fn new(host: &'a Host<'a>, rule: Option<Rule>, faults: &'a mut Vec<Fault>) -> Self {
        Self {
            host,
            rule,
            faults,
            keys: Vec::new(),
            key_column: None,
            calls: Calls::default(),
            arch: None,
            perm: None,
        }
    }

    pub(super) fn warn(&mut self, column: usize, message: &str) {
        self.faults.push(Fault::warning(column, message));
    }

    fn error(&mut self, column: usize, message: impl Into<String>) {
        self.faults.push(Fault::error(column, message));
    }

    /// `-F FIELD OPERATOR VALUE`.
    pub(super) fn field(&mut self, option: &Opt) {
        let column = option.value.column;
        let Some((name, operator, text)) = Operator::split(&option.value.text) else {
            let text = String::from_utf8_lossy(&option.value.text);
            return self.error(
                column,
                format!("`{text}` has no operator: write FIELD=VALUE, or != < <= > >= & &="),
            );
        };
        let Some(field) = self.known_field(name, column) else { return };
        let column = column + width(name) + operator.symbol().len();
        if field == Field::KEY && operator == Operator::Equal {
            return self.key(text, column);
        }
        match value::read(field, text, self.host) {
            Ok(value) => self.condition(Condition { field, operator, value }, column),
            Err(message) => self.error(column, message),
        }
    }

    fn condition(&mut self, condition: Condition, column: usize) {
        let mut missing = None;
        match (&condition.value, condition.field) {
            (Value::Number(number), Field::ARCH) => self.arch = Arch::from_audit(*number),
            (Value::Number(bits), Field::PERM) => {
                let bits = bits | self.perm.map_or(0, Perm::bits);
                self.perm = Some(Perm::from_bits(bits));
            }
            (Value::Text(path), field) => missing = watch::missing(field, path, self.host.paths),
            _ => {}
        }
        if self.add(condition, column) {
            self.faults.extend(missing.map(|message| Fault::warning(column, message)));
        }
    }

    /// Adds a condition; whether that was possible.
    fn add(&mut self, condition: Condition, column: usize) -> bool {
        match self.rule.as_mut().map(|rule| rule.add(condition)) {
            Some(Err(error)) => {
                self.refused(&error, column);
                false
            }
            _ => true,
        }
    }

    fn refused(&mut self, error: &RuleError, column: usize) {
        self.error(column, error.to_string());
    }

    fn known_field(&mut self, name: &[u8], column: usize) -> Option<Field> {
        let text = String::from_utf8_lossy(name);
        if text.is_empty() {
            self.error(column, "no field before the operator: write FIELD=VALUE");
            return None;
        }
        let field = Field::from_name(&text);
        if field.is_none() {
            let hint = nearest(&text, Field::names()).map_or_else(
                || "auditctl(8) lists them".to_owned(),
                |name| format!("did you mean {name}?"),
            );
            self.error(column, format!("`{text}` is no field: {hint}"));
        }
        field
    }

    /// `-C FIELD OPERATOR FIELD`.
    pub(super) fn compare(&mut self, option: &Opt) {
        let column = option.value.column;
        let Some((left, operator, right)) = Operator::split(&option.value.text) else {
            let text = String::from_utf8_lossy(&option.value.text);
            return self.error(
                column,
                format!("`{text}` has no operator: write FIELD=FIELD or FIELD!=FIELD"),
            );
        };
        let at_right = column + width(left) + operator.symbol().len();
        if !matches!(operator, Operator::Equal | Operator::NotEqual) {
            return self.error(
                column + width(left),
                format!("-C does not take {}: use = or !=", operator.symbol()),
            );
        }
        let (left, right) = (self.known_field(left, column), self.known_field(right, at_right));
        let (Some(left), Some(right)) = (left, right) else { return };
        let Some(number) = compare::number(left, right) else {
            let name = |field: Field| field.name().unwrap_or("unknown");
            let partners: Vec<_> = compare::partners(left).map(name).collect();
            let (left, right) = (name(left), name(right));
            let (at, message) = if partners.is_empty() {
                (column, format!("{left} cannot be compared with a field: use -F {left}=VALUE"))
            } else {
                let partners = partners.join(", ");
                (
                    at_right,
                    format!("{left} cannot be compared with {right}: it can with {partners}"),
                )
            };
            return self.error(at, message);
        };
        let value = Value::Number(number);
        self.add(Condition { field: Field::FIELD_COMPARE, operator, value }, column);
    }

    /// `-p LETTERS`.
    pub(super) fn perm(&mut self, option: &Opt) {
        let column = option.value.column;
        let perm = option.text().and_then(|text| {
            Perm::from_letters(text).map_err(|message| Fault::error(column, message))
        });
        match perm {
            Ok(perm) => {
                if let Some(Err(error)) = self.rule.as_mut().map(|rule| rule.set_perm(perm)) {
                    self.refused(&error, column);
                }
            }
            Err(fault) => self.faults.push(fault),
        }
    }

    /// `-k KEY` or `-F key=KEY`.
    pub(super) fn key(&mut self, key: &[u8], column: usize) {
        // A template without a key, which auditctl takes for none.
        if key.is_empty() {
            return;
        }
        if key.contains(&KEY_SEPARATOR) {
            return self.error(column, "a key cannot hold byte 1, which separates keys: remove it");
        }
        if !self.keys.is_empty() {
            self.keys.push(KEY_SEPARATOR);
        }
        self.keys.extend_from_slice(key);
        self.key_column.get_or_insert(column);
    }

    /// `-S CALL,...`.
    pub(super) fn call(&mut self, option: &Opt) {
        match option.text() {
            Ok(text) if self.calls.push(text, option.value.column) => {}
            Ok(text) => self
                .error(option.value.column, format!("`{text}` names no call: write one, or all")),
            Err(fault) => self.faults.push(fault),
        }
    }

    /// The rule, unless its line has errors.
    pub(super) fn finish(mut self, is_watch: bool, is_new: bool) -> Option<Rule> {
        self.finish_key();
        if !is_watch {
            self.finish_calls(is_new);
        }
        self.rule
    }

    fn finish_key(&mut self) {
        let Some(column) = self.key_column else { return };
        let anchored = |rule: &Rule| {
            let fields = [Field::PERM, Field::PATH, Field::DIR, Field::EXE, Field::FSTYPE];
            rule.conditions().iter().any(|condition| fields.contains(&condition.field))
        };
        if self.calls.is_empty() && self.rule.as_ref().is_some_and(|rule| !anchored(rule)) {
            self.warn(
                column,
                "auditctl refuses a key without -S, a path, exe or fstype: add -S all on list exit",
            );
        }
        let value = Value::Text(std::mem::take(&mut self.keys));
        self.add(Condition { field: Field::KEY, operator: Operator::Equal, value }, column);
    }

    fn finish_calls(&mut self, is_new: bool) {
        let Some(list) = self.rule.as_ref().map(Rule::list) else { return };
        let arch = self.arch.or(self.host.arch);
        let mut mask = match self.calls.resolve(list, arch, self.faults) {
            Some(mask) => mask,
            None if list == List::Task => return,
            None => calls::unnamed(list),
        };
        if let (Some(arch), Some(perm), PermCalls::Listed) =
            (self.arch, self.perm, self.host.perm_calls)
        {
            let listed = perm.calls(arch);
            if self.calls.is_empty() {
                mask = listed;
            } else {
                mask.union(&listed);
            }
        }
        if is_new && self.arch.is_none() && list == List::Exit {
            self.calls.warn_if_ambiguous(self.host.arch, &mask, self.faults);
        }
        if let Some(rule) = &mut self.rule {
            rule.set_calls(mask);
        }
    }
}

/// Columns that a part of a word takes.
fn width(text: &[u8]) -> usize {
    String::from_utf8_lossy(text).chars().count()
}
