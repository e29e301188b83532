//! Facts that a compiler reports about itself.

use std::{fmt, path::Path};

use super::{Origin, Toolchain};
use crate::command;

/// A compiler that can build the eBPF programs, or why it cannot.
pub(super) type Verdict = Result<Toolchain, Rejection>;

/// Why a compiler cannot build the eBPF programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    /// The compiler or its cargo is not there or does not run.
    Missing,
    /// The bitcode would not suit the linker.
    Llvm { found: Option<u32>, wanted: u32 },
    /// `core` cannot be built; of a compiler of this version.
    NoSources { release: String },
}

/// The facts of `rustc -vV`.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    release: String,
    llvm: Option<u32>,
}

/// Accepts a compiler that has the sources of `core` and the LLVM `wanted`.
pub(super) fn probe(cargo: &Path, rustc: &Path, origin: Origin, wanted: u32) -> Verdict {
    let ask = |arguments: &[&str]| {
        command::output(command::foreign(rustc).args(arguments)).map_err(|_| Rejection::Missing)
    };
    if !cargo.is_file() {
        return Err(Rejection::Missing);
    }
    let Version { release, llvm } = parse(&ask(&["-vV"])?);
    if llvm != Some(wanted) {
        return Err(Rejection::Llvm { found: llvm, wanted });
    }
    let sysroot = ask(&["--print", "sysroot"])?;
    let core = "lib/rustlib/src/rust/library/core/Cargo.toml";
    if !Path::new(sysroot.trim()).join(core).is_file() {
        return Err(Rejection::NoSources { release });
    }
    let nightly = release.ends_with("-nightly");
    Ok(Toolchain { cargo: cargo.to_owned(), rustc: rustc.to_owned(), nightly, origin, release })
}

fn parse(text: &str) -> Version {
    let field = |name| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let major = |version: &str| version.split('.').next().and_then(|major| major.parse().ok());
    Version {
        release: field("release:").unwrap_or_default().to_owned(),
        llvm: field("LLVM version:").and_then(major),
    }
}

// === impl Rejection ===

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "is missing"),
            Self::Llvm { found: Some(found), wanted } => {
                write!(f, "has LLVM {found} instead of {wanted}")
            }
            Self::Llvm { found: None, wanted } => write!(f, "does not name its LLVM ({wanted})"),
            Self::NoSources { .. } => write!(f, "lacks rust-src"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_version() {
        let text = "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)\nrelease: 1.97.0-nightly\nLLVM \
                    version: 22.1.4\n";
        let release = "1.97.0-nightly".to_owned();
        assert_eq!(parse(text), Version { release, llvm: Some(22) });
        let text = "release: 1.96.0\nLLVM version: 22.1\n";
        assert_eq!(parse(text), Version { release: "1.96.0".to_owned(), llvm: Some(22) });
        assert_eq!(parse("rustc 1.0"), Version { release: String::new(), llvm: None });
    }

    /// A compiler of a few shell lines, in a folder of its own.
    fn pretend(llvm: &str, sources: bool) -> tempfile::TempDir {
        use std::{fs, os::unix::fs::PermissionsExt as _};
        let dir = tempfile::tempdir().unwrap();
        let script = format!(
            "#!/bin/sh\ncase $1 in -vV) echo 'release: 1.96.0'; echo 'LLVM version: {llvm}';; \
             *) echo '{}';; esac\n",
            dir.path().display()
        );
        for name in ["rustc", "cargo"] {
            fs::write(dir.path().join(name), &script).unwrap();
            fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        if sources {
            let core = dir.path().join("lib/rustlib/src/rust/library/core");
            fs::create_dir_all(&core).unwrap();
            fs::write(core.join("Cargo.toml"), "").unwrap();
        }
        dir
    }

    fn judge(dir: &Path) -> Result<String, Rejection> {
        probe(&dir.join("cargo"), &dir.join("rustc"), Origin::Package, 22)
            .map(|found| found.release)
    }

    #[test]
    fn takes_only_a_compiler_with_sources_and_the_right_llvm() {
        let release = "1.96.0".to_owned();
        assert_eq!(judge(pretend("22.1.2", true).path()), Ok(release.clone()));
        let bare = Rejection::NoSources { release };
        assert_eq!(judge(pretend("22.1.2", false).path()), Err(bare));
        let other = Rejection::Llvm { found: Some(19), wanted: 22 };
        assert_eq!(judge(pretend("19.1.7", true).path()), Err(other));
        assert_eq!(judge(Path::new("/nonexistent")), Err(Rejection::Missing));
    }
}
