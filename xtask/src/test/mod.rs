//! `cargo xtask test`: checks, unit tests, and scenarios here and in virtual machines.

mod checks;
mod compilers;
mod machines;
mod matrix;
mod native;
mod report;
mod scenarios;
mod unit;

use std::{process::ExitCode, time::Instant};

use anyhow::Result;

use self::{matrix::Matrix, report::Report};
use crate::{
    apt, build,
    cli::{FuzzOptions, LoadOptions, TestOptions},
    fuzz,
    kernel::List,
    paths::Paths,
    pins::Pins,
    ui,
};

/// Runs everything that can run, whatever failed before, and reports it at the end.
pub(crate) fn run(paths: &Paths, pins: &Pins, options: &TestOptions) -> Result<ExitCode> {
    let list = List::read(paths)?;
    let filter = options.filter.as_deref();
    let mut report = Report::default();
    let mut matrix = Matrix::read(paths)?;

    // The agent embeds the object, so nothing of the workspace compiles before it is there.
    let object = step(&mut report, "eBPF objects", || build::ebpf::objects(paths, pins, None));
    let only_vms = !options.vm.is_empty();
    if filter.is_none() && !only_vms {
        checks::run(&mut report, paths, pins);
    }
    if !only_vms {
        install_programs(paths, pins);
    }
    if object {
        if filter.is_none() && !only_vms {
            compilers::run(&mut report, paths, pins);
        }
        if !only_vms {
            ui::section("unit tests");
            unit::run(&mut report, paths, filter);
        }
        if filter.is_none() && !only_vms {
            step(&mut report, "fuzz targets", || fuzz::run(paths, pins, &FuzzOptions::default()));
        }
        let mut programs = None;
        step(&mut report, "build", || {
            programs = Some(build::all(paths, pins, "release")?);
            Ok(())
        });
        if let Some(programs) = programs {
            if !only_vms {
                native::run(&mut report, &programs, &list.native.hooks, filter);
                native::load(&mut report, &programs, &list.native.hooks, filter, 1);
            }
            machines::run(&mut report, &mut matrix, paths, pins, &programs, &list, options);
            if filter.is_none() && !options.no_vm && !only_vms {
                step(&mut report, "table of kernels", || matrix.document(paths.root()));
            }
        }
    }
    print!("{}{}", matrix.render(), report.render());
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Programs that tests run against the agent. Tests that miss one are skipped by name.
fn install_programs(paths: &Paths, pins: &Pins) {
    let why = "tests run them against the agent";
    let audit = "tests compare audit rules and events with theirs";
    for result in [
        apt::install(paths, &pins.debian.tests, why),
        apt::install_stopped(paths, &pins.debian.audit, audit),
    ] {
        if let Err(error) = result {
            ui::note(&format!("{error:#}"));
        }
    }
}

/// Puts the agent under load.
pub(crate) fn load(paths: &Paths, pins: &Pins, options: &LoadOptions) -> Result<ExitCode> {
    let list = List::read(paths)?;
    let programs = build::all(paths, pins, "release")?;
    let mut report = Report::default();
    let filter = options.filter.as_deref();
    native::load(&mut report, &programs, &list.native.hooks, filter, options.divisor);
    print!("{}", report.render());
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Does one part of the whole and keeps how it ended.
fn step(report: &mut Report, name: &str, work: impl FnOnce() -> Result<()>) -> bool {
    ui::section(name);
    let start = Instant::now();
    let result = work();
    ui::verdict(name, &result, start.elapsed());
    let good = result.is_ok();
    if let Err(error) = result {
        report.broken(name, &format!("{error:#}"));
    }
    good
}
