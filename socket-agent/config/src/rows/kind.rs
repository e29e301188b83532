//! Types of values: how text becomes one, and what is allowed.

use std::{path::PathBuf, time::Duration};

use crate::{duration, suggest, tree::describe_text};

/// Type and range of an option, and the function that stores it.
pub enum Kind<T> {
    /// A truth value.
    Switch(fn(&mut T, bool)),
    /// A time with a unit.
    Duration(Bounds, fn(&mut T, Duration)),
    /// Whole number from the first to the second, both included.
    Count(u32, u32, fn(&mut T, u32)),
    /// Power of two from the first to the second, in bytes.
    PowerOfTwo(u32, u32, fn(&mut T, u32)),
    /// One of these names.
    Choice(&'static [&'static str], fn(&mut T, &str)),
    /// A path that is not empty.
    Path(fn(&mut T, PathBuf)),
    /// Anything but nothing.
    Text(fn(&mut T, &str)),
    /// Texts of a list; one alone may stand without a list.
    Texts(fn(&mut T, Vec<String>)),
    /// Who may read and write a file, in octal digits.
    Permissions(fn(&mut T, u32)),
}

/// Lower bound of a duration.
#[derive(Clone, Copy)]
pub enum Bounds {
    /// Zero is refused.
    AboveZero,
    /// Zero is allowed.
    ZeroToo,
}

/// The value cannot be used; displayed after "KEY is ".
pub struct Refused(pub String);

impl<T> Kind<T> {
    /// Reads `text` and stores it in `target`.
    pub fn apply(&self, target: &mut T, text: &str) -> Result<(), Refused> {
        match self {
            Self::Switch(set) => switch(text).map(|value| set(target, value)),
            Self::Duration(bounds, set) => duration::parse(text)
                .filter(|value| matches!(bounds, Bounds::ZeroToo) || !value.is_zero())
                .map(|value| set(target, value)),
            Self::Count(least, most, set) => whole(text)
                .filter(|value| (*least..=*most).contains(value))
                .map(|value| set(target, value)),
            Self::PowerOfTwo(least, most, set) => bytes(text)
                .filter(|value| (*least..=*most).contains(value) && value.is_power_of_two())
                .map(|value| set(target, value)),
            Self::Choice(allowed, set) => {
                allowed.contains(&text).then_some(()).map(|()| set(target, text))
            }
            Self::Path(set) => {
                (!text.is_empty()).then_some(()).map(|()| set(target, PathBuf::from(text)))
            }
            Self::Text(set) => (!text.is_empty()).then_some(()).map(|()| set(target, text)),
            Self::Texts(set) => {
                (!text.is_empty()).then_some(()).map(|()| set(target, vec![text.to_owned()]))
            }
            Self::Permissions(set) => permissions(text).map(|mode| set(target, mode)),
        }
        .ok_or_else(|| self.refuse(&describe_text(text), text))
    }

    /// Whether this is a switch, and `text` turns it off.
    pub fn is_off(&self, text: &str) -> bool {
        matches!(self, Self::Switch(_)) && switch(text) == Some(false)
    }

    /// What is said of a value that was found where a scalar belongs.
    pub fn refuse(&self, found: &str, text: &str) -> Refused {
        let hint = match self {
            Self::Choice(allowed, _) => suggest::value_hint(text, allowed.iter().copied()),
            _ => String::new(),
        };
        Refused(format!("{found}; allowed: {}{hint}", self.allowed()))
    }

    /// Type and range, in words.
    pub fn allowed(&self) -> String {
        match self {
            Self::Switch(_) => "true or false".to_owned(),
            Self::Duration(Bounds::AboveZero, _) => {
                "a duration above 0, such as 30s, 1m30s or 250ms".to_owned()
            }
            Self::Duration(Bounds::ZeroToo, _) => {
                "a duration, such as 0s, 30s, 1m30s or 250ms".to_owned()
            }
            Self::Count(least, most, _) => format!("a whole number from {least} to {most}"),
            Self::PowerOfTwo(least, most, _) => {
                format!("a power of two from {least} to {most}, in bytes or such as 4MiB")
            }
            Self::Choice([only], _) => format!("only {only}"),
            Self::Choice(allowed, _) => allowed.join(", "),
            Self::Path(_) => "a path".to_owned(),
            Self::Text(_) => "a text that is not empty".to_owned(),
            Self::Texts(_) => "a list of texts".to_owned(),
            Self::Permissions(_) => "octal digits from 0200 to 0777, such as 0600".to_owned(),
        }
    }
}

fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn whole(text: &str) -> Option<u32> {
    let digits = text.bytes().next().is_some_and(|first| first.is_ascii_digit());
    if digits { text.replace('_', "").parse().ok() } else { None }
}

/// The owner has to be able to write.
fn permissions(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|digit| digit.is_ascii_digit());
    let mode = u32::from_str_radix(text, 8).ok().filter(|_| digits)?;
    (mode <= 0o777 && mode & 0o200 != 0).then_some(mode)
}

fn bytes(text: &str) -> Option<u32> {
    let scaled = |suffix: &str, shift: u32| {
        let number = whole(text.strip_suffix(suffix)?.trim_end())?;
        number.checked_mul(1 << shift)
    };
    whole(text)
        .or_else(|| scaled("KiB", 10))
        .or_else(|| scaled("MiB", 20))
        .or_else(|| scaled("GiB", 30))
}
