//! `socket-agent audit`.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};

use audit::{
    document::{self, Schema},
    normalise::{IdNames, NoNames},
    reassembly,
    replay::{BadLine, Input, Options, Replay, ReplayError, Summary},
};
use linux::Accounts;

use super::report;

/// Lines of a log that are no records and are reported one by one.
const BAD_LINES: u64 = 10;

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Turn auditd's logs into documents, as the agent would have done; needs no privileges.
    Replay(ReplayArguments),
}

#[derive(Args, Debug)]
pub(super) struct ReplayArguments {
    /// Logs in auditd's format, in order, packed by gzip or not; - is standard input. Records in
    /// the lines of syslog, dmesg and audispd are read too, and what ausearch prints.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Form of the documents.
    #[arg(long, value_enum, default_value_t = Form::Ecs)]
    schema: Form,
    /// Leave ids that the log has no names for as numbers: they may be those of another host.
    #[arg(long)]
    no_resolve_ids: bool,
    /// Add the text of the records.
    #[arg(long)]
    include_raw_message: bool,
    /// Add what was strange about the records, and their text.
    #[arg(long)]
    include_warnings: bool,
    /// Events that may wait for the rest of their records; more give out the oldest as it is.
    #[arg(long, value_name = "NUMBER", default_value_t = reassembly::Options::default().max_in_flight)]
    max_in_flight: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// ECS with auditd.*.
    Ecs,
    /// audit.kernel.*, as the original metricset had it.
    Kernel,
}

pub(super) fn run(command: &Audit) -> anyhow::Result<ExitCode> {
    let Audit::Replay(arguments) = command;
    let (summary, status) = replay(arguments)?;
    let counters = summary.counters;
    if counters.resumed > 0 && counters.evicted > 0 {
        log::warn!(
            target: "audit",
            "{} events are in two documents or more: more than {} others had begun before they were \
             whole; raise --max-in-flight",
            counters.resumed,
            arguments.max_in_flight
        );
    }
    if counters.cut > 0 {
        log::warn!(target: "audit", "{} records were too many for their events", counters.cut);
    }
    let line = format!(
        "{} events, {} records, {} gaps ({} events lost), {} warnings ({} lines are no records)\n",
        counters.events,
        counters.records,
        counters.gaps,
        counters.lost,
        summary.warnings,
        summary.bad_lines
    );
    io::stderr().write_all(line.as_bytes()).context("standard error")?;
    Ok(status)
}

/// What all logs came to; the status is that of a failure if one could not be read.
fn replay(arguments: &ReplayArguments) -> anyhow::Result<(Summary, ExitCode)> {
    let options = Options {
        max_in_flight: arguments.max_in_flight,
        document: document::Options {
            schema: match arguments.schema {
                Form::Ecs => Schema::Ecs,
                Form::Kernel => Schema::Kernel,
            },
            include_raw_message: arguments.include_raw_message,
            include_warnings: arguments.include_warnings,
        },
    };
    let names: Box<dyn IdNames + Send> = if arguments.no_resolve_ids {
        Box::new(NoNames)
    } else {
        Box::new(Accounts::of_host().names())
    };
    let mut replay = Replay::new(options, names, io::stdout().lock());
    let mut status = ExitCode::SUCCESS;
    for path in &arguments.files {
        let mut bad_lines = 0;
        let bad = |BadLine { number, error }: BadLine| {
            bad_lines += 1;
            if bad_lines <= BAD_LINES {
                log::warn!(target: "audit", "{}:{number}: {error}", path.display());
            }
        };
        let done = open(path).and_then(|reader| {
            // Its own buffer, if it has one, is small and passed by for pieces of the input's size.
            let input = Input::open(reader)
                .map_err(ReplayError::Read)
                .with_context(|| format!("replaying {}", path.display()))?;
            replay.read(input, bad).with_context(|| format!("replaying {}", path.display()))
        });
        if bad_lines > BAD_LINES {
            let more = bad_lines - BAD_LINES;
            log::warn!(target: "audit", "{}: {more} more lines are no records", path.display());
        }
        match done {
            Err(error) if !is_output(&error) => status = report::failure(&error),
            done => done.map_err(name_output)?,
        }
    }
    let summary = replay.finish().map_err(|error| name_output(error.into()))?;
    Ok((summary, status))
}

fn open(path: &Path) -> anyhow::Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).with_context(|| {
        format!("{}: cannot be opened; give a log in auditd's format", path.display())
    })?;
    Ok(Box::new(file))
}

fn is_output(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(ReplayError::Write(_)))
}

/// Whatever was being read, it is the output that has failed.
fn name_output(error: anyhow::Error) -> anyhow::Error {
    match error.downcast() {
        Ok(ReplayError::Write(error)) => anyhow::Error::new(error).context("standard output"),
        Ok(error) => error.into(),
        Err(error) => error,
    }
}
