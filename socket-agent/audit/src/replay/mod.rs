//! Recorded logs through the same parser, reassembly and normalisation as live records.
//!
//! Nothing times out: the time in a log is when things began, not when their records came. An event
//! without a sure end waits until newer ones drive it out, the log separates it from the next, as
//! ausearch does, or ends.

mod input;

use std::{
    io::{self, BufRead, Write},
    time::Duration,
};

pub use input::{Input, NoLog};

use super::{
    document,
    normalise::IdNames,
    reassembly::{self, Counters},
    records::{LINE_MAX, ParseError},
    stream::{NoContext, Stream},
};

/// Options of a replay.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Events that may wait for records; 0 for the default.
    pub max_in_flight: usize,
    /// Contents of documents.
    pub document: document::Options,
}

/// Result of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Counters of the reassembly.
    pub counters: Counters,
    /// Lines that are not records.
    pub bad_lines: u64,
    /// What was strange about events, and lines that are not records.
    pub warnings: u64,
}

/// Why a replay ends.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(io::Error),
    /// Documents cannot be written.
    #[error("writing documents: {0}")]
    Write(#[source] io::Error),
}

/// A line that is not a record.
#[derive(Debug)]
pub struct BadLine {
    /// Number of the line, from 1.
    pub number: u64,
    /// Reason.
    pub error: ParseError,
}

/// Of a line that is too long, no more is kept than shows that it is.
fn lengthen(begun: &mut Vec<u8>, more: &[u8]) {
    let capacity = (LINE_MAX + 1).saturating_sub(begun.len());
    begun.extend_from_slice(more.get(..capacity).unwrap_or(more));
}

/// Documents are written out in pieces of about this size, bytes.
const PIECE: usize = 1 << 16;

/// Replays lines and writes a document a line.
pub struct Replay<W> {
    stream: Stream,
    out: W,
    buffer: Vec<u8>,
}

impl<W: Write> Replay<W> {
    /// Documents go to `out`.
    pub fn new(options: Options, names: Box<dyn IdNames + Send>, out: W) -> Self {
        let mut limits = reassembly::Options { timeout: Duration::MAX, ..Default::default() };
        if options.max_in_flight > 0 {
            limits.max_in_flight = options.max_in_flight;
        }
        let stream = Stream::new(limits, options.document, names);
        Self { stream, out, buffer: Vec::new() }
    }

    /// Replays what a reader gives. Lines that are not records are given to `bad` and passed over.
    ///
    /// # Errors
    /// Reading or writing fails, or there are lines and none is a record.
    pub fn read(
        &mut self,
        input: impl BufRead,
        mut bad: impl FnMut(BadLine),
    ) -> Result<(), ReplayError> {
        let before = self.stream.totals();
        let lines = self.lines(input, &mut bad);
        self.stream.end_source(&mut NoContext, &mut self.buffer);
        self.write_out()?;
        let lines = lines?;
        let totals = self.stream.totals();
        if totals.counters.records == before.counters.records && totals.unparsed > before.unparsed {
            let reason = NoLog::NoRecord { lines };
            return Err(ReplayError::Read(io::Error::new(io::ErrorKind::InvalidData, reason)));
        }
        Ok(())
    }

    /// Returns how many there are.
    fn lines(
        &mut self,
        mut input: impl BufRead,
        bad: &mut impl FnMut(BadLine),
    ) -> Result<u64, ReplayError> {
        let mut number = 0;
        // A line of which the reader's buffer held only the beginning.
        let mut begun = Vec::new();
        loop {
            let chunk = match input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ReplayError::Read(error)),
            };
            if chunk.is_empty() {
                break;
            }
            let mut rest = chunk;
            while let Some(end) = memchr::memchr(b'\n', rest) {
                let (line, behind) = (&rest[..end], &rest[end + 1..]);
                number += 1;
                if begun.is_empty() {
                    self.line(line, number, bad);
                } else {
                    lengthen(&mut begun, line);
                    self.line(&begun, number, bad);
                    begun.clear();
                }
                rest = behind;
            }
            lengthen(&mut begun, rest);
            let used = chunk.len();
            input.consume(used);
            if self.buffer.len() >= PIECE {
                self.write_out()?;
            }
        }
        if !begun.is_empty() {
            number += 1;
            self.line(&begun, number, bad);
        }
        Ok(number)
    }

    fn line(&mut self, line: &[u8], number: u64, bad: &mut impl FnMut(BadLine)) {
        let text = line.trim_ascii();
        // ausearch writes lines of dashes between events, and then the time.
        if text.starts_with(b"----") {
            self.stream.separate();
            return;
        }
        if text.is_empty() || text.starts_with(b"time->") {
            return;
        }
        let pushed = self.stream.push_line(text, Duration::ZERO, &mut NoContext, &mut self.buffer);
        if let Err(error) = pushed {
            bad(BadLine { number, error });
        }
    }

    /// Gives out what waits, and says what it all came to.
    ///
    /// # Errors
    /// Writing fails.
    pub fn finish(mut self) -> Result<Summary, ReplayError> {
        self.stream.finish(&mut NoContext, &mut self.buffer);
        self.write_out()?;
        self.out.flush().map_err(ReplayError::Write)?;
        let totals = self.stream.totals();
        Ok(Summary {
            counters: totals.counters,
            bad_lines: totals.unparsed,
            warnings: totals.warnings + totals.unparsed,
        })
    }

    fn write_out(&mut self) -> Result<(), ReplayError> {
        self.out.write_all(&self.buffer).map_err(ReplayError::Write)?;
        self.buffer.clear();
        Ok(())
    }
}
