//! Strings that the kernel and programs write in hexadecimal.
//!
//! A string from outside is written between quotes, unless it holds a quote, a space, a control
//! character or anything beyond ASCII: then each byte becomes two capital digits. So a value of
//! such a field without quotes is encoded.
//!
//! Source: `audit_log_n_untrustedstring` in kernel/audit.c; `audit_encode_value` in libaudit.

use super::{Key, Kind};

/// What a digit stands for; 16 for all but capital digits.
static DIGITS: [u8; 256] = digits();

const fn digits() -> [u8; 256] {
    let mut table = [16; 256];
    let mut value = 0;
    while value < 16 {
        table[b"0123456789ABCDEF"[value as usize] as usize] = value;
        value += 1;
    }
    table
}

/// Whether a field of that record holds a string from outside.
#[inline]
pub(super) fn is_encoded(kind: Kind, key: Key, name: &[u8]) -> bool {
    if kind == Kind::EXECVE {
        return name.first() == Some(&b'a')
            && name.get(1).is_some_and(u8::is_ascii_digit)
            && !name.ends_with(b"_len");
    }
    key.is_encoded()
}

/// Appends what a value in capital digits stands for. `false`, and nothing is appended, if it does
/// not have that form.
#[inline]
pub(super) fn decode(value: &[u8], out: &mut Vec<u8>) -> bool {
    if value.is_empty() || !value.len().is_multiple_of(2) {
        return false;
    }
    let start = out.len();
    let (mut pairs, mut strange) = (value.chunks_exact(2), 0);
    out.extend(pairs.by_ref().map(|pair| {
        let (high, low) = (DIGITS[usize::from(pair[0])], DIGITS[usize::from(pair[1])]);
        strange |= high | low;
        high << 4 | low
    }));
    if strange >= 16 {
        out.truncate(start);
    }
    strange < 16
}

/// Whether a value has the form of an encoded string.
#[cfg(test)]
fn is_hex(value: &[u8]) -> bool {
    decode(value, &mut Vec::new())
}

/// Appends the bytes that digits, small or capital, stand for; stops at what is not a pair of them.
pub(super) fn decode_any_case(digits: &[u8], out: &mut Vec<u8>) {
    let digit = |byte: u8| match DIGITS[usize::from(byte.to_ascii_uppercase())] {
        16 => None,
        digit => Some(digit),
    };
    out.extend(
        digits.chunks_exact(2).map_while(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_strings_from_outside() {
        let is = |kind, name: &[u8]| is_encoded(kind, Key::of(name), name);
        assert!(is(Kind::PATH, b"name"));
        assert!(!is(Kind::PATH, b"inode"));
        assert!(is(Kind::EXECVE, b"a0") && is(Kind::EXECVE, b"a12[3]"));
        assert!(!is(Kind::EXECVE, b"a1_len") && !is(Kind::EXECVE, b"argc"));
        assert!(!is(Kind::SYSCALL, b"a0"));
    }

    #[test]
    fn digits_are_capitals_in_pairs() {
        assert!(is_hex(b"2F62") && !is_hex(b"2f62") && !is_hex(b"2F6") && !is_hex(b""));
        let mut out = b"x".to_vec();
        assert!(decode(b"2F62696E", &mut out) && !decode(b"2F6G", &mut out));
        assert_eq!(out, b"x/bin");
        decode_any_case(b"2f62zz61", &mut out);
        assert_eq!(out, b"x/bin/b");
    }
}
