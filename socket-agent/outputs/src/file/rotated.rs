//! A series of files, each up to a size.

use std::{
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use pipeline::{Backoff, Delivery, Failure, Output};

use super::{Options, series::Series};
use crate::{
    OpenError,
    codec::Codec,
    lines::{LineWriter, Wrote, write_remedy},
};

/// Documents as lines in files, of which a new one begins at a size, and of which the oldest are removed.
#[derive(Debug)]
pub(crate) struct Rotated {
    series: Series,
    name: String,
    codec: Codec,
    /// Bytes that a file may have.
    limit: u64,
    keep: usize,
    mode: u32,
    /// The file that is written; `None` until the next one has been made.
    active: Option<Active>,
    /// Whether it was said that old files cannot be removed.
    reported: bool,
}

#[derive(Debug)]
struct Active {
    path: PathBuf,
    writer: LineWriter,
}

// === impl Rotated ===

impl Rotated {
    /// Makes the first file, or opens the newest one, as the options say.
    pub(crate) fn open(series: Series, options: &Options, codec: Codec) -> Result<Self, OpenError> {
        let mut output = Self {
            name: format!("file {}", series.describe()),
            series,
            codec,
            limit: u64::from(options.rotate_every_kb) << 10,
            keep: options.number_of_files as usize,
            mode: options.permissions,
            active: None,
            reported: false,
        };
        let newest = if options.rotate_on_startup { None } else { output.series.newest() };
        match newest {
            Some((path, file)) => {
                output.active = Some(Active { path, writer: LineWriter::new(file) });
            }
            None => output.rotate()?,
        }
        Ok(output)
    }

    /// Begins a new file.
    fn rotate(&mut self) -> Result<(), OpenError> {
        self.active = None;
        let (path, file) = self.series.create(SystemTime::now(), self.mode)?;
        if let Err(error) = self.series.remove_old(&path, self.keep)
            && !self.reported
        {
            self.reported = true;
            log::warn!(target: "output", "{}: old files cannot be removed: {error}; remove them", self.name);
        }
        self.active = Some(Active { path, writer: LineWriter::new(file) });
        Ok(())
    }
}

impl Output for Rotated {
    fn name(&self) -> &str {
        &self.name
    }

    fn publish(&mut self, delivery: &mut Delivery) -> Result<(), Failure> {
        loop {
            if self.active.as_ref().is_none_or(Active::is_gone) {
                self.rotate().map_err(|error| Failure::retry(error.to_string()))?;
            }
            let Some(active) = &mut self.active else {
                return Err(Failure::retry("no file is open"));
            };
            let size = active.writer.file().metadata().map_or(0, |meta| meta.len());
            let capacity = self.limit.saturating_sub(size);
            match active.writer.write(delivery, &self.codec, capacity, size == 0) {
                Ok(Wrote::All) => return Ok(()),
                Ok(Wrote::Full) => {
                    self.rotate().map_err(|error| Failure::retry(error.to_string()))?;
                }
                Err(error) => {
                    return Err(Failure::retry(format!(
                        "writing failed: {error}; {}",
                        write_remedy(&error)
                    )));
                }
            }
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(Duration::from_millis(100), Duration::from_secs(5))
    }
}

// === impl Active ===

impl Active {
    /// Whether somebody has moved it away or removed it, and the last document in it is whole.
    fn is_gone(&self) -> bool {
        !self.writer.is_within_a_document() && self.is_replaced().unwrap_or(false)
    }

    fn is_replaced(&self) -> io::Result<bool> {
        let open = self.writer.file().metadata()?;
        match Path::symlink_metadata(&self.path) {
            Ok(meta) => Ok((meta.dev(), meta.ino()) != (open.dev(), open.ino())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }
}
