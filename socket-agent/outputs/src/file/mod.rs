//! The output to files.

mod rotated;
mod series;
mod single;

use std::{path::PathBuf, time::SystemTime};

use config::rows::{
    Kind::{Count, Path, Permissions, Switch, Text},
    Setting, used,
};
use pipeline::Output;

use self::{rotated::Rotated, series::Series};
use crate::{
    OpenError, OutputOptions, Wrong,
    codec::{self, CodecOptions, HasCodec},
    format::Format,
};

pub use single::{File, plain_file};

/// `output.file`: a series of files in a directory, of which the oldest go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    disabled: bool,
    path: Option<PathBuf>,
    filename: String,
    /// Size at which a new file begins, KiB.
    rotate_every_kb: u32,
    number_of_files: u32,
    permissions: u32,
    rotate_on_startup: bool,
    codec: CodecOptions,
}

#[rustfmt::skip]
static ROWS: &[Setting<Options>] = &[
    used("output.file.enabled", "true", Switch(|c, v| c.disabled = !v), "Whether this output is used."),
    used("output.file.path", "", Path(|c, v| c.path = Some(v)), "Directory of the files; %{+yyyy.MM.dd} stands for the day of the start, in UTC."),
    used("output.file.filename", "socket-agent", Text(|c, v| c.filename = v.to_owned()), "What the names of files begin with: they are FILENAME-YYYYMMDD.ndjson, then FILENAME-YYYYMMDD-1.ndjson and so on, by the day in UTC; an ending .ndjson is left out."),
    used("output.file.rotate_every_kb", "10240", Count(1, u32::MAX, |c, v| c.rotate_every_kb = v), "Size in KiB that no file exceeds, but for one with a single document: the next one begins a new file."),
    used("output.file.number_of_files", "7", Count(2, 1024, |c, v| c.number_of_files = v), "Files that are kept beside the one that is written; the oldest are removed."),
    used("output.file.permissions", "0600", Permissions(|c, v| c.permissions = v), "Who may read and write new files."),
    used("output.file.rotate_on_startup", "true", Switch(|c, v| c.rotate_on_startup = v), "Whether each start begins a new file; otherwise the newest one is appended to."),
    codec::pretty("output.file.codec.json.pretty"),
    codec::escape_html("output.file.codec.json.escape_html"),
    codec::format("output.file.codec.format.string"),
];

impl Default for Options {
    fn default() -> Self {
        Self {
            disabled: false,
            path: None,
            filename: "socket-agent".to_owned(),
            rotate_every_kb: 10_240,
            number_of_files: 7,
            permissions: 0o600,
            rotate_on_startup: true,
            codec: CodecOptions::default(),
        }
    }
}

impl HasCodec for Options {
    fn codec(&mut self) -> &mut CodecOptions {
        &mut self.codec
    }
}

impl Options {
    fn series(&self) -> Result<Series, Wrong> {
        let wrong = |key, reason: String| Wrong { key, reason };
        let Some(path) = &self.path else {
            let reason = "output.file has no path; write output.file.path: /var/log/socket-agent";
            return Err(wrong("path", reason.to_owned()));
        };
        let format =
            Format::parse(&path.to_string_lossy()).map_err(|reason| wrong("path", reason))?;
        if format.has_fields() {
            let reason = "output.file.path holds a field; allowed: a time, as in %{+yyyy.MM.dd}";
            return Err(wrong("path", reason.to_owned()));
        }
        let path =
            format.at(SystemTime::now()).map_err(|error| wrong("path", error.to_string()))?;
        let name = self.filename.strip_suffix(".ndjson").unwrap_or(&self.filename);
        if name.is_empty() || name.contains('/') {
            let reason =
                format!("output.file.filename is {:?}; allowed: a name without /", self.filename);
            return Err(wrong("filename", reason));
        }
        Ok(Series::new(PathBuf::from(path), name.to_owned()))
    }
}

impl OutputOptions for Options {
    const NAME: &'static str = "file";

    fn rows() -> &'static [Setting<Self>] {
        ROWS
    }

    fn check(&self) -> Result<(), Wrong> {
        self.series()?;
        self.codec.codec().map(drop)
    }

    fn open(&self) -> Result<Box<dyn Output>, OpenError> {
        let other = |wrong: Wrong| OpenError::Other(wrong.reason);
        let series = self.series().map_err(other)?;
        let codec = self.codec.codec().map_err(other)?;
        Ok(Box::new(Rotated::open(series, self, codec)?))
    }

    fn probe(&self) -> Result<Vec<String>, OpenError> {
        let series = self.series().map_err(|wrong| OpenError::Other(wrong.reason))?;
        series.probe()
    }
}
