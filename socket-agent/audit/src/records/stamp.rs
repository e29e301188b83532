//! Ids of events: time and number.

use std::fmt;

use linux::clock::Timestamp;

/// The time of an event: milliseconds since the epoch, as the kernel writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(pub u64);

/// Id that the records of an event share.
///
/// The number alone is not enough: it begins anew at every boot and wraps around.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Time at which the event began.
    pub stamp: Stamp,
    /// Serial number of the event.
    pub sequence: u32,
}

// === impl Stamp ===

impl Stamp {
    /// The time in the form that the rest of the agent uses.
    pub fn time(self) -> Timestamp {
        let nanos = self.0.saturating_mul(1_000_000);
        Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }
}

// === impl Id ===

impl Id {
    /// Reads `1170021493.977:293` up to the parenthesis behind it, whose place it gives too.
    #[inline]
    pub(super) fn parse_closed(text: &[u8]) -> Option<(Self, usize)> {
        // The form of every kernel; anything else takes the long way.
        let (seconds, dot) = digits(text, 0);
        let (millis, colon) = digits(text, dot + 1);
        let (sequence, close) = digits(text, colon + 1);
        let separators = (text.get(dot), text.get(colon), text.get(close));
        if separators == (Some(&b'.'), Some(&b':'), Some(&b')'))
            && (1..=18).contains(&dot)
            && colon - dot == 4
            && (2..=11).contains(&(close - colon))
            && let Ok(sequence) = u32::try_from(sequence)
            && let Some(time) = seconds.checked_mul(1_000).and_then(|time| time.checked_add(millis))
        {
            return Some((Self { stamp: Stamp(time), sequence }, close));
        }
        let close = memchr::memchr(b')', text)?;
        Some((Self::parse(&text[..close])?, close))
    }

    /// Reads `1170021493.977:293`.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let colon = text.iter().position(|byte| *byte == b':')?;
        let (time, sequence) = (&text[..colon], &text[colon + 1..]);
        let dot = time.iter().position(|byte| *byte == b'.').unwrap_or(time.len());
        let seconds = decimal(&time[..dot])?;
        // Three digits by the kernel; fewer or more are taken for what they are worth.
        let mut millis = 0;
        for index in 1..=3 {
            let digit = time.get(dot + index).map_or(0, |byte| byte.wrapping_sub(b'0'));
            if digit > 9 {
                return None;
            }
            millis = millis * 10 + u64::from(digit);
        }
        let stamp = Stamp(seconds.checked_mul(1_000)?.checked_add(millis)?);
        let sequence = u32::try_from(decimal(sequence)?).ok()?;
        Some(Self { stamp, sequence })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stamp(millis) = self.stamp;
        write!(f, "{}.{:03}:{}", millis / 1_000, millis % 1_000, self.sequence)
    }
}

/// The number that the digits from `at` on are, if they are few, and where they end.
#[inline]
fn digits(text: &[u8], at: usize) -> (u64, usize) {
    let rest = text.get(at..).unwrap_or_default();
    // The seconds of any time of today begin with so many.
    let known = rest.first_chunk().and_then(|chunk| eight_digits(*chunk));
    let (mut number, first) = known.map_or((0, 0), |number| (number, 8));
    for (offset, byte) in rest.iter().enumerate().skip(first) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (number, at + offset);
        }
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    (number, text.len().max(at))
}

/// The number that eight digits are: pairs first, then pairs of pairs.
#[inline]
fn eight_digits(text: [u8; 8]) -> Option<u64> {
    const ONES: u64 = u64::MAX / 255;
    let word = u64::from_le_bytes(text);
    let digits = word ^ (ONES * u64::from(b'0'));
    // The high half of a byte with more than nine is not zero, or becomes so.
    if (digits | digits.wrapping_add(ONES * 6)) & (ONES * 0xf0) != 0 {
        return None;
    }
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

/// A decimal number without a sign.
pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    // So many digits cannot overflow.
    if text.len() < 20 {
        let mut strange = false;
        let number = text.iter().fold(0_u64, |number, byte| {
            let digit = byte.wrapping_sub(b'0');
            strange |= digit > 9;
            number.wrapping_mul(10).wrapping_add(u64::from(digit))
        });
        return (!strange).then_some(number);
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_written() {
        for text in ["1170021493.977:293", "0.000:0", "4294967296.001:4294967295"] {
            assert_eq!(Id::parse(text.as_bytes()).unwrap().to_string(), text);
        }
        assert_eq!(Id::parse(b"5:1").unwrap().stamp, Stamp(5_000));
        assert_eq!(Id::parse(b"5.1:1").unwrap().stamp, Stamp(5_100));
        assert_eq!(Id::parse(b"5.1239:1").unwrap().stamp, Stamp(5_123));
    }

    #[test]
    fn what_is_not_one() {
        for text in
            ["", ":", "1.000", "1.0x0:1", "-1.000:1", "1.000:-1", "1.000:4294967296", "1.000: 1"]
        {
            assert_eq!(Id::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Id::parse(b"18446744073709551615.000:1"), None);
    }

    #[test]
    fn eight_digits_are_read_at_once() {
        for number in (0..100_000_000).step_by(9_973).chain([99_999_999, 1, 10_000_000]) {
            let text: [u8; 8] = format!("{number:08}").into_bytes().try_into().unwrap();
            assert_eq!(eight_digits(text), Some(number));
        }
        for place in 0..8 {
            for byte in 0..=255_u8 {
                let mut text = *b"12345678";
                text[place] = byte;
                assert_eq!(eight_digits(text).is_some(), byte.is_ascii_digit(), "{place} {byte}");
            }
        }
    }

    #[test]
    fn both_ways_to_read_agree() {
        for text in [
            "1.000:1",
            "1170021493.977:293",
            "4294967296.001:4294967295",
            "5:1",
            "5.1:1",
            "5.1239:1",
            "",
            ":",
            "1.000",
            "1.0x0:1",
            "1.000:4294967296",
            "99999999999999999999.000:1",
            "999999999999999999.000:1",
            "18446744073709551.615:1",
            "18446744073709551.616:1",
            "18446744073709552.000:1",
            ".000:1",
            "1.000:",
            "1.000:00000000001",
        ] {
            let closed = format!("{text}): a=1");
            let expected = Id::parse(text.as_bytes()).map(|id| (id, text.len()));
            assert_eq!(Id::parse_closed(closed.as_bytes()), expected, "{text}");
        }
        assert_eq!(Id::parse_closed(b"1.000:1"), None);
    }
}
