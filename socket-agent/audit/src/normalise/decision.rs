//! Decisions of SELinux.

use crate::records::{Key, Kind, Record};

/// Decision of SELinux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Access was refused.
    Denied,
    /// It would have been denied, were the policy enforced.
    Permitted,
    /// It was let through, and the policy wants to know.
    Granted,
}

impl Decision {
    /// What an AVC record says; `None` for those of AppArmor and for others.
    pub(super) fn of(record: &Record) -> Option<Self> {
        if !matches!(record.kind(), Kind::AVC | Kind::USER_AVC) {
            return None;
        }
        match record.value(Key::SERESULT)? {
            b"denied" => {
                let permissive = record.find("permissive");
                let is_permissive = permissive.is_some_and(|field| field.value == b"1");
                Some(if is_permissive { Self::Permitted } else { Self::Denied })
            }
            b"granted" => Some(Self::Granted),
            _ => None,
        }
    }
}
