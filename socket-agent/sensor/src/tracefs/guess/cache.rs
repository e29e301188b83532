//! What was found is kept for the next start of the same kernel.

use std::{collections::BTreeMap, fmt::Write as _, fs, io, path::Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::tracefs::{
    offsets::{Member, MemberLayout, Offsets},
    probe::Shapes,
};

const FILE: &str = "tracefs-offsets.json";
/// Raised when guesses find more, or better.
const VERSION: u32 = 5;

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    version: u32,
    kernel: String,
    offsets: BTreeMap<String, (u32, u8)>,
    shapes: Shapes,
    /// Guesses that failed, with the reason. They are tried again after a boot.
    failed: BTreeMap<String, String>,
    boot: String,
}

/// Contents of the file: offsets, and guesses that failed with the reason.
pub(super) type Kept = (Offsets, Shapes, BTreeMap<String, String>);

/// What distinguishes this kernel from others: its build id and release.
pub(super) fn key() -> String {
    let mut hash = Sha256::new();
    for file in ["/sys/kernel/notes", "/proc/version"] {
        // Without one of them the other has to do.
        hash.update(fs::read(file).unwrap_or_default());
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What was found for a kernel, if it is kept in a directory.
pub(super) fn load(state: &Path, key: &str) -> Option<Kept> {
    let text = fs::read(state.join(FILE)).ok()?;
    let stored: Stored = serde_json::from_slice(&text).ok()?;
    if stored.version != VERSION || stored.kernel != key {
        return None;
    }
    if !stored.failed.is_empty() && stored.boot != boot() {
        return None;
    }
    let mut offsets = Offsets::default();
    for member in Member::ALL {
        if let Some((offset, size)) = stored.offsets.get(&format!("{member:?}")) {
            offsets.set(*member, MemberLayout { offset: *offset, size: *size });
        }
    }
    Some((offsets, stored.shapes, stored.failed))
}

/// Id of this boot.
fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

/// Keeps what was found.
///
/// # Errors
///
/// The file cannot be written.
pub(super) fn save(state: &Path, key: &str, (offsets, shapes, failed): &Kept) -> io::Result<()> {
    let offsets_by_name = Member::ALL.iter().filter_map(|member| {
        offsets.get(*member).map(|layout| (format!("{member:?}"), (layout.offset, layout.size)))
    });
    let stored = Stored {
        version: VERSION,
        kernel: key.to_owned(),
        offsets: offsets_by_name.collect(),
        shapes: shapes.clone(),
        failed: failed.clone(),
        boot: boot(),
    };
    let path = state.join(FILE);
    let failed = |error: io::Error| io::Error::other(format!("{}: {error}", path.display()));
    fs::create_dir_all(state).map_err(failed)?;
    // Moved into place, so that a start meanwhile does not read half of it.
    let fresh = path.with_extension("new");
    fs::write(&fresh, serde_json::to_vec(&stored)?).map_err(failed)?;
    fs::rename(&fresh, &path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_kernel_is_served() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let mut offsets = Offsets::default();
        offsets.set(Member::SkcDaddr, MemberLayout { offset: 8, size: 4 });
        let shapes = Shapes { output_buffer: 1, ..Shapes::default() };
        let failed = BTreeMap::from([("segments".to_owned(), "not seen".to_owned())]);
        let kept = (offsets, shapes, failed);
        save(&state, "one", &kept).unwrap();
        assert_eq!(load(&state, "one"), Some(kept));
        assert_eq!(load(&state, "two"), None);
        let text = fs::read_to_string(state.join(FILE)).unwrap();
        fs::write(state.join(FILE), text.replace("\"boot\":\"", "\"boot\":\"another")).unwrap();
        assert_eq!(load(&state, "one"), None, "what failed is tried again after a boot");
        fs::write(state.join(FILE), "{").unwrap();
        assert_eq!(load(&state, "one"), None);
        assert_eq!(key().len(), 64);
    }
}
