//! Command line.

mod arguments;
mod audit;
mod doctor;
mod logging;
mod offsets;
mod report;
mod run;
mod show;
mod sockets;
mod test;

use std::{process::ExitCode, time::Duration};

use clap::Parser;

use arguments::{Arguments, Command, Test};

/// How long a command that prints names of users waits for the host's name service.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs the command line and returns the exit status: 0, 1 after a failure that was reported on
/// standard error, 2 if the arguments are wrong.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    logging::start(&arguments.logging);
    let result = match &arguments.command {
        Command::Run(options) => run::run(options),
        Command::Audit(command) => audit::run(command),
        Command::Show(command) => show::run(command),
        Command::Test(Test::Config(source)) => test::config(source),
        Command::Test(Test::Output(source)) => test::output(source),
        Command::Doctor => doctor::doctor(),
    };
    result.unwrap_or_else(|error| report::failure(&error))
}
