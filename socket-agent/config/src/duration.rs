//! Durations as Go writes them: `30s`, `1m30s`, `250ms`, `1.5h`.

use std::time::Duration;

const SECOND: u128 = 1_000_000_000;

const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),  // micro sign
    ("\u{3bc}s", 1_000), // Greek mu
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Longest duration that Go can hold: 2^63 - 1 nanoseconds, 292 years.
const LONGEST: u64 = i64::MAX as u64;

/// Reads a duration; `None` if it is not one, is negative, or is longer than 292 years.
///
/// A number without a unit counts seconds, as Auditbeat reads it.
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if let (whole, fraction, "") = number(rest)? {
        return duration(nanoseconds(whole, fraction, SECOND)?);
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (whole, fraction, after) = number(rest)?;
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, remainder) = after.split_at(end);
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(nanoseconds(whole, fraction, *scale)?)?;
        rest = remainder;
    }
    duration(total)
}

fn duration(nanoseconds: u128) -> Option<Duration> {
    let nanoseconds = u64::try_from(nanoseconds).ok()?;
    (nanoseconds <= LONGEST).then(|| Duration::from_nanos(nanoseconds))
}

/// Splits `12.5rest` into `12`, `5` and `rest`; at least one digit is needed.
fn number(text: &str) -> Option<(&str, &str, &str)> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    (!whole.is_empty() || !fraction.is_empty()).then_some((whole, fraction, rest))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn nanoseconds(whole: &str, fraction: &str, scale: u128) -> Option<u128> {
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut total = whole.checked_mul(scale)?;
    let mut location = scale;
    for digit in fraction.bytes() {
        location /= 10;
        total += location * u128::from(digit - b'0');
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_reads() {
        for (text, nanoseconds) in [
            ("30s", 30_000_000_000),
            ("1m30s", 90_000_000_000),
            ("250ms", 250_000_000),
            ("1h", 3_600_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1us", 1_000),
            ("1\u{b5}s", 1_000),
            ("7ns", 7),
            ("0", 0),
            ("0s", 0),
            ("+5s", 5_000_000_000),
            (" 5s ", 5_000_000_000),
            ("30", 30_000_000_000),
            ("2.5", 2_500_000_000),
            ("0.000000001s", 1),
        ] {
            assert_eq!(parse(text), Some(Duration::from_nanos(nanoseconds)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "s",
            "-5s",
            "5 s",
            "5x",
            "1m30",
            "0s30",
            "5s5",
            "1..5s",
            ".",
            "five",
            "5S",
            "1d",
            "99999999999h",
            "9999999999999999999999999999999999999999h",
            "++5s",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
