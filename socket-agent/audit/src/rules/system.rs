//! This machine as a [`Host`].

use std::{fs, io, path::Path};

use super::host::{Accounts, Host, PathKind, Paths, PermCalls};
use crate::names::Arch;

/// File of users.
const PASSWD: &str = "/etc/passwd";
/// File of groups.
const GROUP: &str = "/etc/group";

/// The machine that this program runs on. Accounts are those of its files at the time it was read:
/// users and groups of a directory service have to be written as numbers.
#[derive(Debug, Clone)]
pub struct System {
    arch: Option<Arch>,
    passwd: String,
    group: String,
}

// === impl System ===

impl System {
    /// Reads the architecture of the kernel and the account files; a file that is missing holds no
    /// account.
    ///
    /// # Errors
    /// An account file that cannot be read, or no answer from `uname`; the message says which.
    pub fn read() -> io::Result<Self> {
        let uname = nix::sys::utsname::uname().map_err(|error| {
            io::Error::other(format!("ask the kernel for its architecture: {error}"))
        })?;
        let arch = uname.machine().to_str().and_then(Arch::from_name);
        Ok(Self { arch, passwd: read(PASSWD)?, group: read(GROUP)? })
    }

    /// For [`parse`](super::parse()) and [`RuleSet::read`](super::RuleSet::read).
    pub fn host(&self, perm_calls: PermCalls) -> Host<'_> {
        Host { arch: self.arch, accounts: self, paths: self, perm_calls }
    }
}

fn read(path: &str) -> io::Result<String> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(io::Error::new(error.kind(), format!("read {path}: {error}"))),
    }
}

/// The third part of the line that begins with a name.
fn number(file: &str, name: &str) -> Option<u32> {
    file.lines().find_map(|line| {
        let mut parts = line.split(':');
        if parts.next() == Some(name) { parts.nth(1)?.parse().ok() } else { None }
    })
}

impl Accounts for System {
    fn user(&self, name: &str) -> Option<u32> {
        number(&self.passwd, name)
    }

    fn group(&self, name: &str) -> Option<u32> {
        number(&self.group, name)
    }
}

impl Paths for System {
    fn kind(&self, path: &Path) -> PathKind {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => PathKind::Directory,
            Ok(_) => PathKind::File,
            Err(_) => PathKind::Missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_accounts_by_whole_names() {
        let passwd =
            "root:x:0:0::/root:/bin/sh\nalice:x:1000:100::/home/alice:\nbad:x:?\n".to_owned();
        let system = System { arch: None, passwd, group: "wheel:x:10:root\n".to_owned() };
        assert_eq!(system.user("alice"), Some(1000));
        assert_eq!(system.user("alic"), None);
        assert_eq!(system.user("bad"), None);
        assert_eq!(system.group("wheel"), Some(10));
        assert_eq!(system.group("root"), None);
    }

    #[test]
    fn tells_directories_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let system = System::read().unwrap();
        assert_eq!(system.kind(folder.path()), PathKind::Directory);
        assert_eq!(system.kind(&file), PathKind::File);
        assert_eq!(system.kind(&folder.path().join("absent")), PathKind::Missing);
    }
}
