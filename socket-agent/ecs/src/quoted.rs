//! Strings between quotes, copied into a document.
//!
//! Most are short and need no escape. Each is looked at and copied as words of eight bytes, of
//! which too much is written and then not counted; there is room for that, made once for the
//! string and all that stands around it.

use std::ptr;

use crate::FieldName;

/// Bytes that are copied at once.
const WORD: usize = size_of::<u64>();
const TWO_WORDS: usize = 2 * WORD;

/// What up to two words take with the longest head and a quote.
const ROOM: usize = FieldName::LENGTH_MAX + TWO_WORDS + 1;

/// Appends `head`, UTF-8 as it stands between quotes, and the quote that ends it.
///
/// This is done a hundred times for each document, mostly for less than a word: all else is
/// elsewhere.
#[inline(never)]
pub(crate) fn append(out: &mut Vec<u8>, head: &FieldName, text: &[u8]) {
    if text.len() >= WORD {
        return append_words(out, head, text);
    }
    if out.capacity() - out.len() < ROOM {
        return append_reserving(out, head, text);
    }
    let word = short(text);
    // Behind the text are zeros, which would need an escape.
    let counts = !(u64::MAX << (8 * text.len()));
    if special(word) & counts != 0 {
        return escape(out, head, text);
    }
    let start = out.len() + head.length();
    // SAFETY: there is room for the longest head, a word and a quote. When the length is set, all
    // bytes before it have been written: the head to `start`, the text to `end`, and the quote.
    unsafe {
        put(out, out.len(), head.padded());
        put(out, start, &word.to_le_bytes());
        let end = start + text.len();
        put(out, end, b"\"");
        out.set_len(end + 1);
    }
}

/// The way of [`append`] for texts longer than a word.
#[inline(never)]
fn append_words(out: &mut Vec<u8>, head: &FieldName, text: &[u8]) {
    let (Some(first), Some(last), ..=TWO_WORDS) =
        (text.first_chunk(), text.last_chunk(), text.len())
    else {
        return append_long(out, head, text);
    };
    if out.capacity() - out.len() < ROOM {
        return append_reserving(out, head, text);
    }
    if special(u64::from_le_bytes(*first)) | special(u64::from_le_bytes(*last)) != 0 {
        return escape(out, head, text);
    }
    let start = out.len() + head.length();
    // SAFETY: there is room for the longest head, two words and a quote. When the length is set,
    // all bytes before it have been written: the head to `start`, the text to `end` in two words
    // that overlap, and the quote.
    unsafe {
        put(out, out.len(), head.padded());
        put(out, start, first);
        let end = start + text.len();
        put(out, end - WORD, last);
        put(out, end, b"\"");
        out.set_len(end + 1);
    }
}

#[cold]
#[inline(never)]
fn append_reserving(out: &mut Vec<u8>, head: &FieldName, text: &[u8]) {
    out.reserve(ROOM);
    append(out, head, text);
}

/// As [`append`], for more than two words.
#[inline(never)]
fn append_long(out: &mut Vec<u8>, head: &FieldName, text: &[u8]) {
    if !is_plain(text) {
        return escape(out, head, text);
    }
    head.begin_string(out);
    out.extend_from_slice(text);
    out.push(b'"');
}

/// Copies bytes to a place behind the end of a buffer.
///
/// # Safety
/// The capacity of the buffer is at least `at + N`.
#[inline]
unsafe fn put<const N: usize>(out: &mut Vec<u8>, at: usize, bytes: &[u8; N]) {
    debug_assert!(at >= out.len() && at + N <= out.capacity());
    // SAFETY: the caller says that it is within the buffer's memory, which nothing else refers to.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), out.as_mut_ptr().add(at), N) };
}

/// Less than a word of bytes as a word with zeros behind them.
#[inline]
fn short(text: &[u8]) -> u64 {
    // From both ends; what is in both parts is the same in both.
    let shift = |bytes: usize| 8 * (text.len() - bytes) as u32;
    if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << shift(4)
    } else if let (Some(first), Some(last)) = (text.first_chunk::<2>(), text.last_chunk::<2>()) {
        u64::from(u16::from_le_bytes(*first)) | u64::from(u16::from_le_bytes(*last)) << shift(2)
    } else {
        text.first().copied().map_or(0, u64::from)
    }
}

/// The way of [`append`] for texts with characters to escape: byte by byte.
#[cold]
#[inline(never)]
fn escape(out: &mut Vec<u8>, head: &FieldName, text: &[u8]) {
    head.begin_string(out);
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
    out.push(b'"');
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

    #[test]
    fn a_buffer_without_room_grows_and_keeps_what_it_has() {
        let head = FieldName::new(",\"a\":\"");
        for room in 0..ROOM + 2 {
            for text in ["", "b", "\"", "length-8", "fifteen-letters", "ä\n", "more than two words"]
            {
                let mut out = Vec::with_capacity(4 + room);
                out.extend_from_slice(b"{}\n{");
                append(&mut out, &head, text.as_bytes());
                let expected = format!("{{}}\n{{,\"a\":{}", serde_json::json!(text));
                assert_eq!(String::from_utf8(out).unwrap(), expected, "{room}");
            }
        }
    }
}
