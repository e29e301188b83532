//! A kernel's modules and their order.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use super::elf;
use crate::ui;

/// A module, unpacked: not every kernel can unpack one by itself.
#[derive(Clone)]
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) data: Vec<u8>,
}

/// The module folder that belongs to a kernel image, if it is where distributions put it.
pub(super) fn folder(image: &Path) -> Option<PathBuf> {
    if image.file_name()? == "vmlinuz" {
        // Newer packages keep the image among its modules.
        return image.parent().filter(|folder| folder.join("kernel").is_dir()).map(Into::into);
    }
    let release = image.file_name()?.to_str()?.strip_prefix("vmlinuz-")?;
    let root = image.parent()?.parent()?;
    let folders = ["lib/modules", "usr/lib/modules"].map(|dir| root.join(dir).join(release));
    folders.into_iter().find(|folder| folder.is_dir())
}

/// The wanted modules and all they depend on, in the order they can be loaded.
pub(super) fn closure(folder: &Path, wanted: &[String]) -> Result<Vec<Module>> {
    let index = Index::read(folder)?;
    let mut order = Order { index: &index, seen: HashSet::new(), modules: Vec::new() };
    for name in wanted {
        if index.files.contains_key(name) || index.builtin.contains(name) {
            order.add(name)?;
        } else {
            ui::note(&format!("there is no module {name} in {}", folder.display()));
        }
    }
    Ok(order.modules)
}

/// Paths of the modules of a kernel.
struct Index {
    files: HashMap<String, PathBuf>,
    builtin: HashSet<String>,
}

/// Modules in the order of their dependencies.
struct Order<'a> {
    index: &'a Index,
    seen: HashSet<String>,
    modules: Vec<Module>,
}

// === impl Index ===

impl Index {
    fn read(folder: &Path) -> Result<Self> {
        let mut files = HashMap::new();
        collect(folder, &mut files)?;
        let builtin = fs::read_to_string(folder.join("modules.builtin")).unwrap_or_default();
        let builtin = builtin.lines().filter_map(|line| name(Path::new(line))).collect();
        Ok(Self { files, builtin })
    }
}

// === impl Order ===

impl Order<'_> {
    fn add(&mut self, name: &str) -> Result<()> {
        if self.index.builtin.contains(name) || !self.seen.insert(name.to_owned()) {
            return Ok(());
        }
        let Some(path) = self.index.files.get(name) else {
            bail!("module {name}, on which another depends, is missing");
        };
        let data = unpack(path)?;
        let needs = elf::dependencies(&data).with_context(|| path.display().to_string())?;
        for needed in needs {
            self.add(&needed)?;
        }
        self.modules.push(Module { name: name.to_owned(), data });
        Ok(())
    }
}

fn collect(dir: &Path, files: &mut HashMap<String, PathBuf>) -> Result<()> {
    for file in fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
        let file = file.with_context(|| format!("list {}", dir.display()))?;
        let kind = file.file_type().with_context(|| file.path().display().to_string())?;
        if kind.is_dir() {
            collect(&file.path(), files)?;
        } else if let Some(name) = name(&file.path()) {
            files.insert(name, file.path());
        }
    }
    Ok(())
}

/// The kernel's name of a module file: `net/tcp-diag.ko.xz` is tcp_diag.
fn name(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    let (stem, packing) = file.rsplit_once(".ko")?;
    matches!(packing, "" | ".xz" | ".zst").then(|| stem.replace('-', "_"))
}

fn unpack(path: &Path) -> Result<Vec<u8>> {
    let raw = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let failed = || format!("unpack {}", path.display());
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => {
            let mut data = Vec::new();
            lzma_rs::xz_decompress(&mut raw.as_slice(), &mut data).with_context(failed)?;
            Ok(data)
        }
        Some("zst") => {
            let mut data = Vec::new();
            let mut decoder =
                ruzstd::decoding::StreamingDecoder::new(raw.as_slice()).with_context(failed)?;
            std::io::Read::read_to_end(&mut decoder, &mut data).with_context(failed)?;
            Ok(data)
        }
        _ => Ok(raw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_kernels() {
        let names = ["a/tcp-diag.ko", "veth.ko.xz", "x_y.ko.zst"].map(|path| name(Path::new(path)));
        assert_eq!(names, ["tcp_diag", "veth", "x_y"].map(|name| Some(name.to_owned())));
        for other in ["modules.order", "a.ko.gz", "notes.kobold"] {
            assert_eq!(name(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn modules_belong_to_the_image_beside_them() {
        let dir = tempfile::tempdir().unwrap();
        let modules = dir.path().join("usr/lib/modules/6.1.0-1");
        fs::create_dir_all(&modules).unwrap();
        assert_eq!(folder(&dir.path().join("boot/vmlinuz-6.1.0-1")), Some(modules.clone()));
        assert_eq!(folder(&dir.path().join("boot/vmlinuz-6.1.0-2")), None);
        assert_eq!(folder(Path::new("bzImage")), None);
        assert_eq!(folder(&modules.join("vmlinuz")), None);
        fs::create_dir(modules.join("kernel")).unwrap();
        assert_eq!(folder(&modules.join("vmlinuz")), Some(modules));
    }
}
