//! Paths of `-w` and `-W`.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path};

use super::Fault;
use crate::rules::{
    field::Field,
    host::{PathKind, Paths},
    layout::MAX_TEXT,
};

/// Longest name of a file.
const MAX_NAME: usize = 255;

/// The field and the text that a watched path becomes: `dir` for what is a directory now, else
/// `path`; slashes at the end are left out.
pub(super) fn target(
    path: &[u8],
    column: usize,
    paths: &dyn Paths,
    faults: &mut Vec<Fault>,
) -> Option<(Field, Vec<u8>)> {
    if let Some(message) = refused(path) {
        faults.push(Fault::error(column, message));
        return None;
    }
    if path.windows(2).any(|pair| pair == b"..") {
        faults.push(Fault::warning(
            column,
            "the kernel does not resolve ..: write the path it means",
        ));
    }
    if path.iter().any(|byte| b"*?".contains(byte)) {
        faults.push(Fault::warning(
            column,
            "the kernel knows no wildcards: * and ? are taken as they are",
        ));
    }
    let trimmed = match path.iter().rposition(|byte| *byte != b'/') {
        Some(last) => path.get(..=last).unwrap_or(path),
        None => b"/",
    };
    let field = if is_directory(trimmed, paths) { Field::DIR } else { Field::PATH };
    if field == Field::PATH && trimmed == b"/" {
        faults.push(Fault::error(
            column,
            "/ is not a directory here: watch a file or directory below",
        ));
        return None;
    }
    faults.extend(missing(field, trimmed, paths).map(|message| Fault::warning(column, message)));
    Some((field, trimmed.to_vec()))
}

/// What has to be there for the kernel to take a path: a directory itself, of a file its directory.
pub(super) fn missing(field: Field, path: &[u8], paths: &dyn Paths) -> Option<String> {
    let directory = field.needs_directory(path)?;
    (!is_directory(directory, paths)).then(|| {
        format!(
            "there is no directory {} now, and the kernel refuses the rule until there is: create \
             it first",
            String::from_utf8_lossy(directory)
        )
    })
}

fn is_directory(path: &[u8], paths: &dyn Paths) -> bool {
    paths.kind(Path::new(OsStr::from_bytes(path))) == PathKind::Directory
}

/// Why `-w` does not take a path.
pub(in crate::rules) fn refused(path: &[u8]) -> Option<String> {
    if path.first() != Some(&b'/') {
        return Some(format!(
            "`{}` is not an absolute path: begin it with /",
            String::from_utf8_lossy(path)
        ));
    }
    if path.len() >= MAX_TEXT {
        return Some(format!(
            "the path is {} bytes long: at most {} are allowed",
            path.len(),
            MAX_TEXT - 1
        ));
    }
    let name = path.split(|byte| *byte == b'/').rfind(|name| !name.is_empty()).unwrap_or_default();
    (name.len() > MAX_NAME).then(|| {
        format!(
            "the last name in the path is {} bytes long: at most {MAX_NAME} are allowed",
            name.len()
        )
    })
}
