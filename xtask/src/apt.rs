//! Debian packages, through the machine's own apt configuration.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result, bail};

use crate::{command, paths::Paths, ui};

/// One at a time: of its locks apt waits for some only.
static ALONE: Mutex<()> = Mutex::new(());

/// Installs the packages that are missing; `why` completes "installing NAMES: ".
///
/// # Errors
/// Not root, or no apt: the message holds the command to run.
pub(crate) fn install(paths: &Paths, packages: &[String], why: &str) -> Result<()> {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    install_alone(paths, packages, why)
}

fn install_alone(paths: &Paths, packages: &[String], why: &str) -> Result<()> {
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
    get(paths, &missing, why)
}

/// Installs packages, or brings those that are there up to what the lists offer; returns those that were not
/// there before.
pub(crate) fn upgrade(paths: &Paths, packages: &[String], why: &str) -> Result<Vec<String>> {
    let names: Vec<&str> = packages.iter().map(String::as_str).collect();
    let new = packages.iter().filter(|package| !is_installed(package)).cloned().collect();
    get(paths, &names, why)?;
    Ok(new)
}

fn get(paths: &Paths, names: &[&str], why: &str) -> Result<()> {
    ui::install(&names.join(", "), why);
    let known = names.iter().all(|package| has_candidate(package));
    if !known {
        refresh(paths, "apt does not know a package that is needed")?;
    }
    if let Some(unknown) = names.iter().find(|package| !has_candidate(package)) {
        bail!("{why}, but this machine's apt sources have no package {unknown}");
    }
    let install = || {
        let mut apt = Command::new("apt-get");
        apt.args(["install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"])
            .args(names)
            .env("DEBIAN_FRONTEND", "noninteractive");
        command::run_logged(&mut apt, &paths.log("apt-install"))
    };
    match install() {
        // Servers keep what old lists name for a while only.
        Err(_) if known => {
            refresh(paths, "what they name cannot be fetched")?;
            install()
        }
        result => result,
    }
}

/// What Debian's packages ask before they start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// As [`install`], for packages with a service that is not to run on this machine, now or after the
/// next boot.
pub(crate) fn install_stopped(paths: &Paths, packages: &[String], why: &str) -> Result<()> {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let missing: Vec<&String> = packages.iter().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() || !command::is_root() || Path::new(POLICY).exists() {
        return install_alone(paths, packages, why);
    }
    let forbid = fs::write(POLICY, "#!/bin/sh\nexit 101\n")
        .and_then(|()| fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755)));
    let installed = match forbid {
        Ok(()) => install_alone(paths, packages, why),
        Err(error) => Err(error).with_context(|| format!("write {POLICY}")),
    };
    fs::remove_file(POLICY).with_context(|| format!("remove {POLICY}"))?;
    installed?;
    if command::find("systemctl").is_some() {
        for package in missing {
            // A package whose service has another name has none to be stopped.
            let _ = command::output(Command::new("systemctl").args(["disable", package]));
        }
    }
    Ok(())
}

/// Fetches the package lists.
pub(crate) fn refresh(paths: &Paths, why: &str) -> Result<()> {
    if !command::is_root() {
        bail!("the package lists are missing or old: run `sudo apt-get update`");
    }
    ui::install("package lists", why);
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
