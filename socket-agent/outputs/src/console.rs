//! The output to standard output.

use std::{
    fs,
    io::{self, ErrorKind},
    os::fd::AsFd as _,
    time::Duration,
};

use config::rows::{Group, Kind::Switch, Setting, pointless, used};
use pipeline::{Backoff, Delivery, Failure, Output};

use crate::{
    OpenError, OutputOptions, Wrong,
    codec::{self, Codec, CodecOptions, HasCodec},
    lines::{LineWriter, write_remedy},
};

/// `output.console`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    disabled: bool,
    codec: CodecOptions,
}

/// Documents as lines on standard output.
#[derive(Debug)]
pub struct Console {
    writer: LineWriter,
    codec: Codec,
}

#[rustfmt::skip]
static ROWS: &[Setting<Options>] = &[
    used("output.console.enabled", "true", Switch(|c, v| c.disabled = !v), "Whether this output is used."),
    codec::pretty("output.console.pretty"),
    codec::pretty("output.console.codec.json.pretty"),
    codec::escape_html("output.console.codec.json.escape_html"),
    codec::format("output.console.codec.format.string"),
];

#[rustfmt::skip]
static KNOWN: &[Group] = &[Group { prefix: "output.console.", rows: &[
    pointless("bulk_max_size", "documents are written as they come"),
] }];

impl HasCodec for Options {
    fn codec(&mut self) -> &mut CodecOptions {
        &mut self.codec
    }
}

impl OutputOptions for Options {
    const NAME: &'static str = "console";

    fn rows() -> &'static [Setting<Self>] {
        ROWS
    }

    fn known() -> &'static [Group] {
        KNOWN
    }

    fn check(&self) -> Result<(), Wrong> {
        self.codec.codec().map(drop)
    }

    fn open(&self) -> Result<Box<dyn Output>, OpenError> {
        let codec = self.codec.codec().map_err(|wrong| OpenError::Other(wrong.reason))?;
        let descriptor = io::stdout().as_fd().try_clone_to_owned().map_err(OpenError::Console)?;
        Ok(Box::new(Console::of(descriptor.into(), codec)))
    }

    fn probe(&self) -> Result<Vec<String>, OpenError> {
        io::stdout().as_fd().try_clone_to_owned().map_err(OpenError::Console)?;
        Ok(vec!["standard output is open".to_owned()])
    }
}

// === impl Console ===

impl Console {
    pub(crate) fn of(file: fs::File, codec: Codec) -> Self {
        Self { writer: LineWriter::new(file), codec }
    }
}

impl Output for Console {
    fn name(&self) -> &str {
        "standard output"
    }

    /// A closed pipe is the end: nobody can open it again.
    fn publish(&mut self, delivery: &mut Delivery) -> Result<(), Failure> {
        let result = self.writer.write(delivery, &self.codec, u64::MAX, false);
        result.map(drop).map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Failure::closed("its reader is gone"),
            _ => Failure::retry(format!("writing failed: {error}; {}", write_remedy(&error))),
        })
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(Duration::from_millis(100), Duration::from_secs(5))
    }
}
