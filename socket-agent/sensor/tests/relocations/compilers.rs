//! Objects that `cargo xtask test` has had built by other compilers than the one whose objects the agent
//! embeds.

use std::{fs, path::Path};

use crate::{kernel, targets::skip};

/// One of them.
pub(crate) struct Built {
    /// Compiler and file.
    pub(crate) name: String,
    pub(crate) object: Vec<u8>,
    /// For kernels before 5.8.
    pub(crate) early: bool,
}

/// All that are there, two of each compiler; says so if there is none.
pub(crate) fn others() -> Vec<Built> {
    let folder = kernel::workspace("target/compilers");
    let mut found = Vec::new();
    let entries =
        fs::read_dir(&folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    for compiler in entries.filter(|path| path.is_dir()) {
        for (file, early) in [("socket-ebpf.o", false), ("socket-ebpf-early.o", true)] {
            found.push(read(&compiler, file, early));
        }
    }
    if found.is_empty() {
        skip(&format!(
            "no objects of other compilers in {}: `cargo xtask test` builds them",
            folder.display()
        ));
    }
    found
}

fn read(compiler: &Path, file: &str, early: bool) -> Built {
    let path = compiler.join(file);
    let object = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let compiler = compiler.file_name().unwrap_or_default().to_string_lossy();
    Built { name: format!("{compiler}, {file}"), object, early }
}
