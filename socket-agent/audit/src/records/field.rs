//! Fields of a record.

use std::slice;

use super::{Key, Text, scan};

/// A part of a record's buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// The bytes of a record: mostly text, which is then known to be.
#[derive(Clone, Debug)]
pub(super) enum Buffer {
    Text(String),
    Bytes(Vec<u8>),
}

/// Form in which a value was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Quoted,
    /// In hexadecimal; the value is what that stood for.
    Decoded,
}

/// Position of a field in the text of its record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) id: Key,
    pub(super) form: Form,
    /// Whether the writer gave no value, as in `?`.
    pub(super) absent: bool,
    pub(super) key: Span,
    pub(super) value: Span,
}

/// A field: its name and its value, decoded if the kernel had encoded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Name, interned.
    pub id: Key,
    /// Name.
    pub key: &'a [u8],
    /// Value without quotes.
    pub value: &'a [u8],
    /// The same as text, if the whole record is UTF-8.
    text: Option<&'a str>,
    form: Form,
    absent: bool,
}

/// The fields of a record in their order.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    pub(super) buffer: &'a Buffer,
    pub(super) slots: slice::Iter<'a, Slot>,
}

// === impl Buffer ===

impl Buffer {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        // Quicker than to look for more, which is seldom there.
        if scan::is_ascii(&bytes) {
            // SAFETY: ASCII is UTF-8.
            return Self::Text(unsafe { String::from_utf8_unchecked(bytes) });
        }
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// Takes the memory out, and leaves an empty buffer.
    pub(super) fn take(&mut self) -> Vec<u8> {
        match std::mem::take(self) {
            Self::Text(text) => text.into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    pub(super) fn capacity(&self) -> usize {
        match self {
            Self::Text(text) => text.capacity(),
            Self::Bytes(bytes) => bytes.capacity(),
        }
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

// === impl Span ===

impl Span {
    /// Records are far shorter than 4 GiB: see `LINE_MAX`.
    #[inline]
    pub(super) const fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    #[inline]
    pub(super) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    #[inline]
    pub(super) fn of(self, buffer: &[u8]) -> &[u8] {
        buffer.get(self.range()).unwrap_or_default()
    }
}

// === impl Slot ===

impl Slot {
    #[inline]
    pub(super) fn field(self, buffer: &Buffer) -> Field<'_> {
        let Self { id, form, absent, key, value } = self;
        let key = key.of(buffer.bytes());
        match buffer {
            Buffer::Text(text) => {
                let text = text.get(value.range()).unwrap_or_default();
                Field { id, key, value: text.as_bytes(), text: Some(text), form, absent }
            }
            Buffer::Bytes(bytes) => {
                Field { id, key, value: value.of(bytes), text: None, form, absent }
            }
        }
    }
}

// === impl Field ===

impl<'a> Field<'a> {
    /// Whether the writer had nothing to say: empty, `?` or `(null)`.
    #[inline]
    pub fn is_absent(&self) -> bool {
        self.absent
    }

    /// The name as text.
    pub fn name(&self) -> Text<'a> {
        self.id.name().map_or_else(|| Text::lossy(self.key), Text::Borrowed)
    }

    /// The value as text; what is not UTF-8 becomes U+FFFD.
    #[inline]
    pub fn text(&self) -> Text<'a> {
        self.text.map_or_else(|| Text::lossy(self.value), Text::Borrowed)
    }

    /// The value, if it is known to be UTF-8.
    #[inline]
    pub(crate) fn known_text(&self) -> Option<&'a str> {
        self.text
    }

    /// Whether it is the same field of the same record.
    pub(crate) fn is_same(&self, other: &Field<'_>) -> bool {
        std::ptr::eq(self.key, other.key)
    }

    /// How many characters the kernel has written for the value, without quotes.
    pub(super) fn written_length(&self) -> usize {
        match self.form {
            Form::Decoded => 2 * self.value.len(),
            Form::Plain | Form::Quoted => self.value.len(),
        }
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

    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        self.slots.next().map(|slot| slot.field(self.buffer))
    }
}
