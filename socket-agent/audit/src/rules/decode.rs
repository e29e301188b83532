//! A rule as the kernel reports it.

use thiserror::Error;

use super::{
    field::Field,
    layout::{HEADER, MASK_WORDS, MAX_FIELDS, PREPEND, WORD},
    list::{Action, List},
    mask::Mask,
    operator::Operator,
    rule::{Condition, Rule, Value},
};

/// Why bytes are no rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The rule ends too early.
    #[error("audit rule: {len} bytes where at least {needed} are needed")]
    Short {
        /// Bytes that are there.
        len: usize,
        /// Bytes that should be.
        needed: usize,
    },
    /// A list that is not known here.
    #[error("audit rule: unknown list {0}; this kernel may be newer than this program")]
    List(u32),
    /// An action that is not known here.
    #[error("audit rule: unknown action {0}; this kernel may be newer than this program")]
    Action(u32),
    /// An operator that is not known here.
    #[error("audit rule: unknown operator {0:#x}; this kernel may be newer than this program")]
    Operator(u32),
    /// More fields than a rule has room for.
    #[error("audit rule: {0} fields where {MAX_FIELDS} is the limit")]
    Fields(u32),
}

impl Rule {
    /// From `struct audit_rule_data`, as `AUDIT_LIST_RULES` answers it. Fields that are not known
    /// here are kept as numbers.
    ///
    /// # Errors
    /// What of the bytes is not understood.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let short = |needed| DecodeError::Short { len: bytes.len(), needed };
        let (header, text) = bytes.split_at_checked(HEADER).ok_or_else(|| short(HEADER))?;
        let mut words = header.chunks_exact(WORD).map(|word| {
            // The chunk has exactly this length.
            u32::from_ne_bytes(word.try_into().unwrap_or_default())
        });
        let mut word = || words.next().unwrap_or_default();

        let (list, action, count) = (word() & !PREPEND, word(), word());
        let list = List::from_number(list).ok_or(DecodeError::List(list))?;
        let action = Action::from_number(action).ok_or(DecodeError::Action(action))?;
        if count as usize > MAX_FIELDS {
            return Err(DecodeError::Fields(count));
        }
        let mask: [u32; MASK_WORDS] = std::array::from_fn(|_| word());
        let fields: [u32; MAX_FIELDS] = std::array::from_fn(|_| word());
        let values: [u32; MAX_FIELDS] = std::array::from_fn(|_| word());
        let operators: [u32; MAX_FIELDS] = std::array::from_fn(|_| word());
        let text_len = word() as usize;
        let mut text =
            text.get(..text_len).ok_or_else(|| short(HEADER.saturating_add(text_len)))?;

        let mut rule = Self::new(list, action);
        rule.calls = Mask::from_words(mask);
        for ((number, value), operator) in
            fields.into_iter().zip(values).zip(operators).take(count as usize)
        {
            let field = Field::from_number(number);
            let value = if field.is_text() {
                let (own, rest) = text.split_at_checked(value as usize).ok_or_else(|| {
                    short(
                        HEADER.saturating_add(text_len).saturating_add(value as usize - text.len()),
                    )
                })?;
                text = rest;
                Value::Text(own.to_vec())
            } else {
                Value::Number(value)
            };
            let operator =
                Operator::from_number(operator).ok_or(DecodeError::Operator(operator))?;
            rule.conditions.push(Condition { field, operator, value });
        }
        Ok(rule)
    }
}
