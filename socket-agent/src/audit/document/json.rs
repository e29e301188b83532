//! JSON, written straight into a buffer.
//!
//! Documents are made by the thousand each second and hold some hundred short strings: a tree or a
//! structure in between would cost more than all else. What is written is read again by a JSON
//! parser in every test of documents.

use std::fmt::{self, Write as _};

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
        key.begin_string(self.0);
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
            member.begin_string(self.0);
        } else {
            self.other_key(name);
            self.0.push(b'"');
        }
        contents(self.0, value);
        self.0.push(b'"');
    }

    /// The name of a field that is not interned.
    #[cold]
    fn other_key(&mut self, name: &[u8]) {
        self.0.extend_from_slice(b",\"");
        contents(self.0, String::from_utf8_lossy(name).as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn items<T: AsRef<str>>(&mut self, values: impl IntoIterator<Item = T>) {
        let open = self.0.len();
        for value in values {
            self.0.extend_from_slice(b",\"");
            contents(self.0, value.as_ref().as_bytes());
            self.0.push(b'"');
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

/// Appends UTF-8 as it stands between quotes.
#[inline]
fn contents(out: &mut Vec<u8>, text: &[u8]) {
    // Most are short, and are copied as words, of which too much is then cut off.
    match text.len() {
        0 => {}
        length @ 1..=8 => {
            let (word, fill) = short(text);
            if special(word | fill) != 0 {
                return escape(out, text);
            }
            let end = out.len() + length;
            out.extend_from_slice(&word.to_le_bytes());
            out.truncate(end);
        }
        length @ 9..=16 => {
            let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>())
            else {
                return;
            };
            if special(u64::from_le_bytes(*first)) | special(u64::from_le_bytes(*last)) != 0 {
                return escape(out, text);
            }
            // The two overlap.
            let middle = out.len() + length - 8;
            out.extend_from_slice(first);
            out.truncate(middle);
            out.extend_from_slice(last);
        }
        _ if is_plain(text) => out.extend_from_slice(text),
        _ => escape(out, text),
    }
}

/// One to eight bytes as a word with zeros behind them, and spaces for where the zeros are.
#[inline]
fn short(text: &[u8]) -> (u64, u64) {
    const SPACES: u64 = 0x2020_2020_2020_2020;
    // From both ends; what is in both parts is the same in both.
    let shift = |bytes: usize| 8 * (text.len() - bytes) as u32;
    let word = if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>())
    {
        u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << shift(4)
    } else if let (Some(first), Some(last)) = (text.first_chunk::<2>(), text.last_chunk::<2>()) {
        u64::from(u16::from_le_bytes(*first)) | u64::from(u16::from_le_bytes(*last)) << shift(2)
    } else {
        text.first().copied().map_or(0, u64::from)
    };
    (word, SPACES.checked_shl(8 * text.len() as u32).unwrap_or(0))
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

/// Whether no byte of more than eight needs an escape.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some((chunk, behind)) = rest.split_first_chunk::<8>() {
        if special(u64::from_le_bytes(*chunk)) != 0 {
            return false;
        }
        rest = behind;
    }
    // Of the last ones, some are looked at twice.
    text.last_chunk::<8>().is_none_or(|last| special(u64::from_le_bytes(*last)) == 0)
}

/// Not zero if any byte of the word is a control character, a quote or a backslash.
#[inline]
const fn special(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // With one bit turned around, a quote follows the control characters.
    let control = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (control | backslash) & !word & HIGHS
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
