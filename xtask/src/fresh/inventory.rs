//! Inventory of what is installed in a root.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

use super::root::Root;
use crate::command;

/// Names of what is installed, by what has installed it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Inventory {
    /// Debian's packages, with versions.
    pub(super) packages: BTreeSet<String>,
    /// rustup's toolchains, and `COMPONENT of TOOLCHAIN` for their components.
    pub(super) rust: BTreeSet<String>,
    /// Programs that the project has built for itself.
    pub(super) tools: BTreeSet<String>,
}

// === impl Inventory ===

impl Inventory {
    pub(super) fn of(root: &Root) -> Result<Self> {
        let mut query = Command::new("dpkg-query");
        query.arg(format!("--admindir={}", root.within("/var/lib/dpkg").display()));
        let packages = command::output(query.args(["-W", "-f", "${Package} ${Version}\n"]))?;
        let mut rust = BTreeSet::new();
        for toolchain in names(&root.toolchains())? {
            // A link to another folder of rustup's leads nowhere from here.
            let components = root.toolchains().join(&toolchain).join("lib/rustlib/components");
            for component in fs::read_to_string(components).unwrap_or_default().lines() {
                rust.insert(format!("{component} of {toolchain}"));
            }
            rust.insert(toolchain);
        }
        let packages = packages.lines().map(str::to_owned).collect();
        Ok(Self { packages, rust, tools: names(&root.tools())? })
    }

    /// Entries that were not there before.
    pub(super) fn without(&self, before: &Self) -> Self {
        let Self { packages, rust, tools } = before;
        Self {
            packages: self.packages.difference(packages).cloned().collect(),
            rust: self.rust.difference(rust).cloned().collect(),
            tools: self.tools.difference(tools).cloned().collect(),
        }
    }
}

/// Names in a folder, if there is one.
fn names(folder: &Path) -> Result<BTreeSet<String>> {
    if !folder.is_dir() {
        return Ok(BTreeSet::new());
    }
    fs::read_dir(folder)
        .with_context(|| format!("read {}", folder.display()))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_is_not_added() {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let before = Inventory { packages: set(&["gcc 12"]), ..Inventory::default() };
        let after = Inventory {
            packages: set(&["gcc 12", "llvm-22-dev 22"]),
            rust: set(&["rust-src of stable"]),
            tools: set(&["bpf-linker"]),
        };
        let added = after.without(&before);
        assert_eq!(added.packages, set(&["llvm-22-dev 22"]));
        assert_eq!(added.rust.len() + added.tools.len(), 2);
        assert_eq!(after.without(&after), Inventory::default());
    }
}
