//! `socket-agent audit`.

use std::{
    fs::File,
    io::{self, BufReader, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};

use audit::{
    document::{self, Schema},
    ids::HostNames,
    normalise::{IdNames, NoNames},
    reassembly,
    replay::{Options, Replay, Summary},
};

/// Logs are read in pieces of so many bytes.
const PIECE: usize = 128 << 10;

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Turn auditd's logs into documents, as the agent would have done; needs no privileges.
    Replay(ReplayArguments),
}

#[derive(Args, Debug)]
pub(super) struct ReplayArguments {
    /// Logs in auditd's format, in order; - is standard input.
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
    /// Events that may wait for records.
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
    let summary = replay(arguments)?;
    let counters = summary.counters;
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
    Ok(ExitCode::SUCCESS)
}

fn replay(arguments: &ReplayArguments) -> anyhow::Result<Summary> {
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
    let names: Box<dyn IdNames + Send> =
        if arguments.no_resolve_ids { Box::new(NoNames) } else { Box::new(HostNames::new()) };
    let mut replay = Replay::new(options, names, io::stdout().lock());
    for path in &arguments.files {
        let bad = |line: audit::replay::BadLine| {
            log::warn!(target: "audit", "{}:{}: {}", path.display(), line.number, line.error);
        };
        let done = if path == Path::new("-") {
            // Its own buffer is small, and passed by for pieces of this size.
            replay.read(BufReader::with_capacity(PIECE, io::stdin().lock()), bad)
        } else {
            let file = File::open(path).with_context(|| {
                format!("{}: cannot be opened; give a log in auditd's format", path.display())
            })?;
            replay.read(BufReader::with_capacity(PIECE, file), bad)
        };
        done.with_context(|| format!("replaying {}", path.display()))?;
    }
    Ok(replay.finish()?)
}
