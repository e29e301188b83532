//! A rule as the kernel takes it.

use super::{
    field::Field,
    layout::{HEADER, MASK_WORDS, MAX_FIELDS, PREPEND, WORD},
    list::Position,
    rule::{Rule, Value},
};

impl Rule {
    /// As `struct audit_rule_data`, the payload of `AUDIT_ADD_RULE` and `AUDIT_DEL_RULE`, padded to
    /// a whole number of words. With [`Position::Last`] it is also what `AUDIT_LIST_RULES` answers
    /// once the rule is loaded.
    pub fn encode(&self, position: Position) -> Vec<u8> {
        let text_len: usize = self.conditions.iter().map(|condition| condition.text().len()).sum();
        let mut bytes = Vec::with_capacity((HEADER + text_len).next_multiple_of(WORD));
        let mut word = |word: u32| bytes.extend_from_slice(&word.to_ne_bytes());

        let prepend = if position == Position::First { PREPEND } else { 0 };
        word(self.list.number() | prepend);
        word(self.action.number());
        word(self.conditions.len() as u32);
        debug_assert_eq!(self.calls.words().len(), MASK_WORDS);
        self.calls.words().iter().for_each(|calls| word(*calls));
        self.column(|field, _, _| field.number()).for_each(&mut word);
        self.column(|_, value, _| value).for_each(&mut word);
        self.column(|_, _, operator| operator).for_each(&mut word);
        word(text_len as u32);

        for condition in &self.conditions {
            bytes.extend_from_slice(condition.text());
        }
        bytes.resize(bytes.len().next_multiple_of(WORD), 0);
        bytes
    }

    /// One of the three arrays with an element for each condition, filled up with zeros.
    fn column(&self, pick: impl Fn(Field, u32, u32) -> u32) -> impl Iterator<Item = u32> {
        let picked = self.conditions.iter().map(move |condition| {
            let value = match &condition.value {
                Value::Number(number) => *number,
                Value::Text(text) => text.len() as u32,
            };
            pick(condition.field, value, condition.operator.number())
        });
        picked.chain(std::iter::repeat(0)).take(MAX_FIELDS)
    }
}

impl super::rule::Condition {
    fn text(&self) -> &[u8] {
        match &self.value {
            Value::Number(_) => &[],
            Value::Text(text) => text,
        }
    }
}
