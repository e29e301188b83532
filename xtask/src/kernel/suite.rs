//! A Debian suite, read by apt into a folder of its own: the machine's apt is neither asked nor changed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{apt, command, paths::Paths, ui};

/// Signs all of Debian's suites.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A suite with its package lists.
pub(super) struct Suite {
    name: String,
    /// Architecture as Debian calls it.
    arch: String,
    dir: PathBuf,
    log: PathBuf,
}

// === impl Suite ===

impl Suite {
    /// Fetches the lists of a suite.
    pub(super) fn open(paths: &Paths, name: &str, arch: &str, sources: &[String]) -> Result<Self> {
        for needed in ["apt-get", "apt-cache", "dpkg-deb"] {
            if command::find(needed).is_none() {
                bail!("no {needed} to fetch a kernel with; --kernel-image boots a file");
            }
        }
        // Lists of several architectures in one place would replace each other.
        let folder =
            if arch == "x86_64" { name.to_owned() } else { format!("{name}-{}", debian(arch)) };
        let dir = paths.target().join("apt").join(folder);
        for folder in ["etc", "state/lists/partial", "cache/archives/partial"] {
            let folder = dir.join(folder);
            fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        }
        let list = dir.join("etc/sources.list");
        fs::write(&list, lines(arch, sources, Path::new(KEYRING).is_file()))
            .with_context(|| format!("write {}", list.display()))?;
        let arch = debian(arch).to_owned();
        let suite = Self { name: name.to_owned(), arch, dir, log: paths.log("kernel") };
        ui::install(&format!("package lists of {name}"), "a kernel for virtual machines");
        command::run_logged(suite.apt("apt-get").arg("update"), &suite.log).with_context(|| {
            format!("read the package lists of {name}; Debian's keys are in debian-archive-keyring")
        })?;
        Ok(suite)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Packages whose name begins with `prefix`.
    pub(super) fn known(&self, prefix: &str) -> Result<Vec<String>> {
        let names = command::output(self.apt("apt-cache").args(["pkgnames", prefix]))?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// Names of the packages that the newest version of this one depends on.
    pub(super) fn dependencies(&self, package: &str) -> Result<Vec<String>> {
        let mut apt = self.apt("apt-cache");
        Ok(parse_depends(&command::output(apt.args(["depends", "--important", package]))?))
    }

    /// Whether the suite has the package, and not only its name.
    pub(super) fn offers(&self, package: &str) -> bool {
        let policy = command::output(self.apt("apt-cache").args(["policy", package]));
        policy.is_ok_and(|text| apt::names_candidate(&text))
    }

    /// Downloads packages into `dir`.
    pub(super) fn download(&self, packages: &[String], dir: &Path) -> Result<()> {
        let mut apt = self.apt("apt-get");
        command::run_logged(apt.arg("download").args(packages).current_dir(dir), &self.log)
            .with_context(|| format!("download {} of {}", packages.join(" "), self.name))
    }

    fn apt(&self, program: &str) -> Command {
        let mut apt = Command::new(program);
        // Names without an architecture are then of this one.
        apt.args(["-o", &format!("APT::Architecture={}", self.arch)]);
        apt.args(["-o", &format!("APT::Architectures={}", self.arch)]);
        for (option, value) in [
            ("Dir::Etc::sourcelist", self.dir.join("etc/sources.list")),
            ("Dir::Etc::sourceparts", "-".into()),
            ("Dir::State", self.dir.join("state")),
            // What is installed here says nothing of another suite.
            ("Dir::State::status", "/dev/null".into()),
            ("Dir::Cache", self.dir.join("cache")),
            ("Acquire::Languages", "none".into()),
            ("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false".into()),
            ("Acquire::Retries", "3".into()),
            // The suite bullseye is no longer signed anew.
            ("Acquire::Check-Valid-Until", "false".into()),
            // The sandbox user may not write here; it is apt's own fallback, without the warning.
            ("APT::Sandbox::User", "root".into()),
        ] {
            apt.arg("-o").arg(format!("{option}={}", value.display()));
        }
        apt
    }
}

/// Debian's name of an architecture.
fn debian(arch: &str) -> &str {
    match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The text of a list of sources.
fn lines(arch: &str, sources: &[String], keyring: bool) -> String {
    let arch = debian(arch);
    let signed = if keyring { format!(" signed-by={KEYRING}") } else { String::new() };
    sources.iter().map(|source| format!("deb [arch={arch}{signed}] {source}\n")).collect()
}

fn parse_depends(text: &str) -> Vec<String> {
    let names = text.lines().filter_map(|line| {
        line.trim().trim_start_matches('|').strip_prefix("Depends: ").map(str::trim)
    });
    names.filter(|name| !name.starts_with('<')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_package_depends_on() {
        let text = "linux-image-1\n  PreDepends: dpkg\n |Depends: kmod\n  Depends: <virtual>\n    \
                    provider\n  Depends: linux-binary-1\n";
        assert_eq!(parse_depends(text), ["kmod", "linux-binary-1"]);
    }

    #[test]
    fn sources_are_of_one_architecture() {
        let sources = ["http://a b main".to_owned()];
        assert_eq!(lines("x86_64", &sources, false), "deb [arch=amd64] http://a b main\n");
        assert!(lines("aarch64", &sources, true).starts_with("deb [arch=arm64 signed-by=/"));
    }
}
