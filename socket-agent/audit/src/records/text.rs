//! Text that is borrowed where that is possible.

use std::{borrow::Cow, fmt, ops::Deref, sync::Arc};

/// Text: of a record, of a cache, or made for the occasion.
#[derive(Clone)]
pub enum Text<'a> {
    /// A part of something else.
    Borrowed(&'a str),
    /// A short name that a cache holds too: most are.
    Short(Short),
    /// A longer one.
    Shared(Arc<str>),
    /// Made of several parts, or of what is not UTF-8.
    Owned(String),
}

/// A few bytes of text, in place: to copy them is quicker than to count who shares them.
#[derive(Clone, Copy)]
pub struct Short {
    length: u8,
    bytes: [u8; Self::LENGTH_MAX],
}

impl Short {
    /// So many that [`Text`] is no larger for it.
    const LENGTH_MAX: usize = 14;

    /// `None` if the text is longer.
    fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; Self::LENGTH_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { length: text.len() as u8, bytes })
    }

    #[inline]
    fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        // SAFETY: `new` has copied them from a `str`, all of it.
        unsafe { std::str::from_utf8_unchecked(bytes) }
    }
}

impl<'a> Text<'a> {
    /// Text from bytes; what is not UTF-8 becomes U+FFFD.
    #[inline]
    pub fn lossy(bytes: &'a [u8]) -> Self {
        // Quicker than the lossy conversion alone for what is mostly short and always right.
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Borrowed(text),
            Err(_) => Self::Owned(String::from_utf8_lossy(bytes).into_owned()),
        }
    }

    /// A copy of its own.
    pub fn into_owned(self) -> String {
        match self {
            Self::Borrowed(text) => text.to_owned(),
            Self::Short(text) => text.as_str().to_owned(),
            Self::Shared(text) => text.as_ref().to_owned(),
            Self::Owned(text) => text,
        }
    }
}

impl Deref for Text<'_> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Short(text) => text.as_str(),
            Self::Shared(text) => text,
            Self::Owned(text) => text,
        }
    }
}

impl Default for Text<'_> {
    fn default() -> Self {
        Self::Borrowed("")
    }
}

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        self
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text<'_> {}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self::Borrowed(text)
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self::Owned(text)
    }
}

impl From<Arc<str>> for Text<'_> {
    fn from(text: Arc<str>) -> Self {
        Short::new(&text).map_or(Self::Shared(text), Self::Short)
    }
}

impl<'a> From<Cow<'a, str>> for Text<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Self::Borrowed(text),
            Cow::Owned(text) => Self::Owned(text),
        }
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn all_forms_are_the_same_text() {
        let forms: [Text<'_>; 3] = ["ann".into(), String::from("ann").into(), {
            let shared: std::sync::Arc<str> = "ann".into();
            shared.into()
        }];
        for form in &forms {
            assert_eq!((form, &**form, form.to_string()), (&forms[0], "ann", "ann".to_owned()));
        }
        assert_eq!(Text::lossy(b"a\xffb"), "a\u{fffd}b");
    }

    #[test]
    fn names_of_any_length_stay_what_they_are() {
        for length in 0..40 {
            let name: String = "näme".chars().cycle().take(length).collect();
            let text = Text::from(std::sync::Arc::<str>::from(&*name));
            assert_eq!((&*text, text.clone().into_owned()), (&*name, name.clone()));
        }
        assert_eq!(size_of::<Text<'_>>(), size_of::<String>());
    }
}
