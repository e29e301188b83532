//! Cgroup v2 ids and the paths they stand for.

use std::{
    fs,
    num::NonZeroUsize,
    os::unix::fs::{DirEntryExt, MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use lru::LruCache;

/// Paths that are kept. Removed cgroups stay until newer ones need their place, so that the
/// container of a process is found when both are gone.
const PATHS: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();
/// Directories that one walk visits at most.
const WALK_MAX: usize = 65_536;
/// A walk reads a directory per cgroup; unknown ids do not start one more often than this.
const WALK_PAUSE: Duration = Duration::from_secs(1);

/// Finds the path of a cgroup by its id, which is the inode number of its directory.
#[derive(Debug)]
pub(super) struct Cgroups {
    mount: Option<PathBuf>,
    paths: LruCache<u64, Arc<str>>,
    walked: Option<Instant>,
}

impl Cgroups {
    /// Of a mounted cgroup v2 hierarchy; `None` if this host has none: every id is then unknown.
    pub(super) fn new(mount: Option<PathBuf>) -> Self {
        Self { mount, paths: LruCache::new(PATHS), walked: None }
    }

    /// Of the hierarchy that a proc file system's mount table shows.
    pub(super) fn of_this_host(proc: &Path) -> Self {
        let mounts = fs::read_to_string(proc.join("self/mounts")).unwrap_or_default();
        Self::new(mount_point(&mounts))
    }

    /// Whether a path is that of an id, as far as the hierarchy says now; remembered if so.
    ///
    /// The two may have been read one after the other from a process that moved in between, as
    /// those that start a container do: to believe them would put the whole runtime into it.
    pub(super) fn confirm(&mut self, id: u64, path: &str) -> bool {
        if self.paths.peek(&id).is_some_and(|known| **known == *path) {
            return true;
        }
        let Some(mount) = &self.mount else { return false };
        let directory = mount.join(path.trim_start_matches('/'));
        let same = id != 0 && fs::metadata(directory).is_ok_and(|meta| meta.ino() == id);
        if same {
            self.learn(id, path);
        }
        same
    }

    /// The path below the mount point, beginning with a slash.
    pub(super) fn path(&mut self, id: u64, now: Instant) -> Option<Arc<str>> {
        if id == 0 {
            return None;
        }
        if let Some(path) = self.paths.get(&id) {
            return Some(path.clone());
        }
        if self.walked.is_some_and(|walked| now.duration_since(walked) < WALK_PAUSE) {
            return None;
        }
        self.walked = Some(now);
        self.walk();
        self.paths.get(&id).cloned()
    }

    /// Remembers what the kernel said of both at once.
    pub(super) fn is(&mut self, id: u64, path: &str) -> Arc<str> {
        match self.paths.get(&id) {
            Some(known) if **known == *path => known.clone(),
            _ => {
                let path: Arc<str> = path.into();
                if id != 0 {
                    self.paths.put(id, path.clone());
                }
                path
            }
        }
    }

    fn learn(&mut self, id: u64, path: &str) {
        if !self.paths.contains(&id) {
            self.paths.put(id, path.into());
        }
    }

    fn walk(&mut self) {
        let Some(mount) = self.mount.clone() else { return };
        if let Ok(root) = fs::metadata(&mount) {
            self.learn(root.ino(), "/");
        }
        let mut pending = vec![mount.clone()];
        let mut left = WALK_MAX;
        while let Some(directory) = pending.pop() {
            // A cgroup may vanish while it is walked.
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            for entry in entries.flatten() {
                if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    continue;
                }
                left = left.saturating_sub(1);
                if left == 0 {
                    return;
                }
                let path = entry.path();
                if let Ok(below) = path.strip_prefix(&mount) {
                    self.learn(entry.ino(), &format!("/{}", below.to_string_lossy()));
                }
                pending.push(path);
            }
        }
    }
}

/// The first cgroup v2 mount in the text of `/proc/<pid>/mounts`.
fn mount_point(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (_device, point, kind) = (fields.next()?, fields.next()?, fields.next()?);
        // Blanks and the like are written as octal escapes; no one mounts cgroups there.
        (kind == "cgroup2" && !point.contains('\\')).then(|| PathBuf::from(point))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inode(path: &Path) -> u64 {
        fs::metadata(path).unwrap().ino()
    }

    #[test]
    fn walks_for_unknown_ids_and_remembers_removed_ones() {
        let mount = tempfile::tempdir().unwrap();
        let scope = mount.path().join("system.slice/docker-1.scope");
        fs::create_dir_all(&scope).unwrap();
        let (root, id) = (inode(mount.path()), inode(&scope));
        let mut cgroups = Cgroups::new(Some(mount.path().to_owned()));
        let start = Instant::now();

        let path = "/system.slice/docker-1.scope";
        assert_eq!(cgroups.path(id, start).as_deref(), Some(path));
        assert_eq!(cgroups.path(root, start).as_deref(), Some("/"));
        fs::remove_dir(&scope).unwrap();
        assert_eq!(cgroups.path(id, start + WALK_PAUSE).as_deref(), Some(path));

        let later = mount.path().join("later");
        fs::create_dir(&later).unwrap();
        let id = inode(&later);
        // The file system may have given the inode number away again, which cgroups never do.
        cgroups.paths.pop(&id);
        assert_eq!(cgroups.path(id, start), None, "walked again without a pause");
        assert_eq!(cgroups.path(id, start + WALK_PAUSE).as_deref(), Some("/later"));
    }

    #[test]
    fn without_a_hierarchy() {
        let mut cgroups = Cgroups::new(None);
        assert_eq!(cgroups.path(1, Instant::now()), None);
        assert_eq!(cgroups.path(0, Instant::now()), None);
        assert!(!cgroups.confirm(1, "/"));
    }

    #[test]
    fn only_pairs_that_belong_together_are_remembered() {
        let mount = tempfile::tempdir().unwrap();
        for name in ["one", "two"] {
            fs::create_dir(mount.path().join(name)).unwrap();
        }
        let one = inode(&mount.path().join("one"));
        let mut cgroups = Cgroups::new(Some(mount.path().to_owned()));
        assert!(!cgroups.confirm(one, "/two"));
        assert!(!cgroups.confirm(0, "/one"));
        assert!(cgroups.confirm(one, "/one"));
        fs::remove_dir(mount.path().join("one")).unwrap();
        assert!(cgroups.confirm(one, "/one"), "remembered");
        assert!(!cgroups.confirm(one, "/two"));
    }

    #[test]
    fn mount_tables() {
        let table = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
                     cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
                     cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        assert_eq!(mount_point(table).as_deref(), Some(Path::new("/sys/fs/cgroup/unified")));
        assert_eq!(mount_point("proc /proc proc rw 0 0\n"), None);
        assert_eq!(mount_point(""), None);
    }
}
