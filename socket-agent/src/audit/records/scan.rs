//! Finding a byte in short stretches of text, eight at a time.
//!
//! Names and values of fields have a few bytes each: too short for a search that has to be set up.

const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES << 7;

/// The high bit of each byte of a little-endian word that is `byte`. Only the lowest such bit is
/// certain: above it may be false ones.
#[inline]
pub(super) const fn marks(word: u64, byte: u8) -> u64 {
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
        let marks = marks(u64::from_le_bytes(*chunk), byte);
        if marks != 0 {
            return text.len() - rest.len() + marks.trailing_zeros() as usize / 8;
        }
        rest = behind;
    }
    let place = rest.iter().position(|other| *other == byte).unwrap_or(rest.len());
    text.len() - rest.len() + place
}

#[cfg(test)]
mod tests {
    use super::find;

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
