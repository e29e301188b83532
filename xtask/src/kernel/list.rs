//! ci/kernels.toml.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result, anyhow};
use serde::Deserialize;

use crate::paths::Paths;

/// The kernels and what is tested on them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct List {
    /// Modules that the tests need.
    pub(crate) modules: Vec<String>,
    pub(crate) native: Native,
    /// Lines of apt's sources, by suite.
    suites: BTreeMap<String, Vec<String>>,
    kernel: Vec<Entry>,
    variant: Vec<Variant>,
}

/// A kernel under other circumstances.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variant {
    pub(crate) name: String,
    /// Name of the kernel.
    pub(crate) kernel: String,
    /// Architecture of the kernel and the machine.
    #[serde(default = "x86_64")]
    pub(crate) arch: String,
    pub(crate) hooks: Vec<String>,
    /// Further arguments of the scenario runner.
    #[serde(default)]
    pub(crate) arguments: Vec<String>,
    /// Appended to the kernel's command line.
    #[serde(default)]
    pub(crate) cmdline: String,
    /// Only these scenarios: part of their names, or several separated by commas.
    pub(crate) filter: String,
    /// Virtual processors.
    #[serde(default = "one")]
    pub(crate) cpus: u8,
    /// The turn it is tested in; with every one if there is none.
    pub(crate) turn: Option<u32>,
}

/// The machine that tests run on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Native {
    pub(crate) hooks: Vec<String>,
}

/// One kernel of the archive.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) arch: String,
    /// Suite that it comes from.
    suite: String,
    /// Package name with one `*` for what changes with every release.
    pub(crate) package: String,
    /// Hook sets it is tested with.
    pub(crate) hooks: Vec<String>,
    /// Virtual processors it is tested with.
    #[serde(default = "one")]
    pub(crate) cpus: u8,
    /// The turn it is tested in; with every one if there is none.
    pub(crate) turn: Option<u32>,
    /// Whether the short run, without `--all`, tests it as well.
    #[serde(default)]
    pub(crate) short: bool,
}

fn x86_64() -> String {
    "x86_64".to_owned()
}

fn one() -> u8 {
    1
}

// === impl List ===

impl List {
    pub(crate) fn read(paths: &Paths) -> Result<Self> {
        let path = paths.root().join("ci/kernels.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("parse {}", path.display()))
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.kernel
    }

    pub(crate) fn variants(&self) -> &[Variant] {
        &self.variant
    }

    /// The lines of apt's sources for a suite, without their `deb`.
    pub(crate) fn sources(&self, suite: &str) -> Result<&[String]> {
        let sources = self.suites.get(suite);
        sources.map(Vec::as_slice).with_context(|| format!("ci/kernels.toml: no suite {suite}"))
    }

    /// The suite that a kernel comes from, with its sources.
    pub(super) fn suite<'a>(&'a self, entry: &'a Entry) -> Result<(&'a str, &'a [String])> {
        let sources = self.suites.get(&entry.suite).with_context(|| {
            let Entry { name, suite, .. } = entry;
            format!("ci/kernels.toml: kernel {name} comes from {suite}, which is not in [suites]")
        })?;
        Ok((&entry.suite, sources))
    }

    /// Finds a kernel by name and architecture.
    pub(crate) fn find(&self, name: &str, arch: &str) -> Result<&Entry> {
        let found = self.kernel.iter().find(|entry| entry.name == name && entry.arch == arch);
        found.ok_or_else(|| {
            let known: Vec<String> = self
                .kernel
                .iter()
                .map(|entry| format!("{} ({})", entry.name, entry.arch))
                .collect();
            anyhow!(
                "unknown kernel {name} for {arch}: ci/kernels.toml has {}; --kernel-image FILE \
                 boots any other",
                known.join(", ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_has_a_suite() {
        let list = List::read(&Paths::find().unwrap()).unwrap();
        for entry in list.entries() {
            assert!(!list.suite(entry).unwrap().1.is_empty(), "{}", entry.name);
        }
    }

    #[test]
    fn the_error_names_what_there_is() {
        let list = List::read(&Paths::find().unwrap()).unwrap();
        assert!(list.find("6.1", "x86_64").is_ok());
        let error = list.find("6.01", "x86_64").err().unwrap().to_string();
        assert!(error.contains("6.1 (x86_64)"), "{error}");
    }
}
