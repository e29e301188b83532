//! Data of another project, which is not part of this one.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// A folder of the data, or a line that says that the test is skipped.
///
/// `AUDIT_TEST_DATA` names another place than `../shared/audit`.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let root = env::var_os("AUDIT_TEST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/audit"),
        PathBuf::from,
    );
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    // Not through `println!`, whose lines the test harness hides.
    let line = format!("skipped: {} is not here to compare with\n", folder.display());
    io::stderr().write_all(line.as_bytes()).unwrap();
    None
}

/// The files of a folder whose names end so, by name without the end.
pub(crate) fn files(folder: &Path, end: &str) -> Vec<(String, PathBuf)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.strip_suffix(end)?.to_owned();
            Some((name, path))
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{}: no {end}", folder.display());
    files
}
