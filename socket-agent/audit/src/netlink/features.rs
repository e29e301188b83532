//! `struct audit_features`: switches that stay once they are locked. Linux 3.13.

use super::message::word;

/// `AUDIT_FEATURE_VERSION`.
const VERSION: u32 = 1;
/// `AUDIT_FEATURE_LOGINUID_IMMUTABLE`, as a bit.
const LOGINUID_IMMUTABLE: u32 = 1 << 1;

/// What is switched on, and what is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    on: u32,
    locked: u32,
}

impl Features {
    /// From the kernel's answer.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        Some(Self { on: word(bytes, 2)?, locked: word(bytes, 3)? })
    }

    /// The request that makes login uids unchangeable, and locks that.
    pub(super) fn loginuid_immutable() -> [u8; 16] {
        let mut bytes = [0; 16];
        let words = [VERSION, LOGINUID_IMMUTABLE, LOGINUID_IMMUTABLE, LOGINUID_IMMUTABLE];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    /// Whether a login uid that is set can be changed no more, and whether that is locked.
    pub fn is_loginuid_immutable(&self) -> (bool, bool) {
        (self.on & LOGINUID_IMMUTABLE != 0, self.locked & LOGINUID_IMMUTABLE != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_reads_as_its_answer_would() {
        let features = Features::parse(&Features::loginuid_immutable()).unwrap();
        assert_eq!(features.is_loginuid_immutable(), (true, true));
        assert_eq!(Features { on: 1, locked: 0 }.is_loginuid_immutable(), (false, false));
        assert_eq!(Features::parse(&[0; 12]), None);
    }
}
