//! Kernels of Debian's archive.

use std::{
    cmp::Ordering,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::Entry;
use crate::{apt, command, paths::Paths, ui};

/// The cached image of a kernel; it is downloaded when there is none.
pub(super) fn ensure(paths: &Paths, entry: &Entry) -> Result<PathBuf> {
    let cache = paths.target().join("kernels").join(format!("{}-{}", entry.name, entry.arch));
    if let Some(image) = image(&cache) {
        return Ok(image);
    }
    for needed in ["apt-get", "apt-cache", "dpkg-deb"] {
        if command::find(needed).is_none() {
            bail!("no {needed} to fetch kernel {} with; --kernel-image boots a file", entry.name);
        }
    }
    let kernels = paths.target().join("kernels");
    fs::create_dir_all(&kernels).with_context(|| format!("create {}", kernels.display()))?;
    let work = tempfile::tempdir_in(&kernels).context("create a folder for the kernel")?;
    for package in candidates(paths, entry)? {
        if let Some(unpacked) = unpack(paths, &package, work.path())? {
            // A name appears only with all of its content.
            fs::rename(&unpacked, &cache).with_context(|| format!("fill {}", cache.display()))?;
            return image(&cache).with_context(|| format!("no image in {}", cache.display()));
        }
    }
    bail!("no package {} that this machine's apt can download holds an image", entry.package)
}

/// Packages that may hold the image, the likeliest first.
fn candidates(paths: &Paths, entry: &Entry) -> Result<Vec<String>> {
    let (prefix, suffix) = entry
        .package
        .split_once('*')
        .with_context(|| format!("ci/kernels.toml: package {} has no `*`", entry.package))?;
    let mut names = matching(apt::known(prefix)?, prefix, suffix);
    if names.is_empty() {
        apt::update(paths)?;
        names = matching(apt::known(prefix)?, prefix, suffix);
    }
    let Some(newest) = names.into_iter().find(|name| apt::has_candidate(name)) else {
        bail!(
            "no package {}: the apt sources of this machine lack kernel {}; --kernel-image boots a \
             file",
            entry.package,
            entry.name
        );
    };
    // In some releases a package of another name, on which this one depends, holds the files.
    let mut candidates = vec![newest.clone()];
    candidates.extend(apt::dependencies(&newest)?.into_iter().filter(|name| {
        name.starts_with("linux-") && name.ends_with(suffix) || name.starts_with("linux-binary")
    }));
    candidates.push(format!("{newest}-unsigned"));
    Ok(candidates)
}

/// Real images among package names, the newest first.
fn matching(names: Vec<String>, prefix: &str, suffix: &str) -> Vec<String> {
    let middle = |name: &str| -> Option<String> {
        Some(name.strip_prefix(prefix)?.strip_suffix(suffix)?.to_owned())
    };
    let mut names: Vec<String> =
        names.into_iter().filter(|name| middle(name).is_some_and(|m| !m.is_empty())).collect();
    names.sort_by(|a, b| by_version(b, a));
    names
}

/// Orders names whose numbers count as numbers: 6.1.0-9 comes before 6.1.0-56.
fn by_version(a: &str, b: &str) -> Ordering {
    let key = |name: &str| -> Vec<(u64, String)> {
        let parts = name.split_inclusive(|c: char| !c.is_ascii_digit());
        parts
            .map(|part| {
                let digits = part.trim_end_matches(|c: char| !c.is_ascii_digit());
                (digits.parse().unwrap_or(0), part[digits.len()..].to_owned())
            })
            .collect()
    };
    key(a).cmp(&key(b))
}

/// Downloads a package and unpacks it; `None` if it is not there or holds no image.
fn unpack(paths: &Paths, package: &str, work: &Path) -> Result<Option<PathBuf>> {
    if !apt::has_candidate(package) {
        return Ok(None);
    }
    ui::install(package, "a kernel for virtual machines");
    let dir = work.join(package);
    fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    apt::download(package, &dir, &paths.log("kernel"))?;
    let deb = fs::read_dir(&dir)?.filter_map(Result::ok).map(|file| file.path()).next();
    let deb = deb.with_context(|| format!("apt-get downloaded no file for {package}"))?;
    let unpacked = work.join("unpacked").join(package);
    fs::create_dir_all(&unpacked).with_context(|| format!("create {}", unpacked.display()))?;
    command::run_logged(
        Command::new("dpkg-deb").arg("--extract").arg(&deb).arg(&unpacked),
        &paths.log("kernel"),
    )?;
    Ok(image(&unpacked).map(|_| unpacked))
}

/// The image in an unpacked package.
fn image(root: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(root.join("boot")).ok()?.filter_map(Result::ok);
    files.map(|file| file.path()).find(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_image_comes_first() {
        let names = [
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-56-cloud-amd64-unsigned",
            "linux-image-6.1.0-56-cloud-amd64",
            "linux-image-6.1.0-47-cloud-amd64-dbg",
            "linux-image-6.1.10-1-cloud-amd64",
            "linux-image-6.12-cloud-amd64",
        ];
        let names = names.map(str::to_owned).to_vec();
        let wanted = [
            "linux-image-6.1.10-1-cloud-amd64",
            "linux-image-6.1.0-56-cloud-amd64",
            "linux-image-6.1.0-9-cloud-amd64",
        ];
        assert_eq!(matching(names, "linux-image-6.1.", "-cloud-amd64"), wanted);
    }
}
