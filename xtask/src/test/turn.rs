//! Turns: kernels for which one run has no time are tested in one of three, by the date.

use std::time::{Duration, SystemTime};

/// How many turns there are; ci/kernels.toml numbers them from 1.
pub(crate) const TURNS: u32 = 3;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The turn of a day, which is counted from 1970-01-01 in UTC: each of three consecutive days has another.
pub(super) fn of_day(day: u64) -> u32 {
    (day % u64::from(TURNS)) as u32 + 1
}

/// Today, counted as for [`of_day`].
pub(super) fn today() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_secs() / DAY.as_secs()
}

/// A day as `2026-11-30`.
pub(super) fn date(day: u64) -> String {
    let days = u32::try_from(day).unwrap_or(u32::MAX);
    let time = SystemTime::UNIX_EPOCH.checked_add(DAY * days).unwrap_or(SystemTime::UNIX_EPOCH);
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.split_once('T').map_or(text.clone(), |(date, _)| date.to_owned())
}

/// The first day from `day` on that has a turn.
pub(super) fn next(turn: u32, day: u64) -> Option<u64> {
    (day..).take(TURNS as usize).find(|day| of_day(*day) == turn)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn three_consecutive_days_have_all_turns() {
        // Over the ends of months and years.
        for day in 20_000..21_000 {
            let turns: BTreeSet<u32> = (day..day + 3).map(of_day).collect();
            assert_eq!(turns, (1..=TURNS).collect());
        }
    }

    #[test]
    fn days_have_dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(20_787), "2026-11-30");
    }

    #[test]
    fn a_turn_comes_again_within_three_days() {
        assert_eq!((of_day(20_787), of_day(20_788)), (1, 2));
        assert_eq!([1, 2, 3].map(|turn| next(turn, 20_787)), [20_787, 20_788, 20_789].map(Some));
        assert_eq!(next(TURNS + 1, 20_787), None);
    }
}
