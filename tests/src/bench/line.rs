//! Lines of results on standard output.

use std::io::{self, Write as _};

use serde::Serialize;

/// One result.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Line<'a> {
    /// One run of a load.
    Sample {
        /// Program that watched; `None` if none did.
        subject: Option<&'a str>,
        load: &'a str,
        /// Round trips, connections, bytes or datagrams.
        operations: u64,
        /// Wall time of them.
        nanos: u64,
        /// Processor time that the subject took meanwhile.
        subject_nanos: u64,
    },
    /// A subject does not work here, or not for all that is measured.
    LeftOut { subject: &'a str, reason: String },
    /// A counter of the agent's that is above zero, over all runs of a load.
    Lost { subject: &'a str, counter: String, count: u64 },
    /// A figure of an agent.
    Figure { subject: &'a str, figure: &'a str, value: f64 },
    /// A program's runs under a load.
    Program { subject: &'a str, program: String, load: &'a str, runs: u64, nanos: u64 },
    /// A table of the kernel's.
    Table { subject: &'a str, table: String, bytes: u64 },
}

impl Line<'_> {
    pub(super) fn say(&self) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        serde_json::to_writer(&mut out, self)?;
        writeln!(out)?;
        Ok(out.flush()?)
    }
}
