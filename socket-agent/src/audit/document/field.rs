//! Fields of records, by the names that they have there.

use ecs::Writer;

use crate::audit::records::Key;

/// Writes what stands in a field of a record under the name of that field.
pub(super) trait FieldWriter: Writer {
    /// Bytes, as a string; what is not UTF-8 becomes U+FFFD.
    #[inline]
    fn field(&mut self, key: Key, name: &[u8], value: &[u8]) {
        match key.field_name() {
            Some(known) => self.bytes(known, value),
            None => self.other_text(name, value),
        }
    }

    /// A string.
    #[inline]
    fn field_text(&mut self, key: Key, name: &[u8], value: &str) {
        match key.field_name() {
            Some(known) => self.text(known, value),
            None => self.other_text(name, value.as_bytes()),
        }
    }

    /// An array of strings.
    fn field_list<T: AsRef<str>>(&mut self, key: Key, name: &[u8], values: &[T]) {
        match key.field_name() {
            Some(known) => self.list(known, values),
            None => self.other_list(name, values),
        }
    }
}

impl<W: Writer> FieldWriter for W {}
