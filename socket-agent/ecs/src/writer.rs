//! How an event describes itself, whatever becomes of the description.

use std::fmt;

use serde_json::value::RawValue;

use crate::FieldName;

/// The name of a field that the code knows: a reference to a constant made by [`key!`](crate::key).
pub type Key = &'static FieldName;

/// A [`Key`] from a literal of up to nineteen bytes that needs no escape in JSON.
#[macro_export]
macro_rules! key {
    ($key:literal) => {
        const { &$crate::FieldName::new(concat!(",\"", $key, "\":\"")) }
    };
}

/// An event that can describe itself as fields of a document.
pub trait Encode {
    /// Writes the fields, each once.
    fn encode<W: Writer>(&self, writer: &mut W);
}

/// A receiver of events.
pub trait EventSink {
    /// Takes an event; what becomes of it does not concern who emits it.
    fn emit(&mut self, event: &impl Encode);
}

/// Appends a line of JSON for each event.
impl EventSink for Vec<u8> {
    fn emit(&mut self, event: &impl Encode) {
        crate::write_json(event, self);
        self.push(b'\n');
    }
}

/// A receiver of the fields of one object.
///
/// [`JsonWriter`](crate::JsonWriter) writes them into a buffer, [`Document`](crate::Document) keeps them
/// so that they can be read and changed.
pub trait Writer {
    /// A string.
    fn text(&mut self, key: Key, value: &str);

    /// A string of ASCII characters.
    #[inline]
    fn ascii<const N: usize>(&mut self, key: Key, value: [u8; N]) {
        self.text(key, std::str::from_utf8(&value).unwrap_or_default());
    }

    /// What a value displays, as a string. It must need no escape in JSON: numbers, addresses, times.
    fn display(&mut self, key: Key, value: impl fmt::Display);

    /// A whole number.
    fn number(&mut self, key: Key, value: u64);

    /// A truth value.
    fn flag(&mut self, key: Key, value: bool);

    /// Writes JSON that was serialised before.
    fn raw(&mut self, key: Key, json: &RawValue);

    /// An array of strings, also an empty one.
    fn list<T: AsRef<str>>(&mut self, key: Key, values: impl IntoIterator<Item = T>);

    /// An array of what values display, as [`display`](Self::display); also an empty one.
    fn list_displayed<T: fmt::Display>(&mut self, key: Key, values: impl IntoIterator<Item = T>);

    /// An object, left out if it has no fields.
    fn group(&mut self, key: Key, fields: impl FnOnce(&mut Self));

    /// An object, also an empty one.
    fn always(&mut self, key: Key, fields: impl FnOnce(&mut Self));

    /// An array of objects, left out if there is none.
    fn objects<T>(
        &mut self,
        key: Key,
        values: impl IntoIterator<Item = T>,
        each: impl FnMut(&mut Self, T),
    );

    /// A string by a name that is known at run time only; what is not UTF-8 becomes U+FFFD.
    fn other_text(&mut self, name: &[u8], value: &[u8]);

    /// An array of strings by a name that is known at run time only.
    fn other_list<T: AsRef<str>>(&mut self, name: &[u8], values: &[T]);

    /// A string that may be no UTF-8; what is not becomes U+FFFD.
    #[inline]
    fn bytes(&mut self, key: Key, value: &[u8]) {
        self.text(key, &String::from_utf8_lossy(value));
    }

    /// A string, if there is one.
    #[inline]
    fn maybe(&mut self, key: Key, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// A number, if there is one.
    #[inline]
    fn maybe_number(&mut self, key: Key, value: Option<u64>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    /// An array of strings, left out if there is none.
    fn list_if_any<T: AsRef<str>>(&mut self, key: Key, values: &[T]) {
        if !values.is_empty() {
            self.list(key, values);
        }
    }
}
