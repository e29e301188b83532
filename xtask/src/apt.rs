//! Debian packages, through the machine's own apt configuration.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{command, paths::Paths, ui};

/// Installs the packages that are missing; `why` completes "installing NAMES: ".
///
/// # Errors
/// Not root, or no apt: the message holds the command to run.
pub(crate) fn install(paths: &Paths, packages: &[String], why: &str) -> Result<()> {
    let missing: Vec<&str> =
        packages.iter().map(String::as_str).filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if command::find("apt-get").is_none() {
        bail!("{why}, and there is no apt here: install what Debian calls {names}");
    }
    if !command::is_root() {
        bail!("{why}: run `sudo apt-get install --no-install-recommends {names}`");
    }
    ui::install(&names, why);
    if !missing.iter().all(|package| has_candidate(package)) {
        update(paths)?;
    }
    if let Some(unknown) = missing.iter().find(|package| !has_candidate(package)) {
        bail!("{why}, but this machine's apt sources have no package {unknown}");
    }
    let mut apt = Command::new("apt-get");
    apt.args(["install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"])
        .args(&missing)
        .env("DEBIAN_FRONTEND", "noninteractive");
    command::run_logged(&mut apt, &paths.log("apt-install"))
}

/// Fetches the package lists.
fn update(paths: &Paths) -> Result<()> {
    if !command::is_root() {
        bail!("the package lists are missing or old: run `sudo apt-get update`");
    }
    ui::install("package lists", "apt does not know a package that is needed");
    command::run_logged(Command::new("apt-get").arg("update"), &paths.log("apt-update"))
}

/// Whether some source offers the package.
fn has_candidate(package: &str) -> bool {
    let policy = command::output(Command::new("apt-cache").args(["policy", package]));
    policy.is_ok_and(|text| names_candidate(&text))
}

/// Whether what `apt-cache policy` says of one package names a version to install.
pub(crate) fn names_candidate(policy: &str) -> bool {
    policy.lines().any(|line| {
        line.trim().strip_prefix("Candidate: ").is_some_and(|version| version != "(none)")
    })
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f", "${db:Status-Status}", package]);
    command::output(&mut query).is_ok_and(|status| status == "installed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_without_a_version_cannot_be_installed() {
        assert!(names_candidate("x:\n  Installed: (none)\n  Candidate: 1-2\n"));
        assert!(!names_candidate("x:\n  Installed: 1\n  Candidate: (none)\n"));
        assert!(!names_candidate(""));
    }
}
