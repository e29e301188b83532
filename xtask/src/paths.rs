//! Paths of files and directories.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The workspace and what is kept in its target folder.
pub(crate) struct Paths {
    root: PathBuf,
}

// === impl Paths ===

impl Paths {
    /// The workspace that this program was built from.
    pub(crate) fn find() -> Result<Self> {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no workspace")?;
        Ok(Self { root: root.to_owned() })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Everything that is built or fetched; `cargo clean` removes it all.
    pub(crate) fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// Tools installed for the project; its `bin` holds them.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target().join("tools")
    }

    /// A tool that the project installs.
    pub(crate) fn tool(&self, name: &str) -> PathBuf {
        self.tools().join("bin").join(name)
    }

    /// The log of a silent step.
    pub(crate) fn log(&self, step: &str) -> PathBuf {
        self.target().join("logs").join(format!("{step}.log"))
    }

    /// Where the eBPF programs for kernels of an architecture are built; this machine's if there is none.
    pub(crate) fn ebpf(&self, arch: Option<&str>) -> PathBuf {
        let folder = arch.map_or_else(|| "bpf".to_owned(), |arch| format!("bpf-{arch}"));
        self.target().join(folder)
    }

    /// Where the objects of a compiler lie whose objects the agent does not embed.
    pub(crate) fn compiler(&self, name: &str) -> PathBuf {
        self.target().join("compilers").join(name)
    }

    /// The eBPF object for kernels before 5.8, which the agent's build embeds as well.
    pub(crate) fn early_object(&self, arch: Option<&str>) -> PathBuf {
        self.ebpf(arch).join("socket-ebpf-early.o")
    }

    /// The eBPF object whose programs log, which only a build for it embeds.
    pub(crate) fn log_object(&self, arch: Option<&str>) -> PathBuf {
        self.ebpf(arch).join("socket-ebpf-log.o")
    }

    /// The eBPF object, which the agent's build embeds.
    pub(crate) fn object(&self, arch: Option<&str>) -> PathBuf {
        self.ebpf(arch).join("socket-ebpf.o")
    }
}
