//! Files of events.

use super::{Entity, IdNames, rows::SyscallRow, syscall::Syscall, text::Text};
use crate::{
    decode::Mode,
    records::{Key, Kind, Record},
};

/// A PATH record.
#[derive(Clone, Copy, Debug)]
pub struct PathRecord<'a>(pub &'a Record);

/// The file that an event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File<'a> {
    /// Full path if the records tell where a relative one begins.
    pub path: Option<Text<'a>>,
    /// Where it went, when it was renamed or linked.
    pub target: Option<Text<'a>>,
    /// Device that holds it: `08:01`.
    pub device: Option<Text<'a>>,
    /// Inode number.
    pub inode: Option<Text<'a>>,
    /// Type and permissions.
    pub mode: Option<Mode>,
    /// Owner of the file.
    pub owner: Entity<'a>,
    /// Group of the file.
    pub group: Entity<'a>,
    /// Security label.
    pub label: Option<Text<'a>>,
}

impl<'a> PathRecord<'a> {
    pub(super) fn all(records: &'a [Record]) -> Vec<Self> {
        records.iter().filter(|record| record.kind() == Kind::PATH).map(PathRecord).collect()
    }

    /// `PARENT`, `CREATE`, ...; old kernels have it under another name.
    fn role(&self) -> &'a [u8] {
        self.0.value(Key::NAMETYPE).or_else(|| self.0.value(Key::OBJTYPE)).unwrap_or_default()
    }
}

/// The path that an event is about.
fn choose<'a>(paths: &[PathRecord<'a>], row: Option<&SyscallRow>) -> Option<PathRecord<'a>> {
    let item = |path: &PathRecord<'a>| path.0.number(Key::ITEM);
    let named = row.and_then(|row| row.path).and_then(|index| {
        paths.iter().find(|path| item(path) == Some(index as u64) && path.role() != b"PARENT")
    });
    let first = || paths.iter().find(|path| !matches!(path.role(), b"PARENT" | b"UNKNOWN"));
    // What does not exist has no type; a record without the last part is better than none.
    let unknown = || paths.iter().find(|path| path.role() == b"UNKNOWN");
    named.or_else(first).or_else(unknown).or_else(|| paths.first()).copied()
}

impl<'a> File<'a> {
    pub(super) fn read(
        paths: &[PathRecord<'a>],
        row: Option<&SyscallRow>,
        syscall: Option<&Syscall<'a>>,
        cwd: Option<&str>,
        names: &mut dyn IdNames,
    ) -> Option<Self> {
        let chosen = choose(paths, row)?;
        let record = chosen.0;
        let base = cwd.filter(|_| syscall.is_none_or(Syscall::is_at_cwd));
        let full = |name: Text<'a>| match base {
            Some(base) if !name.starts_with('/') && !name.is_empty() => join(base, &name).into(),
            _ => name,
        };
        let target = (chosen.role() != b"CREATE")
            .then(|| paths.iter().find(|path| path.role() == b"CREATE"))
            .flatten();
        let mut owner = |key, is_group| {
            let field = record.get(key)?;
            Some(Entity::of_id(record, &field, is_group, names))
        };
        Some(Self {
            path: record.text(Key::NAME).map(full),
            target: target.and_then(|path| path.0.text(Key::NAME)).map(full),
            device: record.text(Key::DEV),
            inode: record.text(Key::INODE),
            mode: record.text(Key::MODE).and_then(|mode| Mode::parse(&mode)),
            owner: owner(Key::OUID, false).unwrap_or_default(),
            group: owner(Key::OGID, true).unwrap_or_default(),
            label: record.text(Key::OBJ),
        })
    }

    /// From a path alone.
    pub(super) fn named(path: Text<'a>) -> Self {
        Self { path: Some(path), ..Self::default() }
    }
}

/// Joins a path to the directory it is relative to, without `.` and `..` at its beginning.
fn join(base: &str, path: &str) -> String {
    let mut base = base.trim_end_matches('/');
    let mut path = path;
    loop {
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        match first {
            "." => {}
            ".." => base = base.rsplit_once('/').map_or("", |(above, _)| above),
            _ => break,
        }
        path = rest;
    }
    match (base, path) {
        ("", "") => "/".to_owned(),
        (base, "") => base.to_owned(),
        (base, path) => format!("{base}/{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn relative_paths() {
        for (base, path, joined) in [
            ("/home/ann", "x", "/home/ann/x"),
            ("/", "x", "/x"),
            ("/home/ann", "./x", "/home/ann/x"),
            ("/home/ann", "../x/y", "/home/x/y"),
            ("/a", "../../../x", "/x"),
            ("/a", ".", "/a"),
            ("/a/b", "..", "/a"),
            ("/a", "./", "/a"),
            ("/a", "", "/a"),
            ("/a", ".x/..", "/a/.x/.."),
            ("/", ".", "/"),
        ] {
            assert_eq!(join(base, path), joined, "{base} {path}");
        }
    }
}
