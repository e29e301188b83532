//! What an exec record says, read with distrust in its lengths.

use socket_common::{ExecEvent, whole};

/// The variable parts of an exec record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ExecParts<'e> {
    /// Path as given to exec: may be relative, and cut.
    pub(super) filename: &'e [u8],
    /// Absolute path of the executable in the mount namespace of the process.
    pub(super) executable: Option<String>,
    /// Absolute path of the working directory, likewise.
    pub(super) directory: Option<String>,
    /// Path of the cgroup v2; `/` is its root.
    pub(super) cgroup: Option<String>,
    /// Path in an older hierarchy, if the process is in the root of the unified one.
    pub(super) legacy_cgroup: Option<String>,
    /// Arguments as carried.
    pub(super) args: &'e [u8],
    /// There were more.
    pub(super) args_cut: bool,
}

impl<'e> ExecParts<'e> {
    pub(super) fn of(event: &'e ExecEvent) -> Self {
        let mut rest = event.data.get(..event.header.length as usize).unwrap_or(&event.data);
        let mut take = |length: u32| {
            let (part, left) = rest.split_at(rest.len().min(length as usize));
            rest = left;
            part
        };
        let filename = take(event.filename_length);
        let executable = take(event.executable_length);
        let directory = take(event.directory_length);
        let cgroup = take(event.cgroup_length);
        let args = take(event.args_length);
        let path_if = |flag: u32, names| (event.flags & flag != 0).then(|| path(names));
        Self {
            filename: until_nul(filename),
            executable: path_if(whole::EXECUTABLE, executable).filter(|path| path != "/"),
            directory: path_if(whole::DIRECTORY, directory),
            cgroup: path_if(whole::CGROUP, cgroup),
            legacy_cgroup: path_if(whole::LEGACY_CGROUP, cgroup),
            args,
            args_cut: args.len() < event.args_total as usize,
        }
    }
}

/// An absolute path from its names, each with its NUL, the last one first.
fn path(names: &[u8]) -> String {
    let names = names.strip_suffix(&[0]).unwrap_or(names);
    let mut path = Vec::with_capacity(names.len() + 1);
    for name in names.rsplit(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    if path.is_empty() {
        path.push(b'/');
    }
    String::from_utf8_lossy(&path).into_owned()
}

pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Paths, exec, exec_with};

    #[test]
    fn paths_are_put_together_from_the_end() {
        let paths = Paths {
            executable: "/usr/bin/curl",
            directory: "/",
            cgroup: "/system.slice/a.service",
            legacy_cgroup: "",
        };
        let event = exec_with(7, 1, "curl", paths, b"curl\0-v\0");
        let parts = ExecParts::of(&event);
        assert_eq!(parts.filename, b"curl");
        assert_eq!(parts.executable.as_deref(), Some("/usr/bin/curl"));
        assert_eq!(parts.directory.as_deref(), Some("/"));
        assert_eq!(parts.cgroup.as_deref(), Some("/system.slice/a.service"));
        assert_eq!(parts.legacy_cgroup, None);
        assert_eq!((parts.args, parts.args_cut), (b"curl\0-v\0".as_slice(), false));
    }

    #[test]
    fn what_is_not_whole_is_not_there() {
        let event = exec(7, 1, "/bin/x", b"x\0");
        let parts = ExecParts::of(&event);
        assert_eq!((parts.executable, parts.directory, parts.cgroup), (None, None, None));
    }

    #[test]
    fn lengths_are_not_believed() {
        let mut event = exec(7, 1, "/bin/x", b"x\0");
        event.header.length = u32::MAX;
        event.executable_length = u32::MAX;
        event.flags = whole::EXECUTABLE;
        let parts = ExecParts::of(&event);
        assert_eq!(parts.filename, b"/bin/x");
        assert_eq!(parts.args, b"");
        assert!(parts.args_cut);
    }
}
