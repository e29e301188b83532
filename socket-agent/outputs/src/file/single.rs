//! A file, or a pipe with a name.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use config::rows::Setting;
use pipeline::{Backoff, Delivery, Failure, Output};

use crate::{
    Configured, OpenError, OutputOptions,
    codec::Codec,
    lines::{LineWriter, open_remedy, write_remedy},
};

/// Documents as lines, appended to a file. It is made if it is not there, and opened again when another
/// file has taken its name, as log rotation does.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    name: String,
    /// `None` after a failure that only opening again can mend.
    writer: Option<LineWriter>,
}

/// A file that is named on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PlainFile {
    path: PathBuf,
}

/// The output that appends documents to this file, whatever its size.
pub fn plain_file(path: PathBuf) -> Configured {
    Configured::new(PlainFile { path })
}

impl OutputOptions for PlainFile {
    const NAME: &'static str = "file";

    fn rows() -> &'static [Setting<Self>] {
        &[]
    }

    fn open(&self) -> Result<Box<dyn Output>, OpenError> {
        Ok(Box::new(File::open(&self.path)?))
    }

    fn probe(&self) -> Result<Vec<String>, OpenError> {
        File::open(&self.path)?;
        Ok(vec![format!("{} can be written to", self.path.display())])
    }
}

// === impl File ===

impl File {
    /// Opens the file at a path.
    ///
    /// # Errors
    ///
    /// It cannot be opened for writing, or nobody may write to it: root could all the same, but a file is
    /// not made read-only for nothing.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let writer = open(path)?;
        let name = format!("file {}", path.display());
        Ok(Self { path: path.to_owned(), name, writer: Some(writer) })
    }

    /// Whether the path leads to another file by now, or to none.
    fn is_replaced(&self) -> bool {
        let Some(writer) = &self.writer else { return true };
        let identity = |meta: fs::Metadata| (meta.dev(), meta.ino());
        let open = writer.file().metadata().map(identity).ok();
        fs::metadata(&self.path).map(identity).ok() != open
    }
}

impl Output for File {
    fn name(&self) -> &str {
        &self.name
    }

    fn publish(&mut self, delivery: &mut Delivery) -> Result<(), Failure> {
        let mut writer = match self.writer.take() {
            Some(writer) if writer.is_within_a_document() => writer,
            writer => {
                self.writer = writer;
                if self.is_replaced() {
                    open(&self.path).map_err(|error| Failure::retry(error.to_string()))?
                } else if let Some(writer) = self.writer.take() {
                    writer
                } else {
                    return Err(Failure::retry("the file is not open"));
                }
            }
        };
        let result = writer.write(delivery, &Codec::Plain, u64::MAX, false).map(drop);
        if !matches!(&result, Err(error) if error.kind() == ErrorKind::BrokenPipe) {
            self.writer = Some(writer);
        }
        result.map_err(|error| {
            Failure::retry(match error.kind() {
                ErrorKind::BrokenPipe => "its reader is gone; start another".to_owned(),
                _ => format!("writing failed: {error}; {}", write_remedy(&error)),
            })
        })
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(Duration::from_millis(100), Duration::from_secs(5))
    }
}

fn open(path: &Path) -> Result<LineWriter, OpenError> {
    let failed = |source, remedy| OpenError::File { path: path.to_owned(), source, remedy };
    if path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().readonly()) {
        let source = io::Error::new(ErrorKind::PermissionDenied, "the file is read-only");
        return Err(failed(source, "allow writing with `chmod u+w` or choose another file"));
    }
    let file = fs::OpenOptions::new().create(true).append(true).open(path).map_err(|source| {
        let remedy = open_remedy(&source);
        failed(source, remedy)
    })?;
    Ok(LineWriter::new(file))
}
