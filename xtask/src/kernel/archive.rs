//! Kernels of Debian's archive.

use std::{
    cmp::Ordering,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{Entry, List, suite::Suite};
use crate::{command, paths::Paths, ui};

/// How many versions are tried: a suite that moves may name one that is half there.
const VERSIONS: usize = 4;

/// The cached image of a kernel; it is downloaded when there is none.
pub(super) fn ensure(paths: &Paths, list: &List, entry: &Entry) -> Result<PathBuf> {
    let kernels = paths.target().join("kernels");
    let cache = kernels.join(format!("{}-{}", entry.name, entry.arch));
    if let Some(image) = image(&cache) {
        return Ok(image);
    }
    fs::create_dir_all(&kernels).with_context(|| format!("create {}", kernels.display()))?;
    let work = tempfile::tempdir_in(&kernels).context("create a folder for the kernel")?;
    let (suite, sources) = list.suite(entry)?;
    let suite = Suite::open(paths, suite, &entry.arch, sources)?;
    let (prefix, suffix) = entry
        .package
        .split_once('*')
        .with_context(|| format!("ci/kernels.toml: package {} has no `*`", entry.package))?;
    let names = matching(suite.known(prefix)?, prefix, suffix);
    for package in names.iter().filter(|name| suite.offers(name)).take(VERSIONS) {
        for packages in [parts(&suite, package, suffix)?, vec![format!("{package}-unsigned")]] {
            if !packages.iter().all(|package| suite.offers(package)) {
                continue;
            }
            let unpacked = unpack(paths, &suite, &packages, work.path())?;
            if image(&unpacked).is_some() {
                // A name appears only with all of its content.
                fs::rename(&unpacked, &cache)
                    .with_context(|| format!("fill {}", cache.display()))?;
                return image(&cache).with_context(|| format!("no image in {}", cache.display()));
            }
        }
    }
    bail!("no package {} of {} holds a kernel image", entry.package, suite.name())
}

/// The package and those, on which it depends, that may hold image and modules in its place.
fn parts(suite: &Suite, package: &str, suffix: &str) -> Result<Vec<String>> {
    let mut parts = vec![package.to_owned()];
    parts.extend(suite.dependencies(package)?.into_iter().filter(|name| {
        let held = ["linux-binary-", "linux-modules-", "linux-base-", "linux-image-"];
        held.iter().any(|prefix| name.starts_with(prefix)) && name.ends_with(suffix)
    }));
    Ok(parts)
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

/// Downloads packages and unpacks them into one folder.
fn unpack(paths: &Paths, suite: &Suite, packages: &[String], work: &Path) -> Result<PathBuf> {
    ui::install(&packages.join(" "), "a kernel for virtual machines");
    let dir = tempfile::tempdir_in(work).context("create a folder for packages")?;
    suite.download(packages, dir.path())?;
    let unpacked = work.join(&packages[0]);
    fs::create_dir_all(&unpacked).with_context(|| format!("create {}", unpacked.display()))?;
    for file in fs::read_dir(dir.path()).context("list the downloaded packages")? {
        let file = file.context("list the downloaded packages")?.path();
        let mut extract = Command::new("dpkg-deb");
        command::run_logged(
            extract.arg("--extract").arg(file).arg(&unpacked),
            &paths.log("kernel"),
        )?;
    }
    Ok(unpacked)
}

/// The image in unpacked packages: beside the boot loader's files, or from 6.19 on beside its modules.
fn image(root: &Path) -> Option<PathBuf> {
    let files = |dir: PathBuf| fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let boot = files(root.join("boot")).map(|file| file.path()).find(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-"))
    });
    boot.or_else(|| {
        let mut folders = files(root.join("usr/lib/modules")).map(|folder| folder.path());
        folders.find_map(|folder| Some(folder.join("vmlinuz")).filter(|path| path.is_file()))
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
