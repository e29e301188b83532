//! JSON, written straight into a buffer.
//!
//! Documents are made by the thousand each second and hold some hundred short strings: a tree or a
//! structure in between would cost more than all else. Tests of documents read the result with a JSON
//! parser.

use std::fmt::{self, Write as _};

use serde_json::value::RawValue;

use crate::{Encode, FieldName, Key, Writer, quoted};

/// What stands before a string in an array.
const ITEM: Key = &FieldName::new(",\"");
/// Prefix of a string without a name.
const QUOTE: Key = &FieldName::new("\"");

/// A writer of the fields of an object. Each begins with a comma; that of the first one then becomes
/// the brace that opens the object.
#[derive(Debug)]
#[repr(transparent)]
pub struct JsonWriter(Vec<u8>);

/// Appends the document of an event, one line of JSON without its line feed, to a buffer.
pub fn write_json(event: &impl Encode, buffer: &mut Vec<u8>) {
    JsonWriter::object(buffer, |json| event.encode(json));
}

// === impl JsonWriter ===

impl JsonWriter {
    /// Appends an object to a buffer.
    pub fn object(out: &mut Vec<u8>, fields: impl FnOnce(&mut Self)) {
        // The buffer is lent to the writer and given back: no allocation, no copy.
        let mut json = Self(std::mem::take(out));
        json.nested(fields);
        *out = json.0;
    }

    #[inline]
    fn nested(&mut self, fields: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        fields(self);
        close(&mut self.0, start, *b"{}");
    }

    /// The name of a field that is known at run time only.
    #[cold]
    fn other_name(&mut self, name: &[u8]) {
        quoted::append(&mut self.0, ITEM, String::from_utf8_lossy(name).as_bytes());
        self.0.push(b':');
    }

    fn items<T: AsRef<str>>(&mut self, values: impl IntoIterator<Item = T>) {
        let open = self.0.len();
        for value in values {
            quoted::append(&mut self.0, ITEM, value.as_ref().as_bytes());
        }
        close(&mut self.0, open, *b"[]");
    }

    fn displayed(&mut self, value: impl fmt::Display) {
        // A buffer in memory takes all.
        let _ = write!(Unescaped(&mut self.0), "{value}");
        self.0.push(b'"');
    }
}

impl Writer for JsonWriter {
    #[inline]
    fn text(&mut self, key: Key, value: &str) {
        quoted::append(&mut self.0, key, value.as_bytes());
    }

    #[inline]
    fn ascii<const N: usize>(&mut self, key: Key, value: [u8; N]) {
        quoted::append(&mut self.0, key, &value);
    }

    fn display(&mut self, key: Key, value: impl fmt::Display) {
        key.begin_string(&mut self.0);
        self.displayed(value);
    }

    fn number(&mut self, key: Key, value: u64) {
        key.begin(&mut self.0);
        self.0.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn flag(&mut self, key: Key, value: bool) {
        key.begin(&mut self.0);
        self.0.extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn raw(&mut self, key: Key, json: &RawValue) {
        key.begin(&mut self.0);
        self.0.extend_from_slice(json.get().as_bytes());
    }

    fn list<T: AsRef<str>>(&mut self, key: Key, values: impl IntoIterator<Item = T>) {
        key.begin(&mut self.0);
        self.items(values);
    }

    fn list_displayed<T: fmt::Display>(&mut self, key: Key, values: impl IntoIterator<Item = T>) {
        key.begin(&mut self.0);
        let open = self.0.len();
        for value in values {
            ITEM.begin_string(&mut self.0);
            self.displayed(value);
        }
        close(&mut self.0, open, *b"[]");
    }

    #[inline]
    fn group(&mut self, key: Key, fields: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        key.begin(&mut self.0);
        let open = self.0.len();
        fields(self);
        if self.0.len() == open {
            self.0.truncate(start);
        } else {
            close(&mut self.0, open, *b"{}");
        }
    }

    fn always(&mut self, key: Key, fields: impl FnOnce(&mut Self)) {
        key.begin(&mut self.0);
        self.nested(fields);
    }

    fn objects<T>(
        &mut self,
        key: Key,
        values: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) {
        let start = self.0.len();
        key.begin(&mut self.0);
        let open = self.0.len();
        for value in values {
            self.0.push(b',');
            self.nested(|json| each(json, value));
        }
        if self.0.len() == open {
            self.0.truncate(start);
        } else {
            close(&mut self.0, open, *b"[]");
        }
    }

    fn other_text(&mut self, name: &[u8], value: &[u8]) {
        self.other_name(name);
        if value.is_ascii() {
            quoted::append(&mut self.0, QUOTE, value);
        } else {
            quoted::append(&mut self.0, QUOTE, String::from_utf8_lossy(value).as_bytes());
        }
    }

    fn other_list<T: AsRef<str>>(&mut self, name: &[u8], values: &[T]) {
        self.other_name(name);
        self.items(values);
    }

    #[inline]
    fn bytes(&mut self, key: Key, value: &[u8]) {
        if value.is_ascii() {
            quoted::append(&mut self.0, key, value);
        } else {
            quoted::append(&mut self.0, key, String::from_utf8_lossy(value).as_bytes());
        }
    }
}

/// Ends an object or an array that began at `open`: there stands the comma of its first element, or
/// nothing yet.
#[inline]
fn close(out: &mut Vec<u8>, open: usize, [opening, closing]: [u8; 2]) {
    match out.get_mut(open) {
        Some(comma) => *comma = opening,
        None => out.push(opening),
    }
    out.push(closing);
}

/// A buffer that takes text as it is.
struct Unescaped<'b>(&'b mut Vec<u8>);

impl fmt::Write for Unescaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key;

    fn read(fields: impl FnOnce(&mut JsonWriter)) -> serde_json::Value {
        let mut out = Vec::new();
        JsonWriter::object(&mut out, fields);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn every_byte_at_every_place_is_read_back() {
        for byte in 0..=0x7f_u8 {
            for place in 0..40 {
                for length in place + 1..=40 {
                    let mut text = vec![b'x'; length];
                    text[place] = byte;
                    let text = String::from_utf8(text).unwrap();
                    let value = read(|json| json.text(key!("k"), &text));
                    assert_eq!(value["k"], *text, "{byte} {place} {length}");
                }
            }
        }
        let all: String = (0..0x250).filter_map(char::from_u32).collect();
        assert_eq!(read(|json| json.text(key!("k"), &all))["k"], *all);
        let foreign = read(|json| json.other_text(b"a\"\xff", b"\xc3\xa9\xff\n"));
        assert_eq!(foreign["a\"\u{fffd}"], "\u{e9}\u{fffd}\n");
    }

    #[test]
    fn fields_are_separated_and_empty_ones_left_out() {
        let value = read(|json| {
            json.group(key!("none"), |json| json.group(key!("nor"), |_| {}));
            json.number(key!("n"), 7);
            json.always(key!("empty"), |_| {});
            json.group(key!("some"), |json| {
                json.maybe(key!("absent"), None);
                json.group(key!("none"), |_| {});
                json.list(key!("list"), ["a", "b"]);
                json.list_if_any::<&str>(key!("no"), &[]);
            });
            json.objects(key!("objects"), [1, 2], |json, number| json.number(key!("n"), number));
            json.objects(key!("nothing"), [0; 0], |json, number| json.number(key!("n"), number));
            json.raw(key!("raw"), &RawValue::from_string("[1]".to_owned()).unwrap());
            json.flag(key!("flag"), true);
            json.list_displayed(key!("shown_list"), [1, 2]);
            json.display(key!("shown"), 5);
            json.other_list(b"f", &["{"]);
            json.bytes(key!("comm"), b"x");
        });
        let expected = serde_json::json!({
            "n": 7, "empty": {}, "some": {"list": ["a", "b"]}, "objects": [{"n": 1}, {"n": 2}],
            "raw": [1], "flag": true, "shown_list": ["1", "2"], "shown": "5", "f": ["{"], "comm": "x",
        });
        assert_eq!(value, expected);
    }
}
