//! Strings that the kernel and programs write in hexadecimal.
//!
//! A string from outside is written between quotes, unless it holds a quote, a space, a control
//! character or anything beyond ASCII: then each byte becomes two capital digits. So a value of
//! such a field without quotes is encoded.
//!
//! Source: `audit_log_n_untrustedstring` in kernel/audit.c; `audit_encode_value` in libaudit.

use super::Kind;

/// Fields with strings from outside, in any record but those of system calls, in order.
const KEYS: [&str; 29] = [
    "acct",
    "cgroup",
    "cmd",
    "comm",
    "cwd",
    "data",
    "device",
    "dir",
    "exe",
    "file",
    "grp",
    "invalid_context",
    "key",
    "name",
    "new-disk",
    "new-fs",
    "ocomm",
    "old-disk",
    "old-fs",
    "path",
    "peer_profile",
    "proctitle",
    "profile",
    "root_dir",
    "srcname",
    "sw",
    "vm",
    "watch",
    "xattr",
];

/// Whether a field of that record holds a string from outside.
pub(super) fn is_encoded(kind: Kind, key: &[u8]) -> bool {
    if kind == Kind::EXECVE {
        return key.first() == Some(&b'a')
            && key.get(1).is_some_and(u8::is_ascii_digit)
            && !key.ends_with(b"_len");
    }
    KEYS.binary_search_by(|known| known.as_bytes().cmp(key)).is_ok()
}

/// Whether a value has the form of an encoded string.
pub(super) fn is_hex(value: &[u8]) -> bool {
    !value.is_empty()
        && value.len().is_multiple_of(2)
        && value.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
}

/// Appends the bytes that digits stand for; stops at what is not a pair of digits.
pub(super) fn decode_into(digits: &[u8], out: &mut Vec<u8>) {
    let digit = |byte: u8| (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    out.extend(
        digits.chunks_exact(2).map_while(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order() {
        assert!(KEYS.is_sorted());
        assert!(is_encoded(Kind::PATH, b"name"));
        assert!(!is_encoded(Kind::PATH, b"inode"));
        assert!(is_encoded(Kind::EXECVE, b"a0") && is_encoded(Kind::EXECVE, b"a12[3]"));
        assert!(!is_encoded(Kind::EXECVE, b"a1_len") && !is_encoded(Kind::EXECVE, b"argc"));
        assert!(!is_encoded(Kind::SYSCALL, b"a0"));
    }

    #[test]
    fn digits_are_capitals_in_pairs() {
        assert!(is_hex(b"2F62") && !is_hex(b"2f62") && !is_hex(b"2F6") && !is_hex(b""));
        let mut out = Vec::new();
        decode_into(b"2F62696E", &mut out);
        assert_eq!(out, b"/bin");
    }
}
