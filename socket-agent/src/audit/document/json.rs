//! JSON, written straight into a buffer.
//!
//! Documents are made by the thousand each second and hold some hundred short strings: a tree or a
//! structure in between would cost more than all else. What is written is read again by a JSON
//! parser in every test of documents.

use std::fmt::{self, Write as _};

use super::quoted;
use crate::audit::{member::Member, records::Key};

/// The key of a member of the code's own.
pub(super) type Name = &'static Member;

/// A [`Name`] from a literal that needs no escape.
macro_rules! key {
    ($key:literal) => {
        const { &$crate::audit::member::Member::new(concat!(",\"", $key, "\":\"")) }
    };
}
pub(super) use key;

/// What stands before a string in an array.
const ITEM: Name = &Member::new(",\"");
/// What stands before a string alone.
const QUOTE: Name = &Member::new("\"");

/// Writes the members of an object. Each begins with a comma; that of the first one then becomes
/// the brace that opens the object.
pub(super) struct Json<'b>(&'b mut Vec<u8>);

impl<'b> Json<'b> {
    /// Appends an object.
    pub(super) fn object(out: &'b mut Vec<u8>, members: impl FnOnce(&mut Json<'_>)) {
        let start = out.len();
        members(&mut Json(out));
        close(out, start, *b"{}");
    }

    /// A string.
    #[inline]
    pub(super) fn text(&mut self, key: Name, value: &str) {
        quoted::append(self.0, key, value.as_bytes());
    }

    /// A string, if there is one.
    #[inline]
    pub(super) fn maybe(&mut self, key: Name, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// A field of a record, as a string; what is not UTF-8 becomes U+FFFD.
    #[inline]
    pub(super) fn field(&mut self, key: Key, name: &[u8], value: &[u8]) {
        if value.is_ascii() {
            self.field_bytes(key, name, value);
        } else {
            self.field_bytes(key, name, String::from_utf8_lossy(value).as_bytes());
        }
    }

    /// A field of a record, as a string.
    #[inline]
    pub(super) fn field_text(&mut self, key: Key, name: &[u8], value: &str) {
        self.field_bytes(key, name, value.as_bytes());
    }

    /// An array of strings, by the name of a field.
    pub(super) fn field_list<T: AsRef<str>>(&mut self, key: Key, name: &[u8], values: &[T]) {
        match key.member() {
            Some(member) => member.begin(self.0),
            None => self.other_key(name),
        }
        self.items(values);
    }

    /// ASCII, as a string.
    #[inline]
    pub(super) fn ascii<const N: usize>(&mut self, key: Name, text: [u8; N]) {
        quoted::append(self.0, key, &text);
    }

    /// What a value displays, as a string. It must need no escape.
    pub(super) fn display(&mut self, key: Name, value: impl fmt::Display) {
        key.begin_string(self.0);
        // A buffer in memory takes all.
        let _ = write!(Raw(self.0), "{value}");
        self.0.push(b'"');
    }

    /// A number.
    pub(super) fn number(&mut self, key: Name, value: u64) {
        key.begin(self.0);
        self.0.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// What is JSON already.
    pub(super) fn raw(&mut self, key: Name, json: &str) {
        key.begin(self.0);
        self.0.extend_from_slice(json.as_bytes());
    }

    /// An array of strings, even an empty one.
    pub(super) fn list<T: AsRef<str>>(&mut self, key: Name, values: impl IntoIterator<Item = T>) {
        key.begin(self.0);
        self.items(values);
    }

    /// An array of strings, if there is any.
    pub(super) fn list_if_any<T: AsRef<str>>(&mut self, key: Name, values: &[T]) {
        if !values.is_empty() {
            self.list(key, values);
        }
    }

    /// An array of objects, if there is any.
    pub(super) fn objects<T>(
        &mut self,
        key: Name,
        values: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Json<'_>, T),
    ) {
        let start = self.0.len();
        key.begin(self.0);
        let open = self.0.len();
        for value in values {
            self.0.push(b',');
            Json::object(self.0, |json| each(json, value));
        }
        if self.0.len() == open {
            self.0.truncate(start);
        } else {
            close(self.0, open, *b"[]");
        }
    }

    /// An object, even an empty one.
    pub(super) fn always(&mut self, key: Name, members: impl FnOnce(&mut Json<'_>)) {
        key.begin(self.0);
        Json::object(self.0, members);
    }

    /// An object, if it has members.
    #[inline]
    pub(super) fn group(&mut self, key: Name, members: impl FnOnce(&mut Json<'_>)) {
        let start = self.0.len();
        key.begin(self.0);
        let open = self.0.len();
        members(&mut Json(self.0));
        if self.0.len() == open {
            self.0.truncate(start);
        } else {
            close(self.0, open, *b"{}");
        }
    }

    #[inline]
    fn field_bytes(&mut self, key: Key, name: &[u8], value: &[u8]) {
        if let Some(member) = key.member() {
            quoted::append(self.0, member, value);
        } else {
            self.other_key(name);
            quoted::append(self.0, QUOTE, value);
        }
    }

    /// The name of a field that is not interned.
    #[cold]
    fn other_key(&mut self, name: &[u8]) {
        quoted::append(self.0, ITEM, String::from_utf8_lossy(name).as_bytes());
        self.0.push(b':');
    }

    fn items<T: AsRef<str>>(&mut self, values: impl IntoIterator<Item = T>) {
        let open = self.0.len();
        for value in values {
            quoted::append(self.0, ITEM, value.as_ref().as_bytes());
        }
        close(self.0, open, *b"[]");
    }
}

/// Ends an object or an array that began at `open`: there stands the comma of its first member, or
/// nothing yet.
#[inline]
fn close(out: &mut Vec<u8>, open: usize, [opening, closing]: [u8; 2]) {
    match out.get_mut(open) {
        Some(comma) => *comma = opening,
        None => out.push(opening),
    }
    out.push(closing);
}

struct Raw<'b>(&'b mut Vec<u8>);

impl fmt::Write for Raw<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(members: impl FnOnce(&mut Json<'_>)) -> serde_json::Value {
        let mut out = Vec::new();
        Json::object(&mut out, members);
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
        let foreign = read(|json| json.field(Key::OTHER, b"a\"\xff", b"\xc3\xa9\xff\n"));
        assert_eq!(foreign["a\"\u{fffd}"], "\u{e9}\u{fffd}\n");
    }

    #[test]
    fn members_are_parted_and_empty_ones_left_out() {
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
            json.raw(key!("raw"), "[1]");
            json.display(key!("shown"), 5);
            json.field_list(Key::OTHER, b"f", &["{"]);
            json.field(Key::COMM, b"", b"x");
        });
        let expected = serde_json::json!({
            "n": 7, "empty": {}, "some": {"list": ["a", "b"]}, "objects": [{"n": 1}, {"n": 2}],
            "raw": [1], "shown": "5", "f": ["{"], "comm": "x",
        });
        assert_eq!(value, expected);
    }
}
