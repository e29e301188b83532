//! Names of users and groups from `/etc/passwd` and `/etc/group`.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// A file is looked at again no more often than this.
const RECHECK: Duration = Duration::from_secs(1);
/// Entries that are kept of a file.
const ENTRIES_MAX: usize = 65_536;

/// Both files. One that has changed is read again within a second.
#[derive(Debug)]
pub(super) struct AccountFiles {
    users: NameFile,
    groups: NameFile,
}

impl AccountFiles {
    /// Of the system whose root directory is given: `/`, or where a host's is mounted.
    pub(super) fn new(root: &Path) -> Self {
        Self {
            users: NameFile::new(root.join("etc/passwd")),
            groups: NameFile::new(root.join("etc/group")),
        }
    }

    /// The name of a user.
    pub(super) fn user(&mut self, uid: u32) -> Option<Arc<str>> {
        self.users.name(uid, Instant::now())
    }

    /// The name of a group.
    pub(super) fn group(&mut self, gid: u32) -> Option<Arc<str>> {
        self.groups.name(gid, Instant::now())
    }

    /// The number of a user. A name that is not there is looked for in the file as it is now: it
    /// may have been added a moment ago.
    pub(super) fn user_id(&mut self, name: &str) -> Option<u32> {
        self.users.number(name)
    }

    /// The number of a group, as [`user_id`](Self::user_id).
    pub(super) fn group_id(&mut self, name: &str) -> Option<u32> {
        self.groups.number(name)
    }
}

/// What distinguishes one version of a file from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

#[derive(Debug)]
struct NameFile {
    path: PathBuf,
    checked: Option<Instant>,
    version: Option<Version>,
    entries: Entries,
}

/// Both ways through a file.
#[derive(Debug, Default)]
struct Entries {
    names: HashMap<u32, Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl NameFile {
    fn new(path: PathBuf) -> Self {
        Self { path, checked: None, version: None, entries: Entries::default() }
    }

    fn name(&mut self, id: u32, now: Instant) -> Option<Arc<str>> {
        if self.checked.is_none_or(|checked| now.duration_since(checked) >= RECHECK) {
            self.checked = Some(now);
            self.refresh();
        }
        self.entries.names.get(&id).cloned()
    }

    fn number(&mut self, name: &str) -> Option<u32> {
        if let Some(number) = self.entries.numbers.get(name) {
            return Some(*number);
        }
        self.refresh();
        self.entries.numbers.get(name).copied()
    }

    /// An unreadable file leaves the names as they are.
    fn refresh(&mut self) {
        let Ok(meta) = fs::metadata(&self.path) else { return };
        let version = Version {
            inode: meta.ino(),
            length: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        };
        if self.version == Some(version) {
            return;
        }
        let Ok(text) = fs::read(&self.path) else { return };
        self.entries = parse(&String::from_utf8_lossy(&text));
        self.version = Some(version);
    }
}

/// `name:password:number:...`; of several names for a number the first counts, as the first of
/// several numbers for a name.
fn parse(text: &str) -> Entries {
    let mut entries = Entries::default();
    for line in text.lines().take(ENTRIES_MAX) {
        let mut fields = line.split(':');
        let (name, number) = (fields.next(), fields.nth(1).and_then(|field| field.parse().ok()));
        if let (Some(name), Some(number)) = (name, number)
            && !name.is_empty()
            && !name.starts_with('#')
        {
            let name: Arc<str> = name.into();
            entries.names.entry(number).or_insert_with(|| Arc::clone(&name));
            entries.numbers.entry(name).or_insert(number);
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_seen_after_the_pause() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        let passwd = root.path().join("etc/passwd");
        fs::write(&passwd, "root:x:0:0::/root:/bin/sh\n").unwrap();
        let mut users = AccountFiles::new(root.path()).users;
        let start = Instant::now();
        assert_eq!(users.name(0, start).as_deref(), Some("root"));
        assert_eq!(users.name(1000, start), None);

        let text = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/:/bin/sh\n";
        fs::write(&passwd, text).unwrap();
        assert_eq!(users.name(1000, start), None);
        assert_eq!(users.name(1000, start + RECHECK).as_deref(), Some("ann"));
        // A file that is away for a moment, as while an editor replaces it.
        fs::remove_file(&passwd).unwrap();
        assert_eq!(users.name(1000, start + 2 * RECHECK).as_deref(), Some("ann"));
    }

    #[test]
    fn a_name_that_was_just_added_has_its_number() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        let passwd = root.path().join("etc/passwd");
        fs::write(&passwd, "root:x:0:0::/root:/bin/sh\n").unwrap();
        let mut names = AccountFiles::new(root.path());
        assert_eq!((names.user_id("root"), names.user_id("ann")), (Some(0), None));
        let text = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/:/bin/sh\n";
        fs::write(&passwd, text).unwrap();
        assert_eq!(names.user_id("ann"), Some(1000), "without a pause");
        assert_eq!(names.group_id("ann"), None, "a user is no group");
    }

    #[test]
    fn odd_lines_are_passed_over() {
        let Entries { names, numbers } = parse(
            "# comment:x:5:\n\nroot:x:0:\ntoor:x:0:\nbroken\nwords:x:many:\n:x:7:\n+::::::\n\
             wheel:x:10:ann,bob\nbig:x:4294967295:\nbigger:x:4294967296:\n",
        );
        let mut names: Vec<_> = names.iter().map(|(id, name)| (*id, &**name)).collect();
        names.sort_unstable();
        assert_eq!(names, [(0, "root"), (10, "wheel"), (u32::MAX, "big")]);
        let mut numbers: Vec<_> = numbers.iter().map(|(name, id)| (&**name, *id)).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [("big", u32::MAX), ("root", 0), ("toor", 0), ("wheel", 10)]);
    }

    #[test]
    fn this_hosts_root() {
        let mut names = AccountFiles::new(Path::new("/"));
        assert_eq!(names.user(0).as_deref(), Some("root"));
        assert_eq!(names.group(0).as_deref(), Some("root"));
    }
}
