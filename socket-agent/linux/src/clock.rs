//! Kernel time to wall time.
//!
//! The kernel side stamps everything with the boottime clock, which never jumps. What that is in
//! UTC changes whenever somebody sets the clock, so the agent measures it anew from time to time
//! and converts as late as it can.

use std::time::{Duration, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

/// How often [`Clock::now`] samples; the tightest sample wins.
const SAMPLES: usize = 8;

/// A point in UTC, in nanoseconds since the epoch; good until the year 2262.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// The relation between the kernel's clocks at the time of measuring. All in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Wall time minus boottime.
    wall_minus_boot: i64,
    /// Boottime minus monotonic time: what the host has spent suspended.
    boot_minus_mono: i64,
    /// Time that passed between the readings the offsets come from: their uncertainty.
    window: i64,
}

/// One reading of the three clocks, with boottime read first and last.
#[derive(Clone, Copy, Debug)]
struct Sample {
    boot_before: i64,
    wall: i64,
    mono: i64,
    boot_after: i64,
}

/// A distance between two times, nanoseconds. Displays with its sign: `-1h 2ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeDelta(i64);

// === impl TimeDelta ===

impl TimeDelta {
    /// Size of the step, without its sign.
    pub fn size(self) -> Duration {
        Duration::from_nanos(self.0.unsigned_abs())
    }
}

impl std::fmt::Display for TimeDelta {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "+" };
        write!(f, "{sign}{}", humantime::format_duration(self.size()))
    }
}

// === impl Timestamp ===

impl Timestamp {
    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// RFC 3339 in UTC with nanoseconds: `2019-08-22T20:46:35.001234567Z`.
    pub fn nanos(self) -> impl std::fmt::Display {
        humantime::format_rfc3339_nanos(self.system_time())
    }

    /// RFC 3339 in UTC with milliseconds, cut and not rounded: `2019-08-22T20:46:35.001Z`.
    pub fn millis(self) -> impl std::fmt::Display {
        humantime::format_rfc3339_millis(self.system_time())
    }

    /// As [`millis`](Self::millis), for who writes many: without formatting.
    pub fn millis_ascii(self) -> [u8; 24] {
        let millis = u64::try_from(self.0).unwrap_or(0) / 1_000_000;
        let (seconds, millis) = (millis / 1_000, millis % 1_000);
        let second = seconds % 86_400;
        // Less than 2^17 days are left of 64 bits of nanoseconds.
        let (year, month, day) = date((seconds / 86_400) as u32);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        for (end, mut number) in [
            (4, u64::from(year)),
            (7, u64::from(month)),
            (10, u64::from(day)),
            (13, second / 3_600),
            (16, second / 60 % 60),
            (19, second % 60),
            (23, millis),
        ] {
            let mut at = end;
            while number > 0 {
                at -= 1;
                text[at] = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        text
    }

    /// Times before the epoch, which no running kernel reports, become the epoch.
    fn system_time(self) -> std::time::SystemTime {
        UNIX_EPOCH + Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }
}

/// Year, month and day of a number of days since the epoch.
///
/// Counts from the March of a leap year, so that the odd day of February is the last of all.
const fn date(days: u32) -> (u32, u32, u32) {
    /// Days of four centuries, of one and of four years; from the 1st of March 0000 to the epoch.
    const FOUR_CENTURIES: u32 = 146_097;
    const CENTURY: u32 = 36_524;
    const FOUR_YEARS: u32 = 1_461;
    const BEFORE: u32 = 719_468;
    let days = days + BEFORE;
    let (era, day) = (days / FOUR_CENTURIES, days % FOUR_CENTURIES);
    let leaps = day / (FOUR_YEARS - 1) - day / CENTURY + day / (FOUR_CENTURIES - 1);
    let year = (day - leaps) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on, five months have 153 days, again and again.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = 400 * era + year;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

// === impl Clock ===

impl Clock {
    /// Measures. Takes a few microseconds.
    pub fn now() -> Self {
        Self::tightest(std::array::from_fn::<_, SAMPLES, _>(|_| Sample::take()))
    }

    /// The wall time of a boottime instant.
    pub fn wall(&self, boottime_ns: u64) -> Timestamp {
        Timestamp(self.wall_minus_boot.saturating_add_unsigned(boottime_ns))
    }

    /// The boottime of an instant in UTC, nanoseconds; 0 if it was before the boot.
    pub fn boottime_of(&self, time: Timestamp) -> u64 {
        u64::try_from(time.0.saturating_sub(self.wall_minus_boot)).unwrap_or(0)
    }

    /// The wall time of an instant of the monotonic clock, which stands still during suspend.
    pub fn wall_of_monotonic(&self, monotonic_ns: u64) -> Timestamp {
        self.wall(self.boottime_of_monotonic(monotonic_ns))
    }

    /// The boottime of an instant of the monotonic clock.
    ///
    /// Exact only for instants after the last suspend.
    pub fn boottime_of_monotonic(&self, monotonic_ns: u64) -> u64 {
        monotonic_ns.saturating_add_signed(self.boot_minus_mono)
    }

    /// The boottime of this moment, nanoseconds.
    pub fn boottime() -> u64 {
        u64::try_from(read(ClockId::CLOCK_BOOTTIME)).unwrap_or(0)
    }

    /// How far the wall clock has moved from where `earlier` would have it: positive if it was set
    /// ahead.
    pub fn moved_since(&self, earlier: &Self) -> TimeDelta {
        TimeDelta(self.wall_minus_boot.saturating_sub(earlier.wall_minus_boot))
    }

    /// How far off the measured offsets can be.
    pub fn uncertainty(&self) -> Duration {
        Duration::from_nanos(self.window.unsigned_abs())
    }

    /// A clock for tests: boottime zero is `start`, and the host was never suspended.
    #[doc(hidden)]
    pub const fn fixed(start: Timestamp) -> Self {
        Self { wall_minus_boot: start.0, boot_minus_mono: 0, window: 0 }
    }

    /// The same with the wall clock further on, for tests.
    #[doc(hidden)]
    pub fn shifted(self, by: Duration) -> Self {
        let by = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
        Self { wall_minus_boot: self.wall_minus_boot + by, ..self }
    }

    fn tightest(samples: [Sample; SAMPLES]) -> Self {
        let [first, rest @ ..] = samples;
        let best = rest.into_iter().fold(first, |best, sample| {
            if sample.window() < best.window() { sample } else { best }
        });
        let boot = best.boot_before + best.window() / 2;
        Self {
            wall_minus_boot: best.wall - boot,
            boot_minus_mono: boot - best.mono,
            window: best.window(),
        }
    }
}

impl Sample {
    fn take() -> Self {
        // The order of the fields is the order of the readings.
        Self {
            boot_before: read(ClockId::CLOCK_BOOTTIME),
            wall: read(ClockId::CLOCK_REALTIME),
            mono: read(ClockId::CLOCK_MONOTONIC),
            boot_after: read(ClockId::CLOCK_BOOTTIME),
        }
    }

    fn window(&self) -> i64 {
        self.boot_after - self.boot_before
    }
}

/// Reads a clock that every kernel since 2.6.39 has; zero if it does not exist.
fn read(clock: ClockId) -> i64 {
    clock_gettime(clock).map_or(0, |time| {
        // The types of both fields differ between architectures.
        #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
        let (seconds, nanos) = (time.tv_sec() as i64, time.tv_nsec() as i64);
        seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn sample(boot_before: i64, window: i64, wall: i64, mono: i64) -> Sample {
        Sample { boot_before, wall, mono, boot_after: boot_before + window }
    }

    #[test]
    fn the_tightest_sample_decides() {
        let wide = sample(100 * SECOND, 9_000, 777 * SECOND, SECOND);
        let tight = sample(100 * SECOND, 200, 1_100 * SECOND + 100, 40 * SECOND + 100);
        let mut samples = [wide; SAMPLES];
        samples[3] = tight;
        let clock = Clock::tightest(samples);
        assert_eq!(clock.wall(0).as_nanos(), 1_000 * SECOND);
        assert_eq!(clock.wall(5).as_nanos(), 1_000 * SECOND + 5);
        assert_eq!(clock.boottime_of(clock.wall(5)), 5);
        assert_eq!(clock.boottime_of(Timestamp::from_nanos(0)), 0);
        assert_eq!(clock.boottime_of_monotonic(7), 60 * SECOND as u64 + 7);
        assert_eq!(clock.wall_of_monotonic(7).as_nanos(), 1_060 * SECOND + 7);
        assert_eq!(clock.uncertainty(), Duration::from_nanos(200));
    }

    #[test]
    fn a_step_of_the_wall_clock_is_told_with_its_sign() {
        let before = Clock::fixed(Timestamp::from_nanos(1_000 * SECOND));
        let ahead = Clock::fixed(Timestamp::from_nanos(4_600 * SECOND));
        assert_eq!(ahead.moved_since(&before).to_string(), "+1h");
        assert_eq!(before.moved_since(&ahead).to_string(), "-1h");
        assert_eq!(before.moved_since(&ahead).size(), Duration::from_secs(3600));
    }

    #[test]
    fn text_has_the_precision_asked_for() {
        // 2019-08-22T20:46:40.173999999Z
        let time = Timestamp::from_nanos(1_566_506_800_173_999_999);
        assert_eq!(time.millis().to_string(), "2019-08-22T20:46:40.173Z");
        assert_eq!(time.nanos().to_string(), "2019-08-22T20:46:40.173999999Z");
        let whole = Timestamp::from_nanos(1_709_210_096 * SECOND);
        assert_eq!(whole.nanos().to_string(), "2024-02-29T12:34:56.000000000Z");
    }

    #[test]
    fn both_ways_to_write_agree() {
        let day = 86_400 * SECOND;
        for days in 0..i64::MAX / day {
            let time = Timestamp::from_nanos(days * day + days * 86_399_999_999 % day);
            assert_eq!(time.millis().to_string().as_bytes(), time.millis_ascii(), "{days}");
        }
        for nanos in [-1, 0, 1, 999_999, day - 1, day, 951_782_400 * SECOND, i64::MAX] {
            let time = Timestamp::from_nanos(nanos);
            assert_eq!(time.millis().to_string().as_bytes(), time.millis_ascii(), "{nanos}");
        }
    }

    #[test]
    fn out_of_range_times_do_not_panic() {
        assert_eq!(Timestamp::from_nanos(-1).millis().to_string(), "1970-01-01T00:00:00.000Z");
        let clock = Clock { wall_minus_boot: SECOND, boot_minus_mono: -5, window: 0 };
        assert_eq!(clock.wall(u64::MAX).as_nanos(), i64::MAX);
        assert_eq!(clock.boottime_of_monotonic(3), 0);
        assert!(clock.wall(u64::MAX).nanos().to_string().starts_with("2262-04-11T"));
    }

    #[test]
    fn the_kernels_clocks_agree_with_the_standard_librarys() {
        let before = std::time::SystemTime::now();
        let boottime = Clock::boottime();
        let after = std::time::SystemTime::now();
        let clock = Clock::now();
        let wall = clock.wall(boottime).system_time();
        assert!(wall >= before - clock.uncertainty(), "{wall:?} is before {before:?}");
        assert!(wall <= after + clock.uncertainty(), "{wall:?} is after {after:?}");
    }
}
