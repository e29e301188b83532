//! `struct audit_status`: what the audit framework is set to and how it is doing.

use super::message::word;
use crate::rules::{Enabled, FailureMode};

/// Words of the form that every kernel has; newer ones have more at the end.
const WORDS_MIN: usize = 8;
/// Words of the newest known form: 9 since Linux 2.6.38, 10 since 3.14, 11 since 5.9.
const WORDS: usize = 11;

/// State of the audit framework, as the kernel reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether records are made.
    pub enabled: u32,
    /// Failure mode: the reaction to a lost record.
    pub failure: u32,
    /// The process that owns the audit socket; 0 for none.
    pub pid: u32,
    /// Records a second; 0 for no limit.
    pub rate_limit: u32,
    /// Records that may wait; 0 for no limit.
    pub backlog_limit: u32,
    /// Records lost since the last reset.
    pub lost: u32,
    /// Records that wait.
    pub backlog: u32,
    /// Bits of [`Feature`]; `None` before Linux 3.14, where the place held a version or was absent.
    pub features: Option<u32>,
    /// How long a process waits when the backlog is full, in the kernel's ticks; Linux 3.14.
    pub backlog_wait_time: Option<u32>,
    /// How long processes have waited in sum, in ticks; Linux 5.9.
    pub backlog_wait_time_actual: Option<u32>,
}

/// Features of a kernel, a bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Feature {
    /// The backlog limit can be read and set.
    BacklogLimit = 0x01,
    /// [`Setting::BacklogWaitTime`] is known.
    BacklogWaitTime = 0x02,
    /// Rules can name a program, `exe`.
    ExecutablePath = 0x04,
    /// The exclude list takes more fields.
    ExcludeExtend = 0x08,
    /// Rules can name a session.
    SessionId = 0x10,
    /// [`Setting::ResetLost`] is known.
    LostReset = 0x20,
    /// There is a list for file systems.
    FilterFilesystem = 0x40,
}

/// One thing to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Whether records are made; `Immutable` cannot be taken back.
    Enabled(Enabled),
    /// Failure mode: the reaction to a lost record.
    Failure(FailureMode),
    /// The owner of the audit socket: the sender of the request, or 0 for none.
    Pid(u32),
    /// Records a second; 0 for no limit.
    RateLimit(u32),
    /// Records that may wait; 0 for no limit.
    BacklogLimit(u32),
    /// How long a process waits when the backlog is full, in the kernel's ticks; Linux 3.14.
    BacklogWaitTime(u32),
    /// Sets the count of lost records to 0; Linux 4.14.
    ResetLost,
    /// Sets the sum of waits to 0; Linux 5.9.
    ResetBacklogWaitTime,
}

// === impl Status ===

impl Status {
    /// From the kernel's answer; `None` if it is shorter than the shortest form.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let at = |index| word(bytes, index);
        let [enabled, failure, pid, rate_limit, backlog_limit, lost, backlog] =
            [at(1)?, at(2)?, at(3)?, at(4)?, at(5)?, at(6)?, at(7)?];
        debug_assert!(bytes.len() >= WORDS_MIN * 4);
        // Only kernels with the wait time have made the version before it a set of bits.
        let backlog_wait_time = at(9);
        Some(Self {
            enabled,
            failure,
            pid,
            rate_limit,
            backlog_limit,
            lost,
            backlog,
            features: backlog_wait_time.and(at(8)),
            backlog_wait_time,
            backlog_wait_time_actual: at(10),
        })
    }

    /// Whether the kernel has said that it can do this.
    pub fn has(&self, feature: Feature) -> bool {
        self.features.is_some_and(|bits| bits & feature as u32 != 0)
    }

    /// Whether nothing can be changed until the next boot.
    pub fn is_locked(&self) -> bool {
        self.enabled == Enabled::Immutable.number()
    }
}

// === impl Setting ===

impl Setting {
    /// The request: the mask that says which word counts, and all words.
    pub(super) fn encode(self) -> [u8; WORDS * 4] {
        let (bit, index, value) = match self {
            Self::Enabled(enabled) => (0x01, 1, enabled.number()),
            Self::Failure(mode) => (0x02, 2, mode.number()),
            Self::Pid(pid) => (0x04, 3, pid),
            Self::RateLimit(limit) => (0x08, 4, limit),
            Self::BacklogLimit(limit) => (0x10, 5, limit),
            Self::BacklogWaitTime(ticks) => (0x20, 9, ticks),
            Self::ResetLost => (0x40, 6, 0),
            Self::ResetBacklogWaitTime => (0x80, 10, 0),
        };
        let mut bytes = [0; WORDS * 4];
        bytes[..4].copy_from_slice(&u32::to_ne_bytes(bit));
        bytes[index * 4..index * 4 + 4].copy_from_slice(&u32::to_ne_bytes(value));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn forms_of_every_age() {
        let all = [0, 1, 2, 3, 4, 5, 6, 7, 0x7f, 15_000, 9];
        let old = Status::parse(&bytes(&all[..8])).unwrap();
        assert_eq!((old.enabled, old.pid, old.lost, old.backlog), (1, 3, 6, 7));
        assert_eq!((old.features, old.backlog_wait_time), (None, None));
        assert!(!old.has(Feature::BacklogWaitTime));
        // A version, not bits.
        assert_eq!(Status::parse(&bytes(&all[..9])).unwrap().features, None);
        let middle = Status::parse(&bytes(&all[..10])).unwrap();
        assert!(middle.has(Feature::BacklogWaitTime) && middle.has(Feature::FilterFilesystem));
        assert_eq!(middle.backlog_wait_time_actual, None);
        let new = Status::parse(&bytes(&all)).unwrap();
        assert_eq!((new.backlog_wait_time, new.backlog_wait_time_actual), (Some(15_000), Some(9)));
        assert_eq!(Status::parse(&bytes(&all[..7])), None);
        assert_eq!(Status::parse(&[]), None);
        assert!(Status::parse(&bytes(&[0, 2, 0, 0, 0, 0, 0, 0])).unwrap().is_locked());
    }

    #[test]
    fn settings_touch_one_word() {
        let encoded = |setting: Setting| -> Vec<u32> {
            setting
                .encode()
                .chunks(4)
                .map(|it| u32::from_ne_bytes(it.try_into().unwrap()))
                .collect()
        };
        assert_eq!(encoded(Setting::Pid(77)), [4, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(encoded(Setting::BacklogWaitTime(5)), [32, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0]);
        assert_eq!(encoded(Setting::Enabled(Enabled::Immutable))[..2], [1, 2]);
        assert_eq!(encoded(Setting::ResetLost), [64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
}
