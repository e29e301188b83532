//! `scenarios run`: whole-system tests of the agent on the running kernel.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use scenarios::{
    audit::{acts, recorder},
    bench::{self, Figures, Part, Traffic},
    btf, load,
    runner::{self, Plan},
    worker::{self, one_shot},
};

#[derive(Debug, Parser)]
#[command(about = "Real traffic, compared with what the agent says of it")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios against an agent; needs root.
    Run {
        /// The agent's executable.
        #[arg(long, default_value = "/bin/socket-agent")]
        agent: PathBuf,
        /// The hook set it uses.
        #[arg(long)]
        hooks: String,
        /// Only scenarios whose name contains this; several texts are separated by commas.
        #[arg(long, value_name = "TEXT", value_delimiter = ',')]
        filter: Vec<String>,
        /// Leave out scenarios that come out the same on every kernel.
        #[arg(long)]
        kernel_only: bool,
        /// Hide the kernel's type information, and give it to the agents as a file - raw or elf - or
        /// not at all: nothing.
        #[arg(long, value_name = "FORM")]
        hide_btf: Option<btf::Form>,
        /// Have records handed over by perf rings, as on kernels before 5.8.
        #[arg(long)]
        perf_rings: bool,
        /// How many scenarios run at a time.
        #[arg(long, default_value_t = 4)]
        jobs: usize,
        /// Only tell the scenarios' names.
        #[arg(long)]
        list: bool,
        /// Keep the agents' logs in this directory.
        #[arg(long)]
        keep_logs: Option<PathBuf>,
    },
    /// Put an agent under load and check its totals; needs root.
    Load {
        /// The agent's executable.
        #[arg(long, default_value = "/bin/socket-agent")]
        agent: PathBuf,
        /// The hook set it uses.
        #[arg(long)]
        hooks: String,
        /// Only loads whose name contains this.
        #[arg(long, default_value = "")]
        filter: String,
        /// A fraction of the load: 1 is all of it.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
        divisor: u32,
        /// Only tell the loads' names.
        #[arg(long)]
        list: bool,
        /// Keep the agents' logs in this directory.
        #[arg(long)]
        keep_logs: Option<PathBuf>,
    },
    /// Compare the throughput of traffic with and without somebody who watches; needs root.
    BenchTraffic {
        /// The agent's executable.
        #[arg(long, default_value = "/bin/socket-agent")]
        agent: PathBuf,
        /// Another build of the agent, measured in the same run.
        #[arg(long)]
        other: Option<PathBuf>,
        /// A hook set it uses; may be repeated.
        #[arg(long)]
        hooks: Vec<String>,
        /// NAME=COMMAND of another program that watches; may be repeated.
        #[arg(long = "peer")]
        peers: Vec<String>,
        /// A kind of traffic; may be repeated.
        #[arg(long = "load", value_enum, default_values_t = bench::Load::ALL)]
        loads: Vec<bench::Load>,
        /// Runs with each that watches, every one between two with nobody.
        #[arg(long, default_value_t = 9)]
        pairs: u32,
        /// How long a run lasts.
        #[arg(long, default_value = "500ms", value_parser = humantime::parse_duration)]
        time: Duration,
    },
    /// Measure what an agent takes itself; needs root.
    BenchFigures {
        /// The agent's executable.
        #[arg(long, default_value = "/bin/socket-agent")]
        agent: PathBuf,
        /// Another build of the agent, measured in the same run.
        #[arg(long)]
        other: Option<PathBuf>,
        /// A hook set it uses; may be repeated.
        #[arg(long)]
        hooks: Vec<String>,
        /// What to measure; may be repeated.
        #[arg(long = "part", value_enum)]
        parts: Vec<Part>,
        /// Starts.
        #[arg(long, default_value_t = 9)]
        starts: u32,
        /// How long nothing happens.
        #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
        idle: Duration,
        /// How long connections are made as fast as one processor can.
        #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
        sustained: Duration,
        /// Flows that are open at the same time.
        #[arg(long, default_value_t = 100_000)]
        flows: u32,
    },
    /// A process of a bench.
    #[command(hide = true)]
    BenchWorker {
        /// The end that it plays.
        end: bench::End,
    },
    /// A process of a load.
    #[command(hide = true)]
    LoadWorker {
        /// The job, as JSON.
        job: String,
    },
    /// A process that a scenario moves.
    #[command(hide = true)]
    Role {
        /// What it plays; shows in its arguments.
        name: String,
    },
    /// Print audit records of a process that does one of everything; needs root.
    AuditRecord {
        /// The agent's executable.
        #[arg(long, default_value = "/bin/socket-agent")]
        agent: PathBuf,
    },
    /// A process that does one of everything.
    #[command(hide = true)]
    AuditAct {
        /// Does nothing.
        #[arg(long)]
        nothing: bool,
        /// The folder that it works in, or words that show in its arguments.
        words: Vec<PathBuf>,
    },
    /// A process that sends one datagram and is gone.
    #[command(hide = true)]
    OneShot {
        /// The address to send to.
        target: std::net::SocketAddr,
        /// The way in which it sends.
        way: one_shot::Way,
        /// Shows in its arguments.
        extra: Vec<String>,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Role { name: _ } => worker::main(),
        Command::OneShot { target, way, extra } => one_shot::main(target, way, &extra),
        Command::BenchTraffic { agent, other, hooks, peers, loads, pairs, time } => {
            bench::traffic(&Traffic { agent, other, hooks, peers, loads, pairs, time })
                .map_or_else(refuse, done)
        }
        Command::BenchFigures { agent, other, hooks, parts, starts, idle, sustained, flows } => {
            bench::figures(&Figures { agent, other, hooks, parts, starts, idle, sustained, flows })
                .map_or_else(refuse, done)
        }
        Command::BenchWorker { end } => bench::worker(end),
        Command::AuditAct { nothing: true, .. } => ExitCode::SUCCESS,
        Command::AuditAct { words, .. } => match words.as_slice() {
            [folder] => acts::main(folder),
            _ => ExitCode::FAILURE,
        },
        Command::AuditRecord { agent } => match recorder::record(&agent) {
            Ok(records) => {
                print!("{records}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        },
        Command::LoadWorker { job } => load::worker(&job),
        Command::Load { agent, hooks, filter, divisor, list, keep_logs } => {
            let plan = load::Plan { agent, hooks, filter, divisor, logs: keep_logs };
            if list {
                load::list(&plan).for_each(|name| println!("{name}"));
                return ExitCode::SUCCESS;
            }
            summary(&plan.hooks, Ok(load::run(&plan)))
        }
        Command::Run {
            agent,
            hooks,
            filter,
            kernel_only,
            hide_btf,
            perf_rings,
            jobs,
            list,
            keep_logs: logs,
        } => {
            let plan =
                Plan { agent, hooks, filter, kernel_only, btf: None, perf_rings, jobs, logs };
            if list {
                runner::list(&plan).iter().for_each(|name| println!("{name}"));
                return ExitCode::SUCCESS;
            }
            run(plan, hide_btf)
        }
    }
}

fn done((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_or_else takes")]
fn refuse(error: anyhow::Error) -> ExitCode {
    eprintln!("bench: {error:#}");
    ExitCode::FAILURE
}

fn run(mut plan: Plan, hide_btf: Option<btf::Form>) -> ExitCode {
    let result = prepare(&mut plan, hide_btf).and_then(|_directory| runner::run(&plan));
    summary(&plan.hooks, result)
}

fn summary(hooks: &str, result: anyhow::Result<runner::Totals>) -> ExitCode {
    let kernel = nix::sys::utsname::uname()
        .map(|names| names.release().to_string_lossy().into_owned())
        .unwrap_or_default();
    match result {
        Ok(totals) => {
            println!("scenarios: hooks={hooks} kernel={kernel} {totals}");
            if totals.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            println!("scenarios: hooks={hooks} kernel={kernel} could not run: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Hides what is to be hidden; the directory has to last as long as the agents.
fn prepare(plan: &mut Plan, hide_btf: Option<btf::Form>) -> anyhow::Result<tempfile::TempDir> {
    let directory = tempfile::tempdir()?;
    if let Some(form) = hide_btf {
        plan.btf = btf::hide(form, directory.path())?;
    }
    Ok(directory)
}
