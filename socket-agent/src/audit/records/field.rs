//! Fields of a record.

use std::{borrow::Cow, slice};

/// A part of a record's buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// How a value was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Quoted,
    /// In hexadecimal; the value is what that stood for.
    Decoded,
}

/// Where a field is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) key: Span,
    pub(super) value: Span,
    pub(super) form: Form,
}

/// A field: its name and its value, decoded if the kernel had encoded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Name.
    pub key: &'a [u8],
    /// Value without quotes.
    pub value: &'a [u8],
    pub(super) form: Form,
}

/// The fields of a record in their order.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    pub(super) buffer: &'a [u8],
    pub(super) slots: slice::Iter<'a, Slot>,
}

// === impl Span ===

impl Span {
    /// `None` in practice never: a line longer than 4 GiB is refused before.
    pub(super) fn new(start: usize, end: usize) -> Self {
        let narrow = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self { start: narrow(start), end: narrow(end) }
    }

    pub(super) fn of(self, buffer: &[u8]) -> &[u8] {
        buffer.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

// === impl Field ===

impl<'a> Field<'a> {
    /// Whether the writer had nothing to say: empty, `?` or `(null)`.
    pub fn is_absent(&self) -> bool {
        matches!(self.value, b"" | b"?") || (self.value == b"(null)" && self.form == Form::Plain)
    }

    /// The name as text.
    pub fn name(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.key)
    }

    /// The value as text; what is not UTF-8 becomes U+FFFD.
    pub fn text(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.value)
    }

    /// Whether the value stood in quotes or was encoded: then it is a string from outside, never
    /// a number.
    pub fn is_string(&self) -> bool {
        self.form != Form::Plain
    }
}

// === impl Fields ===

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let Slot { key, value, form } = *self.slots.next()?;
        Some(Field { key: key.of(self.buffer), value: value.of(self.buffer), form })
    }
}
