//! What each part of the work took the last time, kept under `target/`.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};

use crate::paths::Paths;

/// Seconds of each part, by name.
#[derive(Debug)]
pub(super) struct Times {
    file: PathBuf,
    seconds: BTreeMap<String, f64>,
}

// === impl Times ===

impl Times {
    /// Reads what is kept; nothing if that is not there or cannot be understood.
    pub(super) fn read(paths: &Paths) -> Self {
        Self::open(paths.target().join("test-times.json"))
    }

    fn open(file: PathBuf) -> Self {
        let seconds = fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Self { file, seconds: seconds.unwrap_or_default() }
    }

    pub(super) fn of(&self, name: &str) -> Option<Duration> {
        self.seconds.get(name).and_then(|seconds| Duration::try_from_secs_f64(*seconds).ok())
    }

    /// Keeps what a part took.
    pub(super) fn keep(&mut self, name: &str, took: Duration) -> Result<()> {
        // Tenths do for people who look into the file.
        self.seconds.insert(name.to_owned(), (took.as_secs_f64() * 10.0).round() / 10.0);
        let text = serde_json::to_string_pretty(&self.seconds).context("write times as JSON")?;
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        }
        fs::write(&self.file, text).with_context(|| format!("write {}", self.file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_kept_until_the_next_run() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("new/times.json");
        let mut times = Times::open(file.clone());
        assert_eq!(times.of("clippy"), None);
        times.keep("clippy", Duration::from_millis(20_040)).unwrap();
        times.keep("build", Duration::from_secs(3)).unwrap();
        times.keep("build", Duration::from_secs(4)).unwrap();
        let times = Times::open(file);
        assert_eq!(times.of("clippy"), Some(Duration::from_secs(20)));
        assert_eq!(times.of("build"), Some(Duration::from_secs(4)));
    }

    #[test]
    fn a_file_that_is_damaged_is_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("times.json");
        fs::write(&file, "{\"clippy\": -1, \"build\"").unwrap();
        assert_eq!(Times::open(file.clone()).of("clippy"), None);
        fs::write(&file, "{\"clippy\": -1}").unwrap();
        assert_eq!(Times::open(file).of("clippy"), None);
    }
}
