//! Mount points of file systems.
//!
//! Source: `man 5 proc_pid_mountinfo`.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

const MOUNTINFO: &str = "/proc/self/mountinfo";

/// Mount point of the cgroup v2 hierarchy, preferably one that shows its root.
pub fn cgroup2_mount() -> Option<PathBuf> {
    find(&fs::read(MOUNTINFO).ok()?, b"cgroup2")
}

/// Mount point of the cgroup v1 hierarchy that limits memory.
pub(super) fn memory_cgroup_mount() -> Option<PathBuf> {
    let mounts = fs::read(MOUNTINFO).ok()?;
    // Of version 1 the options of the super block name what a hierarchy controls.
    let line = mounts.split(|byte| *byte == b'\n').find(|line| {
        let options = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
        line.windows(10).any(|part| part == b" - cgroup ")
            && options.split(|byte| *byte == b',').any(|option| option == b"memory")
    })?;
    find(line, b"cgroup")
}

/// Mount point of tracefs, or the `tracing` directory of debugfs where there is none.
pub fn tracefs_mount() -> Option<PathBuf> {
    let mounts = fs::read(MOUNTINFO).ok()?;
    find(&mounts, b"tracefs").or_else(|| {
        let tracing = find(&mounts, b"debugfs")?.join("tracing");
        let found = match fs::metadata(tracing.join("trace")) {
            Ok(_) => true,
            // Only root sees what is in debugfs.
            Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
        };
        found.then_some(tracing)
    })
}

/// Whether a file system of this type is mounted at `path`.
pub(super) fn is_mounted_at(kind: &[u8], path: &Path) -> bool {
    fs::read(MOUNTINFO).is_ok_and(|mounts| entries(&mounts, kind).any(|(_, point)| point == path))
}

fn find(mounts: &[u8], kind: &[u8]) -> Option<PathBuf> {
    let whole = entries(mounts, kind).find(|(root, _)| root == Path::new("/"));
    whole.or_else(|| entries(mounts, kind).next()).map(|(_, point)| point)
}

/// Root within the file system and mount point of each mount of a type.
fn entries<'a>(mounts: &'a [u8], kind: &'a [u8]) -> impl Iterator<Item = (PathBuf, PathBuf)> + 'a {
    mounts.split(|byte| *byte == b'\n').filter_map(move |line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let (root, point) = (fields.nth(3)?, fields.next()?);
        // Optional fields end with a lone hyphen; the type follows.
        let found = fields.skip_while(|field| *field != b"-").nth(1)?;
        (found == kind).then(|| (unescape(root), unescape(point)))
    })
}

/// Blanks and backslashes are written as three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\');
        let code = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = code.and_then(|code| u8::from_str_radix(code, 8).ok()) {
            bytes.push(byte);
            rest = &after[3..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"\
24 30 0:22 / /proc rw,relatime shared:12 - proc proc rw
35 30 0:30 /../.. /nested rw shared:9 - cgroup2 cgroup2 rw
36 30 0:30 / /sys/fs/my\\040group rw,nosuid shared:9 master:1 - cgroup2 cgroup2 rw
37 30 0:31 / /sys/kernel/debug rw - debugfs debugfs rw
";

    #[test]
    fn finds_the_root_of_a_hierarchy() {
        assert_eq!(find(MOUNTS, b"cgroup2"), Some("/sys/fs/my group".into()));
        assert_eq!(find(MOUNTS, b"debugfs"), Some("/sys/kernel/debug".into()));
        assert_eq!(find(MOUNTS, b"tracefs"), None);
        assert_eq!(find(b"", b"proc"), None);
        assert_eq!(find(b"nonsense\n1 2 3\n", b"proc"), None);
        let nested_only = &MOUNTS[..MOUNTS.windows(2).position(|w| w == b"36").unwrap()];
        assert_eq!(find(nested_only, b"cgroup2"), Some("/nested".into()));
    }
}
