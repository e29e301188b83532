//! Text that is borrowed where that is possible.

use std::{borrow::Cow, fmt, ops::Deref, sync::Arc};

/// Text: of a record, of a cache, or made for the occasion.
#[derive(Clone)]
pub enum Text<'a> {
    /// A part of something else.
    Borrowed(&'a str),
    /// A name that a cache holds.
    Shared(Arc<str>),
    /// Made of several parts, or of what is not UTF-8.
    Owned(String),
}

impl<'a> Text<'a> {
    /// What is not UTF-8 becomes U+FFFD.
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
        Self::Shared(text)
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
}
