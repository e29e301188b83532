//! Finding a byte in short stretches of text, eight at a time.
//!
//! Names and values of fields have a few bytes each: too short for a search that has to be set up.

const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES << 7;

/// The high bit of each byte of a little-endian word that is `byte`. Only the lowest such bit is
/// certain: above it may be false ones.
#[inline]
const fn matching_bytes(word: u64, byte: u8) -> u64 {
    let word = word ^ ONES.wrapping_mul(byte as u64);
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// The first place from `at` on that holds the byte, or the end of the text.
#[inline]
pub(super) fn find(text: &[u8], at: usize, byte: u8) -> usize {
    text.get(at..).map_or(text.len(), |rest| at + length(rest, byte))
}

/// How many bytes stand before the first such byte: all, if there is none.
#[inline]
pub(super) fn length(text: &[u8], byte: u8) -> usize {
    let mut rest = text;
    while let Some((chunk, behind)) = rest.split_first_chunk::<8>() {
        let matching_bytes = matching_bytes(u64::from_le_bytes(*chunk), byte);
        if matching_bytes != 0 {
            return text.len() - rest.len() + matching_bytes.trailing_zeros() as usize / 8;
        }
        rest = behind;
    }
    let place = rest.iter().position(|other| *other == byte).unwrap_or(rest.len());
    text.len() - rest.len() + place
}

/// Whether no control character is there; what is beyond ASCII may be.
#[inline]
pub(super) fn is_printable(text: &[u8]) -> bool {
    fold(text, u8::MAX, u8::min) >= b' '
}

/// Whether all bytes are ASCII.
#[inline]
pub(super) fn is_ascii(text: &[u8]) -> bool {
    fold(text, 0, |seen, byte| seen | byte) < 0x80
}

/// All bytes joined, in any order and some of them twice: a chunk at a time, without a branch for
/// what is in it.
#[inline]
fn fold(text: &[u8], start: u8, join: impl Fn(u8, u8) -> u8 + Copy) -> u8 {
    let (chunks, rest) = text.as_chunks::<32>();
    let Some(last) = text.last_chunk::<32>() else {
        return rest.iter().copied().fold(start, join);
    };
    let mut joined = *last;
    for chunk in chunks {
        for (seen, byte) in joined.iter_mut().zip(chunk) {
            *seen = join(*seen, *byte);
        }
    }
    joined.into_iter().fold(start, join)
}

#[cfg(test)]
mod tests {
    use super::{find, is_ascii, is_printable};

    #[test]
    fn strange_characters_are_seen_at_every_place() {
        for length in 0..100 {
            let mut text = vec![b' '; length];
            assert!(is_printable(&text) && is_ascii(&text), "{length}");
            for place in 0..length {
                for byte in [0, 9, 0x1d, 0x1f, b' ', b'a', 0x7f, 0x80, 0xff] {
                    text[place] = byte;
                    assert_eq!(is_printable(&text), byte >= b' ', "{byte} {place} {length}");
                    assert_eq!(is_ascii(&text), byte < 0x80, "{byte} {place} {length}");
                }
                text[place] = b' ';
            }
        }
    }

    #[test]
    fn finds_what_a_plain_search_finds() {
        let mut text: Vec<u8> = (0..=255).chain(0..=255).collect();
        text[300] = b' ';
        for byte in 0..=255 {
            for at in 0..60 {
                for end in [at, at + 1, at + 7, at + 8, at + 9, 290, text.len()] {
                    let text = &text[..end];
                    let plain = text[at..].iter().position(|other| *other == byte);
                    let plain = plain.map_or(end, |place| at + place);
                    assert_eq!(find(text, at, byte), plain, "{byte} {at} {end}");
                }
            }
        }
    }
}
