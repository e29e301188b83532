//! Hosts that rules are read for.

use std::{collections::HashSet, path::Path};

use socket_agent::audit::{
    names::Arch,
    rules::{Accounts, Host, PathKind, Paths, PermCalls},
};

/// A host of which every account and path is told.
pub(crate) struct Told {
    pub(crate) directories: HashSet<String>,
}

impl Accounts for Told {
    fn user(&self, name: &str) -> Option<u32> {
        (name == "root").then_some(0)
    }

    fn group(&self, name: &str) -> Option<u32> {
        (name == "root").then_some(0)
    }
}

impl Paths for Told {
    fn kind(&self, path: &Path) -> PathKind {
        match path.to_str() {
            Some(path) if self.directories.contains(path.trim_end_matches('/')) => {
                PathKind::Directory
            }
            _ => PathKind::Missing,
        }
    }
}

impl Told {
    pub(crate) fn host(&self) -> Host<'_> {
        Host { arch: Some(Arch::X86_64), accounts: self, paths: self, perm_calls: PermCalls::All }
    }
}
