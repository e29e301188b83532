//! Toolchains that rustup manages.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    Origin,
    probe::{Rejection, Verdict, probe},
};
use crate::command;

/// The program, as it is found in PATH or named.
#[derive(Debug)]
pub(super) struct Rustup(PathBuf);

// === impl Rustup ===

impl Rustup {
    /// That of PATH; the error follows "since".
    pub(super) fn find() -> Result<Self, String> {
        command::find("rustup").map(Self).ok_or_else(|| "there is no rustup".to_owned())
    }

    /// Its toolchains, each judged: those of the version first, nightly ones last.
    pub(super) fn toolchains(&self, version: &str, llvm: u32) -> Vec<(String, Verdict)> {
        let list = command::output(self.command().args(["toolchain", "list"])).unwrap_or_default();
        names(&list, version)
            .into_iter()
            .map(|name| {
                let verdict = self.inspect(&name, llvm);
                (name, verdict)
            })
            .collect()
    }

    /// Fetches a version: compiler, cargo, the library and its sources.
    pub(super) fn fetch(&self, version: &str) -> anyhow::Result<()> {
        let mut rustup = self.command();
        rustup.args(["toolchain", "install", version, "--no-self-update"]);
        rustup.args(["--profile", "minimal", "--component", "rust-src"]);
        command::output(&mut rustup).map(drop)
    }

    /// Adds a component to a toolchain.
    pub(super) fn add(&self, component: &str, name: &str) -> anyhow::Result<()> {
        command::output(self.command().args(["component", "add", component, "--toolchain", name]))
            .map(drop)
    }

    fn inspect(&self, name: &str, llvm: u32) -> Verdict {
        let mut which = self.command();
        which.args(["which", "--toolchain", name, "rustc"]);
        let rustc = command::output(&mut which).map_err(|_| Rejection::Missing)?;
        let rustc = PathBuf::from(rustc.trim());
        let cargo = rustc.parent().unwrap_or(Path::new("/")).join("cargo");
        probe(&cargo, &rustc, Origin::Rustup(name.to_owned()), llvm)
    }

    fn command(&self) -> Command {
        command::foreign(&self.0)
    }
}

fn names(list: &str, version: &str) -> Vec<String> {
    // "stable-x86_64-unknown-linux-gnu (active, default)"; without any, a sentence.
    let mut names: Vec<String> = list
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| name.contains('-'))
        .map(str::to_owned)
        .collect();
    let pinned = format!("{version}-");
    names.sort_by_key(|name| (!name.starts_with(&pinned), name.starts_with("nightly")));
    names
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn the_pinned_name_comes_first_and_nightly_last() {
        let list = "stable-x86_64-unknown-linux-gnu (active, default)\n\
                    nightly-x86_64-unknown-linux-gnu\n1.95.0-x86_64-unknown-linux-gnu\n";
        let wanted = ["1.95.0", "stable", "nightly"];
        assert_eq!(
            names(list, "1.95.0"),
            wanted.map(|channel| format!("{channel}-x86_64-unknown-linux-gnu"))
        );
        assert!(names("no installed toolchains", "1.95.0").is_empty());
    }

    /// A rustup of a few lines, that knows the toolchains below a folder.
    const SCRIPT: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo "$*" >>log
make() {
    mkdir -p "$1/bin"
    printf '#!/bin/sh\ncase $1 in -vV) echo "release: 1.95.0"; echo "LLVM version: 22.1.2";; *) echo %s;; esac\n' \
        "$PWD/$1" >"$1/bin/rustc"
    cp "$1/bin/rustc" "$1/bin/cargo"
    chmod +x "$1/bin/rustc" "$1/bin/cargo"
}
sources() {
    mkdir -p "$1/lib/rustlib/src/rust/library/core"
    touch "$1/lib/rustlib/src/rust/library/core/Cargo.toml"
}
case "$1 $2" in
"toolchain list") ls -d *-here 2>/dev/null || echo "no installed toolchains" ;;
"toolchain install") make "$3-here" && sources "$3-here" ;;
"component add") sources "$5" ;;
"which --toolchain") echo "$PWD/$3/bin/rustc" ;;
*) exit 1 ;;
esac
"#;

    #[test]
    fn a_version_is_fetched_and_completed() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("rustup");
        fs::write(&program, SCRIPT).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let rustup = Rustup(program);
        assert!(rustup.toolchains("1.95.0", 22).is_empty());

        rustup.fetch("1.95.0").unwrap();
        let list = rustup.toolchains("1.95.0", 22);
        assert_eq!(list.len(), 1);
        assert_eq!(list[0].1.as_ref().unwrap().release, "1.95.0");

        fs::remove_dir_all(dir.path().join("1.95.0-here/lib")).unwrap();
        let bare = Rejection::NoSources { release: "1.95.0".to_owned() };
        assert_eq!(rustup.toolchains("1.95.0", 22)[0].1.as_ref().unwrap_err(), &bare);
        rustup.add("rust-src", "1.95.0-here").unwrap();
        assert!(rustup.toolchains("1.95.0", 22)[0].1.is_ok());

        let log = fs::read_to_string(dir.path().join("log")).unwrap();
        let install =
            "toolchain install 1.95.0 --no-self-update --profile minimal --component rust-src";
        assert!(log.lines().any(|line| line == install), "{log}");
    }
}
