//! `scenarios run`: whole-system tests of the agent on the running kernel.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use scenarios::{
    puppet,
    runner::{self, Plan},
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
        /// Only scenarios whose name contains this.
        #[arg(long, default_value = "")]
        filter: String,
        /// Leave out scenarios that come out the same on every kernel.
        #[arg(long)]
        kernel_only: bool,
        /// Type information for the agent, in place of the kernel's own.
        #[arg(long)]
        btf: Option<PathBuf>,
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
    /// A process that a scenario moves.
    #[command(hide = true)]
    Role {
        /// What it plays; shows in its arguments.
        name: String,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Role { name: _ } => puppet::main(),
        Command::Run { agent, hooks, filter, kernel_only, btf, jobs, list, keep_logs: logs } => {
            let plan = Plan { agent, hooks, filter, kernel_only, btf, jobs, logs };
            if list {
                runner::list(&plan).iter().for_each(|name| println!("{name}"));
                return ExitCode::SUCCESS;
            }
            run(&plan)
        }
    }
}

fn run(plan: &Plan) -> ExitCode {
    let kernel = nix::sys::utsname::uname()
        .map(|names| names.release().to_string_lossy().into_owned())
        .unwrap_or_default();
    match runner::run(plan) {
        Ok(totals) => {
            println!("scenarios: hooks={} kernel={kernel} {totals}", plan.hooks);
            if totals.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            println!("scenarios: hooks={} kernel={kernel} could not run: {error:#}", plan.hooks);
            ExitCode::FAILURE
        }
    }
}
