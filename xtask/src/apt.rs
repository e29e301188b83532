//! Debian packages, through the machine's own apt configuration.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

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
pub(crate) fn update(paths: &Paths) -> Result<()> {
    if !command::is_root() {
        bail!("the package lists are missing or old: run `sudo apt-get update`");
    }
    ui::install("package lists", "apt does not know a package that is needed");
    command::run_logged(Command::new("apt-get").arg("update"), &paths.log("apt-update"))
}

/// Downloads one package into `dir`.
pub(crate) fn download(package: &str, dir: &Path, log: &Path) -> Result<()> {
    // The sandbox user may not write here; it is apt's own fallback, without the warning.
    let mut apt = Command::new("apt-get");
    apt.args(["-o", "APT::Sandbox::User=root", "download", package]).current_dir(dir);
    command::run_logged(&mut apt, log).with_context(|| format!("download {package}"))
}

/// Packages whose name begins with `prefix` and that can be downloaded.
pub(crate) fn known(prefix: &str) -> Result<Vec<String>> {
    let names = command::output(Command::new("apt-cache").args(["pkgnames", prefix]))?;
    Ok(names.lines().map(str::to_owned).collect())
}

/// Names of the packages that the newest version of this one depends on.
pub(crate) fn dependencies(package: &str) -> Result<Vec<String>> {
    let mut apt = Command::new("apt-cache");
    apt.args(["depends", "--important", package]);
    Ok(parse_depends(&command::output(&mut apt)?))
}

/// Whether some source offers the package.
pub(crate) fn has_candidate(package: &str) -> bool {
    let policy = command::output(Command::new("apt-cache").args(["policy", package]));
    policy.is_ok_and(|text| {
        text.lines().any(|line| {
            line.trim().strip_prefix("Candidate: ").is_some_and(|version| version != "(none)")
        })
    })
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f", "${db:Status-Status}", package]);
    command::output(&mut query).is_ok_and(|status| status == "installed")
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
}
