//! JSON, written straight into a buffer.
//!
//! Documents are made by the thousand each second and hold some hundred short strings: a tree or a
//! structure in between would cost more than all else. What is written is read again by a JSON
//! parser in every test of documents.

use std::fmt::{self, Write as _};

use crate::audit::records::Key;

/// The key of a member of the code's own, with all that comes before a string: `,"kind":"`.
#[derive(Clone, Copy)]
pub(super) struct Name(pub(super) &'static str);

/// A [`Name`] from a literal that needs no escape.
macro_rules! key {
    ($key:literal) => {
        $crate::audit::document::json::Name(concat!(",\"", $key, "\":\""))
    };
}
pub(super) use key;

/// Writes the members of an object.
pub(super) struct Json<'b>(&'b mut Vec<u8>);

impl<'b> Json<'b> {
    /// Appends an object.
    pub(super) fn object(out: &'b mut Vec<u8>, members: impl FnOnce(&mut Json<'_>)) {
        out.push(b'{');
        members(&mut Json(out));
        out.push(b'}');
    }

    /// Without its comma, if it begins an object.
    #[inline]
    fn begin(&mut self, key: &str) {
        let skip = usize::from(self.0.last() == Some(&b'{'));
        self.0.extend_from_slice(key.as_bytes().get(skip..).unwrap_or_default());
    }

    #[inline]
    fn key(&mut self, Name(key): Name) {
        self.begin(key.strip_suffix('"').unwrap_or(key));
    }

    #[inline]
    fn comma(&mut self, opening: u8) {
        if self.0.last() != Some(&opening) {
            self.0.push(b',');
        }
    }

    /// A string.
    #[inline]
    pub(super) fn text(&mut self, Name(key): Name, value: &str) {
        self.begin(key);
        contents(self.0, value.as_bytes());
        self.0.push(b'"');
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
        self.field_key(key, name);
        lossy(self.0, value);
    }

    /// A field of a record, as a string.
    #[inline]
    pub(super) fn field_text(&mut self, key: Key, name: &[u8], value: &str) {
        self.field_key(key, name);
        string(self.0, value.as_bytes());
    }

    /// An array of strings, by the name of a field.
    pub(super) fn field_list<T: AsRef<str>>(&mut self, key: Key, name: &[u8], values: &[T]) {
        self.field_key(key, name);
        self.items(values);
    }

    /// What a value displays, as a string. It must need no escape.
    pub(super) fn display(&mut self, key: Name, value: impl fmt::Display) {
        self.key(key);
        self.0.push(b'"');
        // A buffer in memory takes all.
        let _ = write!(Raw(self.0), "{value}");
        self.0.push(b'"');
    }

    /// A number.
    pub(super) fn number(&mut self, key: Name, value: u64) {
        self.key(key);
        self.0.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// What is JSON already.
    pub(super) fn raw(&mut self, key: Name, json: &str) {
        self.key(key);
        self.0.extend_from_slice(json.as_bytes());
    }

    /// An array of strings, even an empty one.
    pub(super) fn list<T: AsRef<str>>(&mut self, key: Name, values: impl IntoIterator<Item = T>) {
        self.key(key);
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
        self.key(key);
        self.0.push(b'[');
        let empty = self.0.len();
        for value in values {
            self.comma(b'[');
            self.0.push(b'{');
            each(&mut Json(self.0), value);
            self.0.push(b'}');
        }
        if self.0.len() == empty {
            self.0.truncate(start);
        } else {
            self.0.push(b']');
        }
    }

    /// An object, even an empty one.
    pub(super) fn always(&mut self, key: Name, members: impl FnOnce(&mut Json<'_>)) {
        self.key(key);
        Json::object(self.0, members);
    }

    /// An object, if it has members.
    #[inline]
    pub(super) fn group(&mut self, key: Name, members: impl FnOnce(&mut Json<'_>)) {
        let start = self.0.len();
        self.key(key);
        self.0.push(b'{');
        let empty = self.0.len();
        members(&mut Json(self.0));
        if self.0.len() == empty {
            self.0.truncate(start);
        } else {
            self.0.push(b'}');
        }
    }

    #[inline]
    fn field_key(&mut self, key: Key, name: &[u8]) {
        if let Some(key) = key.json() {
            self.begin(key);
        } else {
            self.comma(b'{');
            lossy(self.0, name);
            self.0.push(b':');
        }
    }

    fn items<T: AsRef<str>>(&mut self, values: impl IntoIterator<Item = T>) {
        self.0.push(b'[');
        for value in values {
            self.comma(b'[');
            string(self.0, value.as_ref().as_bytes());
        }
        self.0.push(b']');
    }
}

struct Raw<'b>(&'b mut Vec<u8>);

impl fmt::Write for Raw<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[inline]
fn lossy(out: &mut Vec<u8>, text: &[u8]) {
    if text.is_ascii() {
        string(out, text);
    } else {
        string(out, String::from_utf8_lossy(text).as_bytes());
    }
}

/// Appends a string of UTF-8 between quotes.
#[inline]
fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    contents(out, text);
    out.push(b'"');
}

/// Appends UTF-8 as it stands between quotes.
#[inline]
fn contents(out: &mut Vec<u8>, text: &[u8]) {
    if is_plain(text) {
        out.extend_from_slice(text);
    } else {
        escape(out, text);
    }
}

#[cold]
fn escape(out: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble & 0xf)];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[digit(byte >> 4), digit(*byte)]);
            }
            byte => out.push(*byte),
        }
    }
}

/// Whether no byte needs an escape.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    // Looked at eight at a time; fewer are put into one word, some of them twice.
    let mut rest = text;
    while let Some((chunk, behind)) = rest.split_first_chunk::<8>() {
        if has_special(u64::from_le_bytes(*chunk)) {
            return false;
        }
        rest = behind;
    }
    let word = if let (Some(first), Some(last)) = (rest.first_chunk::<4>(), rest.last_chunk::<4>())
    {
        u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
    } else if let (Some(first), Some(last)) = (rest.first_chunk::<2>(), rest.last_chunk::<2>()) {
        let pair =
            u32::from(u16::from_le_bytes(*first)) | u32::from(u16::from_le_bytes(*last)) << 16;
        u64::from(pair) | u64::from(pair) << 32
    } else if let [byte] = rest {
        u64::from(*byte) * ONES
    } else {
        return true;
    };
    !has_special(word)
}

const ONES: u64 = u64::MAX / 255;

/// Whether any byte of the word is a control character, a quote or a backslash.
#[inline]
const fn has_special(word: u64) -> bool {
    const HIGHS: u64 = ONES << 7;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    (control | quote | backslash) & HIGHS != 0
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
            for place in 0..20 {
                for length in place + 1..=20 {
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
