//! Recorded logs through the same parser, reassembly and normalisation as live records.
//!
//! Nothing times out: the time in a log is when things began, not when their records came. An event
//! without a sure end waits until newer ones drive it out or the log ends.

use std::{
    io::{self, BufRead, Write},
    time::Duration,
};

use super::{
    document::{self, Context},
    normalise::{IdNames, normalise},
    reassembly::{self, Counters, Event, Reassembler},
    records::{ParseError, Record, parse_line},
};

/// How to replay.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Events that may wait for records; 0 for the default.
    pub max_in_flight: usize,
    /// What documents look like.
    pub document: document::Options,
}

/// What a replay came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// What the reassembly has counted.
    pub counters: Counters,
    /// Lines that are not records.
    pub bad_lines: u64,
    /// What was strange about events, and lines that are not records.
    pub warnings: u64,
}

/// A line that is not a record.
#[derive(Debug)]
pub struct BadLine {
    /// From 1.
    pub number: u64,
    /// Why.
    pub error: ParseError,
}

/// Replays lines and writes a document a line.
pub struct Replay<'a, W> {
    options: Options,
    reassembler: Reassembler,
    names: &'a mut dyn IdNames,
    out: W,
    buffer: Vec<u8>,
    bad_lines: u64,
    warnings: u64,
}

impl<'a, W: Write> Replay<'a, W> {
    /// Documents go to `out`.
    pub fn new(options: Options, names: &'a mut dyn IdNames, out: W) -> Self {
        let mut limits = reassembly::Options { timeout: Duration::MAX, ..Default::default() };
        if options.max_in_flight > 0 {
            limits.max_in_flight = options.max_in_flight;
        }
        let reassembler = Reassembler::new(limits);
        Self { options, reassembler, names, out, buffer: Vec::new(), bad_lines: 0, warnings: 0 }
    }

    /// Replays what a reader gives. Lines that are not records are told to `bad` and passed over.
    ///
    /// # Errors
    /// Reading or writing fails.
    pub fn read(
        &mut self,
        mut input: impl BufRead,
        mut bad: impl FnMut(BadLine),
    ) -> io::Result<()> {
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            if input.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let text = line.trim_ascii();
            // ausearch writes lines of dashes and times between events.
            if text.is_empty() || text.starts_with(b"----") || text.starts_with(b"time->") {
                continue;
            }
            match parse_line(text) {
                Ok(record) => self.push(record)?,
                Err(error) => {
                    self.bad_lines += 1;
                    bad(BadLine { number, error });
                }
            }
        }
        Ok(())
    }

    /// Gives out what waits, and says what it all came to.
    ///
    /// # Errors
    /// Writing fails.
    pub fn finish(mut self) -> io::Result<Summary> {
        let mut events = Vec::new();
        self.reassembler.flush(|event| events.push(event));
        self.write(&events)?;
        self.out.flush()?;
        Ok(Summary {
            counters: self.reassembler.counters(),
            bad_lines: self.bad_lines,
            warnings: self.warnings + self.bad_lines,
        })
    }

    fn push(&mut self, record: Record) -> io::Result<()> {
        let mut events = Vec::new();
        self.reassembler.push(record, Duration::ZERO, |event| events.push(event));
        self.write(&events)
    }

    fn write(&mut self, events: &[Event]) -> io::Result<()> {
        for event in events {
            let Some(normal) = normalise(event, self.names) else { continue };
            self.warnings += normal.warnings.len() as u64;
            self.buffer.clear();
            document::write(&normal, &Context::default(), self.options.document, &mut self.buffer)?;
            self.buffer.push(b'\n');
            self.out.write_all(&self.buffer)?;
        }
        Ok(())
    }
}
