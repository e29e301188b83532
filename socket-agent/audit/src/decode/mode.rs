//! File modes.

use super::values;

/// A file's mode, as PATH records have it in octal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(pub u32);

impl Mode {
    /// A mode from octal digits.
    pub fn parse(digits: &str) -> Option<Self> {
        u32::from_str_radix(digits, 8).ok().map(Self)
    }

    /// The permissions with setuid, setgid and sticky bits, in octal: `0644`, in ASCII.
    pub fn permissions(self) -> [u8; 4] {
        octal(u64::from(self.0 & 0o7777))
    }

    /// The type in the words of ECS; `None` if the mode has none.
    pub fn file_type(self) -> Option<&'static str> {
        values::one("file_type", u64::from(self.0 & 0o170_000))
    }
}

/// A mode as four octal digits.
pub(super) fn octal(mode: u64) -> [u8; 4] {
    [9, 6, 3, 0].map(|shift| b'0' + (mode >> shift & 7) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_mode() {
        let mode = Mode::parse("0104755").unwrap();
        assert_eq!((&mode.permissions(), mode.file_type()), (b"4755", Some("file")));
        let directory = Mode::parse("041777").unwrap();
        assert_eq!(directory.file_type(), Some("directory"));
        assert_eq!(Mode::parse("0").unwrap().file_type(), None);
        assert_eq!(Mode::parse("9"), None);
    }
}
