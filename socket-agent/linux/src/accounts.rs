//! Names of users and groups.
//!
//! Read from `/etc/passwd` and `/etc/group` and not through the C library: its name service loads
//! shared objects at run time, which a static binary cannot do safely. Users that only a directory
//! service knows therefore appear with their number alone.

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

/// Names by number. A changed file is read again within a second.
#[derive(Debug)]
pub struct Names {
    users: NameFile,
    groups: NameFile,
}

impl Names {
    /// Of the system whose root directory is given: `/`, or where a host's is mounted.
    pub fn new(root: &Path) -> Self {
        Self {
            users: NameFile::new(root.join("etc/passwd")),
            groups: NameFile::new(root.join("etc/group")),
        }
    }

    /// The name of a user.
    pub fn user(&mut self, uid: u32) -> Option<Arc<str>> {
        self.users.name(uid, Instant::now())
    }

    /// The name of a group.
    pub fn group(&mut self, gid: u32) -> Option<Arc<str>> {
        self.groups.name(gid, Instant::now())
    }
}

/// What tells one version of a file from the next.
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
    names: HashMap<u32, Arc<str>>,
}

impl NameFile {
    fn new(path: PathBuf) -> Self {
        Self { path, checked: None, version: None, names: HashMap::new() }
    }

    fn name(&mut self, id: u32, now: Instant) -> Option<Arc<str>> {
        if self.checked.is_none_or(|checked| now.duration_since(checked) >= RECHECK) {
            self.checked = Some(now);
            self.refresh();
        }
        self.names.get(&id).cloned()
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
        self.names = parse(&String::from_utf8_lossy(&text));
        self.version = Some(version);
    }
}

/// `name:password:number:...`; of several names for a number the first counts.
fn parse(text: &str) -> HashMap<u32, Arc<str>> {
    let mut names = HashMap::new();
    for line in text.lines().take(ENTRIES_MAX) {
        let mut fields = line.split(':');
        let (name, number) = (fields.next(), fields.nth(1).and_then(|field| field.parse().ok()));
        if let (Some(name), Some(number)) = (name, number)
            && !name.is_empty()
            && !name.starts_with('#')
        {
            names.entry(number).or_insert_with(|| name.into());
        }
    }
    names
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
        let mut users = Names::new(root.path()).users;
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
    fn odd_lines_are_passed_over() {
        let names = parse(
            "# comment:x:5:\n\nroot:x:0:\ntoor:x:0:\nbroken\nwords:x:many:\n:x:7:\n+::::::\n\
             wheel:x:10:ann,bob\nbig:x:4294967295:\nbigger:x:4294967296:\n",
        );
        let mut names: Vec<_> = names.iter().map(|(id, name)| (*id, &**name)).collect();
        names.sort_unstable();
        assert_eq!(names, [(0, "root"), (10, "wheel"), (u32::MAX, "big")]);
    }

    #[test]
    fn this_hosts_root() {
        let mut names = Names::new(Path::new("/"));
        assert_eq!(names.user(0).as_deref(), Some("root"));
        assert_eq!(names.group(0).as_deref(), Some("root"));
    }
}
