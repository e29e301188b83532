//! The names of files that follow each other.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use nix::{
    libc::O_NOFOLLOW,
    sys::statvfs::statvfs,
    unistd::{AccessFlags, access},
};

use crate::{OpenError, lines::open_remedy};

/// End of the names of files.
const SUFFIX: &str = ".ndjson";

/// Files `NAME-YYYYMMDD.ndjson`, `NAME-YYYYMMDD-1.ndjson` and so on in a directory.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    directory: PathBuf,
    name: String,
}

/// Day and number of a file: their order is that of time.
type Rank = (String, u32);

// === impl Series ===

impl Series {
    pub(crate) fn new(directory: PathBuf, name: String) -> Self {
        Self { directory, name }
    }

    /// Directory and beginning of the names, for messages.
    pub(crate) fn describe(&self) -> String {
        self.directory.join(format!("{}-*{SUFFIX}", self.name)).display().to_string()
    }

    /// Creates the next file.
    pub(crate) fn create(
        &self,
        now: SystemTime,
        mode: u32,
    ) -> Result<(PathBuf, fs::File), OpenError> {
        let day = day(now);
        let known = self.files().map_err(|error| failed(&self.directory, error))?;
        let of_day = known.iter().filter(|(rank, _)| rank.0 == day);
        let mut number = of_day.map(|(rank, _)| rank.1 + 1).max().unwrap_or(0);
        loop {
            let path = self.path(&day, number);
            let mut options = fs::OpenOptions::new();
            options.create_new(true).append(true).mode(mode).custom_flags(O_NOFOLLOW);
            match options.open(&path) {
                Ok(file) => return Ok((path, file)),
                // A link, or what was made meanwhile: its place is taken.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(failed(&path, error)),
            }
        }
    }

    /// Opens the newest file, if there is one that is a file and no link, and that ends with a whole document.
    pub(crate) fn newest(&self) -> Option<(PathBuf, fs::File)> {
        let files = self.files().ok()?;
        let (_, path) = files.into_iter().next_back()?;
        if !fs::symlink_metadata(&path).ok()?.is_file() {
            return None;
        }
        let mut options = fs::OpenOptions::new();
        options.read(true).append(true).custom_flags(O_NOFOLLOW);
        let file = options.open(&path).ok()?;
        ends_with_a_line(&file).ok()?.then_some((path, file))
    }

    /// Removes the oldest files, so that so many are left beside the active one.
    ///
    /// # Errors
    ///
    /// The first that could not be removed.
    pub(crate) fn remove_old(&self, active: &Path, keep: usize) -> io::Result<()> {
        let files = self.files()?;
        let others: Vec<&PathBuf> =
            files.iter().map(|(_, path)| path).filter(|path| *path != active).collect();
        let surplus = others.len().saturating_sub(keep);
        for path in others.into_iter().take(surplus) {
            match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Checks that files can be made in the directory.
    pub(crate) fn probe(&self) -> Result<Vec<String>, OpenError> {
        let meta = fs::metadata(&self.directory).map_err(|error| failed(&self.directory, error))?;
        if !meta.is_dir() {
            return Err(failed(&self.directory, ErrorKind::NotADirectory.into()));
        }
        access(&self.directory, AccessFlags::W_OK | AccessFlags::X_OK)
            .map_err(|errno| failed(&self.directory, errno.into()))?;
        let mut found = vec![format!("{} can be written to", self.directory.display())];
        if let Ok(disk) = statvfs(&self.directory) {
            #[allow(clippy::useless_conversion)] // words have 32 bits on other machines
            let free = u64::from(disk.blocks_available()) * u64::from(disk.fragment_size());
            found.push(format!("{} MiB are free", free >> 20));
        }
        Ok(found)
    }

    fn path(&self, day: &str, number: u32) -> PathBuf {
        let number = if number == 0 { String::new() } else { format!("-{number}") };
        self.directory.join(format!("{}-{day}{number}{SUFFIX}", self.name))
    }

    /// All files, the oldest first.
    fn files(&self) -> io::Result<Vec<(Rank, PathBuf)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            if let Some(rank) = entry.file_name().to_str().and_then(|name| self.rank(name)) {
                files.push((rank, entry.path()));
            }
        }
        files.sort();
        Ok(files)
    }

    fn rank(&self, file: &str) -> Option<Rank> {
        let rest = file.strip_prefix(&self.name)?.strip_prefix('-')?.strip_suffix(SUFFIX)?;
        let (day, number) = match rest.split_once('-') {
            Some((day, number)) => (day, number.parse().ok()?),
            None => (rest, 0),
        };
        let is_day = day.len() == 8 && day.bytes().all(|digit| digit.is_ascii_digit());
        is_day.then(|| (day.to_owned(), number))
    }
}

fn failed(path: &Path, source: io::Error) -> OpenError {
    let remedy = open_remedy(&source);
    OpenError::File { path: path.to_owned(), source, remedy }
}

/// Whether a file is empty or its last byte is a line feed: an agent that was killed may have left a part of a
/// document.
fn ends_with_a_line(file: &fs::File) -> io::Result<bool> {
    let Some(last) = file.metadata()?.len().checked_sub(1) else { return Ok(true) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte == *b"\n")
}

/// The day in UTC, as `20261130`.
fn day(time: SystemTime) -> String {
    let stamp = humantime::format_rfc3339_seconds(time).to_string();
    stamp.get(..10).unwrap_or_default().replace('-', "")
}
