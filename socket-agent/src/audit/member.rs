//! Names of members of JSON objects, ready to be copied into a document.

/// A name with all that comes before a string that is its value: `,"kind":"`.
///
/// Copying always as many bytes is quicker than copying as many as there are.
#[derive(Clone, Copy, Debug)]
pub(in crate::audit) struct Member {
    text: [u8; Member::LENGTH_MAX],
    length: u8,
}

impl Member {
    /// The longest one, with what stands around it.
    pub(in crate::audit) const LENGTH_MAX: usize = 24;

    /// `text` is the name as it is to stand in a document, and fits.
    pub(in crate::audit) const fn new(text: &str) -> Self {
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

    /// Its bytes, and zeros behind them.
    #[inline]
    pub(in crate::audit) fn padded(&self) -> &[u8; Self::LENGTH_MAX] {
        &self.text
    }

    /// How many of them count: never more than there are.
    #[inline]
    pub(in crate::audit) fn length(&self) -> usize {
        usize::from(self.length)
    }

    /// Appends it, up to the quote that begins a string.
    #[inline]
    pub(in crate::audit) fn begin_string(&self, out: &mut Vec<u8>) {
        self.append(out, usize::from(self.length));
    }

    /// Appends it without that quote.
    #[inline]
    pub(in crate::audit) fn begin(&self, out: &mut Vec<u8>) {
        self.append(out, usize::from(self.length.saturating_sub(1)));
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
    use super::Member;

    #[test]
    fn names_are_appended_whole() {
        let mut out = b"{".to_vec();
        Member::new(",\"a\":\"").begin_string(&mut out);
        Member::new(",\"eighteen-letters--\":\"").begin(&mut out);
        assert_eq!(out, b"{,\"a\":\",\"eighteen-letters--\":");
    }
}
