//! Kernels for virtual machines: which there are, where they come from, which modules they need.

mod archive;
mod elf;
mod list;
mod modules;
mod suite;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

pub(crate) use self::{
    list::{Entry, List},
    modules::Module,
};
use crate::paths::Paths;

/// A kernel that can be booted.
#[derive(Clone)]
pub(crate) struct Kernel {
    /// Name in reports and logs.
    pub(crate) name: String,
    /// Of the machine it runs on: x86_64, aarch64 or i386.
    pub(crate) arch: String,
    pub(crate) image: PathBuf,
    /// The modules to load, dependencies first.
    pub(crate) modules: Vec<Module>,
}

/// Takes a listed kernel from the cache, or downloads it.
pub(crate) fn ensure(paths: &Paths, list: &List, entry: &Entry) -> Result<Kernel> {
    let image = archive::ensure(paths, list, entry)?;
    Kernel::new(entry.name.clone(), &entry.arch, image, list)
}

/// Takes any kernel image.
pub(crate) fn from_image(image: &Path, arch: &str, list: &List) -> Result<Kernel> {
    if !image.is_file() {
        bail!(
            "there is no kernel image {}: --kernel-image takes a bzImage file, for arm64 an Image",
            image.display()
        );
    }
    let image = image.canonicalize().with_context(|| format!("find {}", image.display()))?;
    let name = image.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
    Kernel::new(name, arch, image, list)
}

// === impl Kernel ===

impl Kernel {
    fn new(name: String, arch: &str, image: PathBuf, list: &List) -> Result<Self> {
        let modules = match modules::folder(&image) {
            Some(folder) => modules::closure(&folder, &list.modules)
                .with_context(|| format!("modules of kernel {name}"))?,
            None => Vec::new(),
        };
        Ok(Self { name, arch: arch.to_owned(), image, modules })
    }
}
