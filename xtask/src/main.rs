//! The project's one front door: every command that a person or a build server needs.

#![forbid(unsafe_code)]

mod apt;
mod bench;
mod build;
mod cli;
mod command;
mod deny;
mod fresh;
mod fuzz;
mod initramfs;
mod kernel;
mod linker;
mod paths;
mod pins;
mod run;
mod setup;
mod test;
mod toolchain;
mod ui;
mod vm;

use std::process::ExitCode;

use clap::Parser as _;

use self::{cli::Task, paths::Paths, pins::Pins};

fn main() -> ExitCode {
    match dispatch(cli::Cli::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(task: Task) -> anyhow::Result<ExitCode> {
    let paths = Paths::find()?;
    let pins = Pins::read(&paths)?;
    match task {
        Task::Setup => setup::all(&paths, &pins).map(|()| ExitCode::SUCCESS),
        Task::Build(options) => {
            let target = match &options.target {
                Some(name) => build::Target::named(name, &pins)?,
                None => build::Target::host(),
            };
            build::with(&paths, &pins, &target, &options.profile, options.ebpf_log)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Run { arguments } => run::run(&paths, &pins, &arguments),
        Task::Vm(options) => vm::command(&paths, &pins, &options),
        Task::Load(options) => test::load(&paths, &pins, &options),
        Task::Fuzz(options) => fuzz::run(&paths, &pins, &options).map(|()| ExitCode::SUCCESS),
        Task::Fresh(options) => fresh::run(&paths, &pins, &options),
        Task::Bench(options) => bench::run(&paths, &pins, &options),
        Task::Test(options) => test::run(&paths, &pins, &options),
    }
}
