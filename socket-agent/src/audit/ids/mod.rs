//! Names of users and groups for their numbers.
//!
//! Asked some ten times for each event, so what was told is kept for a moment, and no clock is read
//! in between. Names come from `/etc/passwd` and `/etc/group`; numbers that these do not have are
//! asked for in the name service of the C library (LDAP, SSSD, systemd's dynamic users, ...) by
//! way of `getent`, which the agent runs in the background: it is linked statically, and a static
//! program cannot load the services' libraries safely. Until the answer is there, and where no
//! `getent` is, documents have the number alone.

mod services;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use nix::time::{ClockId, clock_gettime};
use rustc_hash::FxHashMap;

pub use services::Services;

use super::{
    normalise::{IdNames, NameCounters},
    records::Text,
};
use linux::Names;

/// How long a name is given out without looking whether it has changed.
const FRESH: Duration = Duration::from_secs(1);
/// Names that are kept for a moment.
const RECENT_MAX: usize = 8_192;

/// A user or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Id {
    /// A user id.
    User(u32),
    /// A group id.
    Group(u32),
}

/// Files first, then the name service.
#[derive(Debug)]
pub struct HostNames {
    files: Names,
    services: Option<Services>,
    recent: FxHashMap<Id, Option<Text<'static>>>,
    /// By [`now`].
    cleared: Duration,
}

impl HostNames {
    /// Of this host, with its name service.
    pub fn new() -> Self {
        Self::with(Names::new(Path::new("/")), Some(Services::new(Path::new("/"))))
    }

    /// Of the system whose root is given, from its files alone: another system's services cannot
    /// be asked from here.
    pub fn from_files(root: &Path) -> Self {
        Self::with(Names::new(root), None)
    }

    fn with(files: Names, services: Option<Services>) -> Self {
        Self { files, services, recent: FxHashMap::default(), cleared: now() }
    }

    fn name(&mut self, id: Id) -> Option<Text<'static>> {
        if let Some(name) = self.recent.get(&id) {
            return name.clone();
        }
        let in_files = match id {
            Id::User(uid) => self.files.user(uid),
            Id::Group(gid) => self.files.group(gid),
        };
        let name = in_files.or_else(|| {
            self.services.as_mut().and_then(|services| services.name(id, Instant::now()))
        });
        let name = name.map(Text::from);
        if self.recent.len() >= RECENT_MAX {
            self.recent.clear();
        }
        self.recent.insert(id, name.clone());
        name
    }
}

/// The time since a fixed moment, a few milliseconds old: quicker to have than the exact one.
fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE).map_or(Duration::ZERO, Duration::from)
}

impl Default for HostNames {
    fn default() -> Self {
        Self::new()
    }
}

impl IdNames for HostNames {
    fn user(&mut self, uid: u32) -> Option<Text<'static>> {
        self.name(Id::User(uid))
    }

    fn group(&mut self, gid: u32) -> Option<Text<'static>> {
        self.name(Id::Group(gid))
    }

    fn tick(&mut self) {
        let now = now();
        if now.saturating_sub(self.cleared) >= FRESH {
            self.cleared = now;
            self.recent.clear();
        }
    }

    fn counters(&self) -> NameCounters {
        self.services.as_ref().map(Services::counters).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn changed_files_are_seen_after_a_moment() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/passwd"), "ann:x:1000:1000::/:/bin/sh\n").unwrap();
        fs::write(root.path().join("etc/group"), "staff:x:50:\n").unwrap();
        let mut names = HostNames::from_files(root.path());
        assert_eq!(names.user(1000).as_deref(), Some("ann"));
        assert_eq!(names.group(50).as_deref(), Some("staff"));
        assert_eq!((names.user(50), names.group(1000)), (None, None));

        // As if the moment had passed, for the names and for the files.
        fs::write(root.path().join("etc/passwd"), "bob:x:1000:1000::/:/bin/sh\nx:x:7:7::/:\n")
            .unwrap();
        names.files = Names::new(root.path());
        names.tick();
        assert_eq!(names.user(1000).as_deref(), Some("ann"), "kept for a moment");
        names.cleared -= FRESH;
        names.tick();
        assert_eq!(names.user(1000).as_deref(), Some("bob"));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let root = tempfile::tempdir().unwrap();
        let mut names = HostNames::from_files(root.path());
        for uid in 0..3 * RECENT_MAX as u32 {
            assert_eq!(names.user(uid), None);
        }
        assert!(names.recent.len() <= RECENT_MAX);
    }
}
