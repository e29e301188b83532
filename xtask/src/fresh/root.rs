//! The root of a fresh machine: Debian's packages, a clone of the workspace and the rustup that is here.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{command, paths::Paths, ui};

/// The release of Debian.
pub(super) const SUITE: &str = "bookworm";

/// Path of the clone in the root.
const CLONE: &str = "/root/socket-agent";

/// How programs in it find the network: of this machine, and no other variable of it.
const NETWORK: [&str; 12] = [
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "RUSTUP_DIST_SERVER",
    "RUSTUP_UPDATE_ROOT",
    "CARGO_HTTP_PROXY",
    "CARGO_HTTP_CAINFO",
];

/// Makes a folder the root of a mount namespace of its own, and starts a command there. A mere chroot would not do:
/// the kernel refuses user namespaces in one, which some tests make.
const ENTER: &str = r#"set -eu
root=$1
shift
mount --bind "$root" "$root"
for folder in proc sys dev; do mount --rbind "/$folder" "$root/$folder"; done
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
cd "$root"
mkdir -p .host
pivot_root . .host
exec chroot . /bin/sh -c 'umount -l /.host; rmdir /.host; cd "$1"; shift; exec "$@" 2>&1' sh "$@"
"#;

/// A root folder.
pub(super) struct Root {
    dir: PathBuf,
    /// Where rustup keeps its programs and its toolchains, here as there.
    cargo_home: PathBuf,
    rustup_home: PathBuf,
}

// === impl Root ===

impl Root {
    /// Makes it anew.
    pub(super) fn make(paths: &Paths, sources: &[String], packages: &[String]) -> Result<Self> {
        let home = || env::var_os("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from);
        let folder_of = |variable, folder: &str| {
            env::var_os(variable).map_or_else(|| home().join(folder), PathBuf::from)
        };
        let root = Self {
            dir: paths.target().join("fresh/root"),
            cargo_home: folder_of("CARGO_HOME", ".cargo"),
            rustup_home: folder_of("RUSTUP_HOME", ".rustup"),
        };
        root.remove()?;
        root.debian(paths, sources, packages)?;
        root.rust()?;
        root.clone_of(paths)?;
        Ok(root)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A place in it by its absolute path there.
    pub(super) fn within(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.dir.join(path.strip_prefix("/").unwrap_or(path))
    }

    pub(super) fn toolchains(&self) -> PathBuf {
        self.within(&self.rustup_home).join("toolchains")
    }

    /// Tools that the project has built for itself.
    pub(super) fn tools(&self) -> PathBuf {
        self.within(CLONE).join("target/tools/bin")
    }

    /// Debian's own version, such as 12.11.
    pub(super) fn version(&self) -> String {
        let version = fs::read_to_string(self.within("/etc/debian_version"));
        version.map_or_else(|_| SUITE.to_owned(), |version| version.trim().to_owned())
    }

    /// The commit that the clone stands at.
    pub(super) fn commit(&self) -> String {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.within(CLONE)).args(["rev-parse", "--short", "HEAD"]);
        command::output(&mut git).map_or_else(|_| "?".to_owned(), |commit| commit.trim().to_owned())
    }

    /// A command in the clone. Standard error goes where standard output does.
    pub(super) fn command(&self, line: &[&str]) -> Command {
        let path = format!(
            "{}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            self.cargo_home.display()
        );
        let mut unshare = Command::new("unshare");
        unshare
            .env_clear()
            .envs(NETWORK.iter().filter_map(|name| Some((name, env::var_os(name)?))))
            .env("HOME", "/root")
            .env("PATH", path)
            .env("CARGO_HOME", &self.cargo_home)
            .env("RUSTUP_HOME", &self.rustup_home)
            .args(["--mount", "--propagation", "private", "sh", "-c", ENTER, "sh"])
            .arg(&self.dir)
            .arg(CLONE)
            .args(line);
        unshare
    }

    /// Removes it, if it is there. What is mounted in it is so in namespaces that are gone.
    pub(super) fn remove(&self) -> Result<()> {
        let mut remove = Command::new("rm");
        command::run(remove.args(["-rf", "--one-file-system"]).arg(&self.dir))
    }

    fn debian(&self, paths: &Paths, sources: &[String], packages: &[String]) -> Result<()> {
        ui::install(&format!("a root of Debian's {SUITE}"), "the commands run in it");
        let parent = self.dir.parent().context("the root has no parent")?;
        fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
        let options = parent.join("apt.conf");
        fs::write(&options, network_of(&command::output(Command::new("apt-config").arg("dump"))?))
            .with_context(|| format!("write {}", options.display()))?;
        let mut mmdebstrap = Command::new("mmdebstrap");
        mmdebstrap
            .arg("--variant=minbase")
            .arg(format!("--include={}", packages.join(",")))
            .arg(format!("--aptopt={}", options.display()))
            .arg(SUITE)
            .arg(&self.dir)
            .args(sources.iter().map(|line| format!("deb {line}")));
        command::run_logged(&mut mmdebstrap, &paths.log("fresh-root"))?;
        for file in ["/etc/resolv.conf", "/etc/hosts"] {
            if Path::new(file).exists() {
                fs::copy(file, self.within(file)).with_context(|| format!("copy {file}"))?;
            }
        }
        self.trust()
    }

    /// The certificates that this machine trusts beside Debian's.
    fn trust(&self) -> Result<()> {
        const OWN: &str = "/usr/local/share/ca-certificates";
        if fs::read_dir(OWN).is_ok_and(|mut files| files.next().is_some()) {
            copy(Path::new(OWN), &self.within("/usr/local/share"))?;
            let mut update = Command::new("chroot");
            command::output(update.arg(&self.dir).arg("update-ca-certificates"))?;
        }
        Ok(())
    }

    fn rust(&self) -> Result<()> {
        for folder in [self.cargo_home.join("bin"), self.rustup_home.clone()] {
            let to = self.within(folder.parent().unwrap_or(Path::new("/")));
            fs::create_dir_all(&to).with_context(|| format!("create {}", to.display()))?;
            copy(&folder, &to)?;
        }
        let registry = self.cargo_home.join("config.toml");
        if registry.exists() {
            fs::copy(&registry, self.within(&registry)).context("copy cargo's configuration")?;
        }
        Ok(())
    }

    fn clone_of(&self, paths: &Paths) -> Result<()> {
        let mut status = Command::new("git");
        status.args(["status", "--porcelain"]).current_dir(paths.root());
        if !command::output(&mut status)?.is_empty() {
            ui::note("what is not committed is not in the clone");
        }
        let mut git = Command::new("git");
        git.args(["clone", "--quiet", "--no-hardlinks"]);
        command::run(git.arg(paths.root()).arg(self.within(CLONE)))
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    command::run(Command::new("cp").arg("-a").arg(from).arg(to))
}

/// Of apt's configuration what says how servers are reached.
fn network_of(dump: &str) -> String {
    let names = ["Acquire::http", "Acquire::https", "Acquire::Retries", "Acquire::Check-"];
    dump.lines()
        .filter(|line| names.iter().any(|name| line.starts_with(name)))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_how_servers_are_reached_is_taken_from_apt() {
        let dump = "APT::Architecture \"amd64\";\nAcquire::http::Proxy \"http://cache:3142\";\n\
                    Acquire::Check-Valid-Until \"false\";\nDPkg::Post-Invoke \"\";\n";
        assert_eq!(
            network_of(dump),
            "Acquire::http::Proxy \"http://cache:3142\";\nAcquire::Check-Valid-Until \"false\";\n"
        );
    }

    #[test]
    fn paths_lie_below_the_root() {
        let root = Root {
            dir: "/x".into(),
            cargo_home: "/root/.cargo".into(),
            rustup_home: "/root/.rustup".into(),
        };
        assert_eq!(root.toolchains(), Path::new("/x/root/.rustup/toolchains"));
    }
}
