//! Scenarios in virtual machines: one boot for all hook sets of a kernel.

use std::time::Duration;

use anyhow::Result;
use vm_init::Frame;

use super::{
    report::{Report, Row},
    scenarios::{self, Run},
};
use crate::{
    build::Programs,
    cli::TestOptions,
    kernel::{self, Entry, List},
    paths::Paths,
    pins::Pins,
    ui,
    vm::{self, End, Ended, Machine},
};

/// Far beyond what a run takes, so that only one that hangs is ended.
const TIMEOUT: Duration = Duration::from_secs(45 * 60);
const CPUS: u8 = 2;
const MEMORY: u32 = 1536;

pub(super) fn run(
    report: &mut Report,
    paths: &Paths,
    pins: &Pins,
    programs: &Programs,
    list: &List,
    options: &TestOptions,
) {
    for entry in list.entries() {
        if options.no_vm {
            for set in &entry.hooks {
                let mut row = Row::new(&entry.name, set);
                row.skip("all scenarios", "--no-vm leaves virtual machines out");
                report.add(row);
            }
            continue;
        }
        ui::section(&format!("scenarios, kernel {}, {}", entry.name, entry.hooks.join(" ")));
        let mut runs: Vec<Run> = entry.hooks.iter().map(|_| Run::default()).collect();
        let filter = options.filter.as_deref();
        let booted = boot(paths, pins, programs, list, entry, filter, &mut runs);
        let (statuses, ended) = match booted {
            Ok(Ended { statuses, end: End::Done }) => {
                (statuses, "the guest did not run it".to_owned())
            }
            Ok(Ended { statuses, end: End::TimedOut(why) | End::Failed(why) }) => (statuses, why),
            Err(error) => (Vec::new(), format!("{error:#}")),
        };
        for (number, (set, run)) in entry.hooks.iter().zip(runs).enumerate() {
            let status = statuses.get(number).copied();
            report.add(run.into_row(&entry.name, set, filter.is_some(), status, &ended));
        }
    }
}

fn boot(
    paths: &Paths,
    pins: &Pins,
    programs: &Programs,
    list: &List,
    entry: &Entry,
    filter: Option<&str>,
    runs: &mut [Run],
) -> Result<Ended> {
    vm::ensure_emulator(paths, pins)?;
    let kernel = kernel::ensure(paths, list, entry)?;
    let commands: Vec<Vec<String>> = entry
        .hooks
        .iter()
        .map(|set| {
            let arguments = scenarios::arguments("/bin/socket-agent", set, filter);
            std::iter::once("scenarios".to_owned()).chain(arguments).collect()
        })
        .collect();
    let machine = Machine {
        kernel: &kernel,
        commands: &commands,
        files: &[],
        timeout: TIMEOUT,
        cmdline: "",
        cpus: CPUS,
        memory: MEMORY,
    };
    let mut current = 0;
    machine.run(paths, programs, &mut |frame| {
        match frame {
            Frame::Stdout(bytes) => {
                if let Some(run) = runs.get_mut(current) {
                    run.push(bytes);
                }
            }
            Frame::Exit(_) => current += 1,
            _ => {}
        }
        vm::print(frame)
    })
}
