//! The eBPF object.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{command, linker, paths::Paths, pins::Pins, toolchain};

/// Name of the crate and of the program it builds.
const CRATE: &str = "socket-ebpf";

/// Builds the object into the place where the agent's build looks for it.
pub(crate) fn object(paths: &Paths, pins: &Pins) -> Result<()> {
    let compiler = toolchain::ensure(paths, pins)?;
    let linker = linker::ensure(paths, pins)?;
    let mut cargo = compiler.cargo();
    cargo.arg("build");
    command::run(configure(&mut cargo, paths, pins, &linker)?).context("build the eBPF object")?;
    let built = paths.target().join("bpf").join(&pins.ebpf.target).join("release").join(CRATE);
    replace(&built, &paths.object())
}

/// Checks the eBPF programs with the linter of their compiler.
pub(crate) fn clippy(paths: &Paths, pins: &Pins) -> Result<()> {
    let compiler = toolchain::ensure(paths, pins)?;
    toolchain::ensure_clippy(paths, pins, &compiler)?;
    let linker = linker::ensure(paths, pins)?;
    let mut clippy = compiler.clippy();
    command::run(configure(&mut clippy, paths, pins, &linker)?.args(["--", "-D", "warnings"]))
}

/// Options that go to every command on the eBPF crate.
fn configure<'a>(
    cargo: &'a mut Command,
    paths: &Paths,
    pins: &Pins,
    linker: &Path,
) -> Result<&'a mut Command> {
    let linker = linker.to_str().context("the path of the workspace is not UTF-8")?;
    // Types and lines are what BTF, and with it every relocation, is made from.
    let flags = [&format!("-Clinker={linker}"), "-Clink-arg=--btf", "-Cdebuginfo=2"].join("\x1f");
    Ok(cargo
        .args(["--release", "-Zbuild-std=core", "--target", &pins.ebpf.target])
        .current_dir(paths.root().join(CRATE))
        .env("CARGO_TARGET_DIR", paths.target().join("bpf"))
        .env("CARGO_ENCODED_RUSTFLAGS", flags))
}

/// Copies a file unless it is the same: the agent is built anew whenever its object is newer.
fn replace(from: &Path, to: &Path) -> Result<()> {
    let new = fs::read(from).with_context(|| format!("read {}", from.display()))?;
    if !new.starts_with(b"\x7fELF") {
        bail!("{} is no object file; remove it and build again", from.display());
    }
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    fs::write(to, new).with_context(|| format!("write {}", to.display()))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn an_equal_object_keeps_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::write(&from, b"\x7fELF 1").unwrap();
        replace(&from, &to).unwrap();
        let past = SystemTime::UNIX_EPOCH;
        fs::File::open(&to).unwrap().set_modified(past).unwrap();

        replace(&from, &to).unwrap();
        assert_eq!(fs::metadata(&to).unwrap().modified().unwrap(), past);

        fs::write(&from, b"\x7fELF 2").unwrap();
        replace(&from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"\x7fELF 2");
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::write(&from, b"BC\xc0\xde").unwrap();
        assert!(replace(&from, &to).is_err());
        assert!(!to.exists());
    }
}
