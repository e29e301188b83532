//! Attempts to fetch something that have failed a short while ago: each takes its time without a network, and
//! would take it again with every command.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use crate::paths::Paths;

/// How long nothing that failed is tried again.
const PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// Where they are kept, one file each, which holds the reason.
pub(super) struct Attempts(PathBuf);

// === impl Attempts ===

impl Attempts {
    pub(super) fn of(paths: &Paths) -> Self {
        Self(paths.target().join("attempts"))
    }

    /// Does something, unless it has failed a short while ago: then it fails for the same reason.
    pub(super) fn once<T>(
        &self,
        what: &str,
        act: impl FnOnce() -> anyhow::Result<T>,
    ) -> Result<T, String> {
        let file = self.0.join(what);
        if let Some(reason) = self.recent(&file) {
            return Err(format!(
                "{reason}; tried less than a day ago, `cargo xtask setup` tries again"
            ));
        }
        act().map_err(|error| {
            let reason = format!("{error:#}");
            // Without it the next command tries again.
            let _ = fs::create_dir_all(&self.0).and_then(|()| fs::write(&file, &reason));
            reason
        })
    }

    /// Forgets all of them.
    pub(super) fn forget(&self) {
        // What cannot be removed is old enough tomorrow.
        let _ = fs::remove_dir_all(&self.0);
    }

    fn recent(&self, file: &PathBuf) -> Option<String> {
        let failed = fs::metadata(file).and_then(|file| file.modified()).ok()?;
        let age = SystemTime::now().duration_since(failed).ok()?;
        fs::read_to_string(file).ok().filter(|_| age < PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn what_has_failed_is_not_tried_again_for_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let attempts = Attempts(dir.path().join("attempts"));
        let mut tries = 0;
        let mut fail = || {
            attempts.once("fetch", || -> anyhow::Result<()> {
                tries += 1;
                bail!("no network")
            })
        };
        assert_eq!(fail(), Err("no network".to_owned()));
        assert!(fail().unwrap_err().starts_with("no network; tried less than a day ago"));

        let file = fs::File::open(dir.path().join("attempts/fetch")).unwrap();
        file.set_modified(SystemTime::now() - PAUSE).unwrap();
        assert_eq!(fail(), Err("no network".to_owned()));
        attempts.forget();
        assert_eq!(fail(), Err("no network".to_owned()));
        assert_eq!(tries, 3);
        attempts.forget();
        assert_eq!(attempts.once("fetch", || Ok(1)), Ok(1));
    }
}
