//! Positions of the spaces and the equals signs of a text, sixty-four bytes at a time.
//!
//! A record is little else than these with a few bytes between. Each is found by a shift in a word
//! of bits; looking for one after the other would look at most bytes several times.

/// Bytes that are looked at together: a bit each.
const WINDOW: usize = 64;

/// Gives the positions of spaces and equals signs, best in ascending order.
#[derive(Debug)]
pub(super) struct Separators<'t> {
    text: &'t [u8],
    window: Window,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    start: usize,
    spaces: u64,
    equals: u64,
}

// === impl Marks ===

impl<'t> Separators<'t> {
    /// Those of a text; the first ones looked for are near `at`.
    #[inline]
    pub(super) fn of(text: &'t [u8], at: usize) -> Self {
        Self { text, window: Window::at(text, at) }
    }

    /// The first space from `at` on, or the end of the text.
    #[inline]
    pub(super) fn space(&mut self, at: usize) -> usize {
        self.first(at, |window| window.spaces)
    }

    /// The first space or equals sign from `at` on, or the end of the text.
    #[inline]
    pub(super) fn space_or_equals(&mut self, at: usize) -> usize {
        self.first(at, |window| window.spaces | window.equals)
    }

    #[inline]
    fn first(&mut self, mut at: usize, which: impl Fn(Window) -> u64) -> usize {
        loop {
            let offset = at.wrapping_sub(self.window.start);
            if offset < WINDOW {
                let bits = which(self.window) >> offset;
                if bits != 0 {
                    return at + bits.trailing_zeros() as usize;
                }
                at = self.window.start + WINDOW;
            }
            if at >= self.text.len() {
                return self.text.len();
            }
            self.window = Window::at(self.text, at);
        }
    }
}

// === impl Window ===

impl Window {
    /// Of the bytes from `start` on; behind the end of the text there is nothing.
    #[inline(never)]
    fn at(text: &[u8], start: usize) -> Self {
        let rest = text.get(start..).unwrap_or_default();
        let mut last = [0; WINDOW];
        let window = rest.first_chunk().unwrap_or_else(|| {
            if let Some(to) = last.get_mut(..rest.len()) {
                to.copy_from_slice(rest);
            }
            &last
        });
        Self { start, spaces: bits(window, b' '), equals: bits(window, b'=') }
    }
}

/// A bit for each byte that is `byte`, the lowest for the first.
#[cfg(target_arch = "x86_64")]
#[inline]
fn bits(window: &[u8; WINDOW], byte: u8) -> u64 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8};

    let (sixteens, _) = window.as_chunks::<16>();
    sixteens.iter().rev().fold(0, |bits, sixteen| {
        // SAFETY: every processor of this architecture has SSE2; sixteen bytes are read, wherever
        // they begin.
        let found = unsafe {
            let bytes = _mm_loadu_si128(sixteen.as_ptr().cast());
            _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte as i8)))
        };
        bits << 16 | u64::from(found as u16)
    })
}

/// A bit for each byte that is `byte`, the lowest for the first.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn bits(window: &[u8; WINDOW], byte: u8) -> u64 {
    plain_bits(window, byte)
}

/// As [`bits`], eight bytes at a time on any processor.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn plain_bits(window: &[u8; WINDOW], byte: u8) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const LOWS: u64 = ONES * 0x7f;
    let (eights, _) = window.as_chunks::<8>();
    eights.iter().rev().fold(0, |bits, eight| {
        let word = u64::from_le_bytes(*eight) ^ (ONES * u64::from(byte));
        // The high bit of each byte that is zero now.
        let zeros = !(((word & LOWS) + LOWS) | word | LOWS);
        // Gathered in the highest byte, in their order.
        bits << 8 | (zeros >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_plain_search_finds() {
        let mut text: Vec<u8> = (0..=255).chain(0..=255).collect();
        (text[300], text[301], text[383]) = (b' ', b'=', b'=');
        for end in [0, 1, 32, 33, 63, 64, 65, 127, 128, 129, 300, 301, text.len()] {
            let text = &text[..end];
            let mut separators = Separators::of(text, end / 2);
            // Forward, and then from anywhere.
            for at in (0..=end + 1).chain((0..=end).rev().step_by(7)) {
                let plain = |wanted: &[u8]| {
                    let rest = text.get(at..).unwrap_or_default();
                    rest.iter()
                        .position(|byte| wanted.contains(byte))
                        .map_or(end, |place| at + place)
                };
                assert_eq!(separators.space(at), plain(b" "), "{at} {end}");
                assert_eq!(separators.space_or_equals(at), plain(b" ="), "{at} {end}");
            }
        }
    }

    #[test]
    fn every_byte_is_found_at_every_place() {
        for byte in 0..=255_u8 {
            let mut window = [byte.wrapping_add(1); WINDOW];
            assert_eq!(bits(&window, byte), 0);
            for place in 0..WINDOW {
                window[place] = byte;
                window[place / 2] = byte ^ 0x80;
                let expected = window
                    .iter()
                    .rev()
                    .fold(0, |bits, other| bits << 1 | u64::from(*other == byte));
                assert_eq!(bits(&window, byte), expected, "{byte} {place}");
                assert_eq!(plain_bits(&window, byte), expected, "{byte} {place}");
            }
        }
    }
}
