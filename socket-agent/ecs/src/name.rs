//! Names of fields, ready to be copied into a JSON document.

/// The name of a field with all that stands before a string that is its value: `,"kind":"`.
///
/// It is padded to a fixed length: copying a constant number of bytes is quicker than copying a
/// variable number.
#[derive(Clone, Copy, Debug)]
pub struct FieldName {
    text: [u8; FieldName::LENGTH_MAX],
    length: u8,
}

impl FieldName {
    /// Length in bytes of the longest one, with the punctuation around it.
    pub const LENGTH_MAX: usize = 24;

    /// A name from its text with punctuation, as `,"kind":"`; see [`key!`](crate::key).
    pub const fn new(text: &str) -> Self {
        let text = text.as_bytes();
        assert!(text.len() <= Self::LENGTH_MAX, "the name of a member is too long");
        let mut padded = [0; Self::LENGTH_MAX];
        let mut at = 0;
        while at < text.len() {
            padded[at] = text[at];
            at += 1;
        }
        Self { text: padded, length: text.len() as u8 }
    }

    /// The bytes with their padding of zeros.
    #[inline]
    pub fn padded(&self) -> &[u8; Self::LENGTH_MAX] {
        &self.text
    }

    /// The number of bytes without the padding.
    #[inline]
    pub fn length(&self) -> usize {
        usize::from(self.length)
    }

    /// Appends the name up to the quote that begins a string.
    #[inline]
    pub fn begin_string(&self, out: &mut Vec<u8>) {
        self.append(out, usize::from(self.length));
    }

    /// Appends the name without the quote that begins a string.
    #[inline]
    pub fn begin(&self, out: &mut Vec<u8>) {
        self.append(out, usize::from(self.length.saturating_sub(1)));
    }

    /// The name alone: `kind`.
    pub fn as_str(&self) -> &str {
        let text = self.text.get(..self.length()).unwrap_or_default();
        let text = text.strip_prefix(b",\"").unwrap_or(text);
        std::str::from_utf8(text.strip_suffix(b"\":\"").unwrap_or(text)).unwrap_or_default()
    }

    #[inline]
    fn append(&self, out: &mut Vec<u8>, length: usize) {
        let end = out.len() + length;
        out.extend_from_slice(&self.text);
        out.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::FieldName;

    #[test]
    fn names_are_appended_whole() {
        let mut out = b"{".to_vec();
        FieldName::new(",\"a\":\"").begin_string(&mut out);
        FieldName::new(",\"eighteen-letters--\":\"").begin(&mut out);
        assert_eq!(out, b"{,\"a\":\",\"eighteen-letters--\":");
        assert_eq!(FieldName::new(",\"a\":\"").as_str(), "a");
    }
}
