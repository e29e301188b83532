//! Names of users and groups for their numbers, and numbers for their names.
//!
//! One resolver, [`Accounts`], for the whole agent: names come from `/etc/passwd` and `/etc/group`; what these
//! do not have is asked for in the name service of the C library (NSS: LDAP, SSSD, systemd's dynamic users, ...)
//! by way of `getent`, which a thread of its own runs: the agent is linked statically, and a static program
//! cannot load the services' libraries safely. Nobody waits for a service: until the answer is there, and where
//! no `getent` is, documents have the number alone.
//!
//! [`Names`] is a thread's own view of it. It is asked some ten times for each event, so what was answered is
//! kept for a moment, and no clock is read in between.

mod files;
mod metrics;
mod services;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use nix::time::{ClockId, clock_gettime};
use rustc_hash::FxHashMap;

pub use self::metrics::METRICS;
use self::{files::AccountFiles, services::Services};

/// How long a name is given out without looking whether it has changed.
const FRESH: Duration = Duration::from_secs(1);
/// Names that are kept for a moment.
const RECENT_MAX: usize = 8_192;

/// A user or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Id {
    /// A user id.
    User(u32),
    /// A group id.
    Group(u32),
}

/// Databases in which names are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Database {
    /// `passwd`.
    Users,
    /// `group`.
    Groups,
}

/// Names and numbers that are not in the host's files, for which its name service is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameCounters {
    /// Numbers and names that were asked for.
    pub asked: u64,
    /// Of these, the ones that the service knows.
    pub found: u64,
    /// Questions that were not put, because too many waited.
    pub dropped: u64,
}

/// The accounts of a host, for all threads: files first, then the name service.
#[derive(Debug)]
pub struct Accounts(Mutex<Sources>);

#[derive(Debug)]
struct Sources {
    files: AccountFiles,
    services: Option<Services>,
}

/// The accounts as one thread sees them. Names are given out for up to a second after they have changed.
#[derive(Debug)]
pub struct Names {
    accounts: Arc<Accounts>,
    recent: FxHashMap<Id, Option<Arc<str>>>,
    /// By [`now`].
    cleared: Duration,
}

// === impl Accounts ===

impl Accounts {
    /// Accounts of this host, with its name service.
    pub fn of_host() -> Arc<Self> {
        let root = Path::new("/");
        Self::with(root, Some(Services::new(root)))
    }

    /// Of the system whose root is given, from its files alone: another system's services cannot
    /// be asked from here.
    pub fn from_files(root: &Path) -> Arc<Self> {
        Self::with(root, None)
    }

    fn with(root: &Path, services: Option<Services>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Sources { files: AccountFiles::new(root), services })))
    }

    /// A view for a thread.
    pub fn names(self: &Arc<Self>) -> Names {
        Names { accounts: Arc::clone(self), recent: FxHashMap::default(), cleared: now() }
    }

    /// Has the names of a user and a group looked for, which will be wanted soon. Waits for no service.
    pub fn ask(&self, uid: u32, gid: u32) {
        let _ = (self.name(Id::User(uid)), self.name(Id::Group(gid)));
    }

    /// What the name service was asked for, by all threads.
    pub fn counters(&self) -> NameCounters {
        self.lock().services.as_ref().map(Services::counters).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Sources> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self, id: Id) -> Option<Arc<str>> {
        let Sources { files, services } = &mut *self.lock();
        let in_files = match id {
            Id::User(uid) => files.user(uid),
            Id::Group(gid) => files.group(gid),
        };
        in_files.or_else(|| services.as_mut()?.name(id, Instant::now()))
    }

    fn number(&self, database: Database, name: &str) -> Option<u32> {
        let Sources { files, services } = &mut *self.lock();
        let in_files = match database {
            Database::Users => files.user_id(name),
            Database::Groups => files.group_id(name),
        };
        in_files.or_else(|| services.as_mut()?.number(database, name, Instant::now()))
    }

    /// Waits until the name service has answered all that it was asked, up to `patience`. For commands that
    /// print once; holds up all other threads.
    pub fn settle(&self, patience: Duration) {
        if let Some(services) = &mut self.lock().services {
            services.settle(Instant::now() + patience);
        }
    }
}

// === impl Names ===

impl Names {
    /// The name of a user.
    pub fn user(&mut self, uid: u32) -> Option<Arc<str>> {
        self.name(Id::User(uid))
    }

    /// The name of a group.
    pub fn group(&mut self, gid: u32) -> Option<Arc<str>> {
        self.name(Id::Group(gid))
    }

    /// The number of a user. A name that is not known is looked for in the file as it is now: it may have
    /// been added a moment ago.
    pub fn user_id(&mut self, name: &str) -> Option<u32> {
        self.accounts.number(Database::Users, name)
    }

    /// The number of a group, as [`user_id`](Self::user_id).
    pub fn group_id(&mut self, name: &str) -> Option<u32> {
        self.accounts.number(Database::Groups, name)
    }

    /// Has names looked up anew that were given out for a second. The only place to look at a clock: to be
    /// called for each event, or for each batch.
    pub fn tick(&mut self) {
        let now = now();
        if now.saturating_sub(self.cleared) >= FRESH {
            self.cleared = now;
            self.recent.clear();
        }
    }

    /// See [`Accounts::settle`]; what was asked for is looked up anew.
    pub fn settle(&mut self, patience: Duration) {
        self.accounts.settle(patience);
        self.recent.clear();
    }

    fn name(&mut self, id: Id) -> Option<Arc<str>> {
        if let Some(name) = self.recent.get(&id) {
            return name.clone();
        }
        let name = self.accounts.name(id);
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
        let mut names = Accounts::from_files(root.path()).names();
        assert_eq!(names.user(1000).as_deref(), Some("ann"));
        assert_eq!(names.group(50).as_deref(), Some("staff"));
        assert_eq!((names.user(50), names.group(1000)), (None, None));
        assert_eq!((names.user_id("ann"), names.group_id("staff")), (Some(1000), Some(50)));
        assert_eq!((names.user_id("staff"), names.group_id("ann")), (None, None));

        // As if the moment had passed, for the names and for the files.
        fs::write(root.path().join("etc/passwd"), "bob:x:1000:1000::/:/bin/sh\nx:x:7:7::/:\n")
            .unwrap();
        names.accounts.lock().files = AccountFiles::new(root.path());
        names.tick();
        assert_eq!(names.user(1000).as_deref(), Some("ann"), "kept for a moment");
        names.cleared -= FRESH;
        names.tick();
        assert_eq!(names.user(1000).as_deref(), Some("bob"));
    }

    #[test]
    fn one_answer_serves_all_threads() {
        let root = services::tests::root();
        let accounts = Accounts::with(root.path(), Some(Services::new(root.path())));
        let (mut flows, mut events) = (accounts.names(), accounts.names());
        assert_eq!((flows.user(7000), events.user(7000)), (None, None), "nobody waits");
        flows.settle(Duration::from_secs(20));
        assert_eq!(flows.user(7000).as_deref(), Some("eve"));
        assert_eq!(events.user(7000), None, "kept for a moment");
        events.cleared -= FRESH;
        events.tick();
        assert_eq!(events.user(7000).as_deref(), Some("eve"));
        assert_eq!(accounts.counters(), NameCounters { asked: 1, found: 1, dropped: 0 });
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let root = tempfile::tempdir().unwrap();
        let mut names = Accounts::from_files(root.path()).names();
        for uid in 0..3 * RECENT_MAX as u32 {
            assert_eq!(names.user(uid), None);
        }
        assert!(names.recent.len() <= RECENT_MAX);
    }
}
