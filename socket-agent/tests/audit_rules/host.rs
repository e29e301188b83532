//! Hosts that rules are read for.

use std::{collections::HashSet, path::Path};

use socket_agent::audit::{
    names::Arch,
    rules::{Accounts, Host, PathKind, Paths, PermCalls},
};

/// A host with given accounts and directories.
pub(crate) struct FakeHost {
    pub(crate) directories: HashSet<String>,
}

impl Accounts for FakeHost {
    fn user(&self, name: &str) -> Option<u32> {
        (name == "root").then_some(0)
    }

    fn group(&self, name: &str) -> Option<u32> {
        (name == "root").then_some(0)
    }
}

impl Paths for FakeHost {
    fn kind(&self, path: &Path) -> PathKind {
        match path.to_str() {
            Some(path) if self.directories.contains(path.trim_end_matches('/')) => {
                PathKind::Directory
            }
            _ => PathKind::Missing,
        }
    }
}

impl FakeHost {
    pub(crate) fn host(&self) -> Host<'_> {
        Host { arch: Some(Arch::X86_64), accounts: self, paths: self, perm_calls: PermCalls::All }
    }
}
