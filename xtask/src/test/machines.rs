//! Scenarios in virtual machines: one boot for some hook sets of a kernel, several machines at a time.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
    vec,
};

use anyhow::{Context as _, Result, anyhow};
use vm_init::Frame;

use super::{
    matrix::{Matrix, Outcome},
    printer::Printer,
    progress::{Kind, Progress},
    report::{Report, Row, Tally},
    scenarios::{self, Run},
    selection::Boot,
};
use crate::{
    build::Programs,
    kernel::{self, Kernel, List},
    paths::Paths,
    pins::Pins,
    ui,
    vm::{self, End, Ended, Exit, Machine},
};

/// Far beyond what a run takes, so that only one that hangs is ended.
const TIMEOUT: Duration = Duration::from_secs(30 * 60);
const MEMORY: u32 = 1536;
/// What runs beside the machines and is no compiler has to come out well at the first try, and goes first.
const NICE: u8 = 5;
/// Nothing that happens in the emulator is worth protecting, its serial port is slow, it finds translated
/// code faster where programs are at the same addresses each time, and a clock is cheaper to read than a
/// device. All of it saves processor time: about a third.
const CMDLINE: &str = "quiet mitigations=off init_on_alloc=0 hardened_usercopy=off \
                       randomize_kstack_offset=off nokaslr norandmaps nowatchdog tsc=reliable \
                       transparent_hugepage=always";

/// Kernels by name and architecture, or why they cannot be had.
pub(super) type Kernels = BTreeMap<(String, String), Result<Kernel, String>>;

/// What a boot came to: the runs of its hook sets.
struct Booted<'a> {
    boot: Boot<'a>,
    runs: Vec<Run>,
    exits: Vec<Exit>,
    /// Why what is missing is missing.
    ended: String,
}

/// Machines that wait, and those that have ended.
pub(super) struct Queue<'a> {
    paths: &'a Paths,
    programs: &'a BTreeMap<String, Programs>,
    kernels: &'a Kernels,
    progress: &'a Progress,
    waiting: Mutex<vec::IntoIter<Boot<'a>>>,
    ended: Mutex<Vec<Booted<'a>>>,
}

/// Emulators and kernels of the machines, fetched where they are missing. One after the other: apt works
/// alone.
pub(super) fn fetch(paths: &Paths, pins: &Pins, list: &List, boots: &[Boot<'_>]) -> Kernels {
    let mut kernels = Kernels::new();
    for Boot { kernel, arch, .. } in boots {
        kernels.entry(((*kernel).to_owned(), (*arch).to_owned())).or_insert_with(|| {
            vm::ensure_emulator(paths, pins, arch)
                .and_then(|()| kernel::ensure(paths, list, list.find(kernel, arch)?))
                .map_err(|error| format!("{error:#}"))
        });
    }
    kernels
}

/// Puts machines into the order they begin: what took longest the last time comes first, so that at the end
/// all processors are busy; what never ran before that, by its weight, the newest kernels first.
pub(super) fn sort(boots: &mut [Boot<'_>], before: impl Fn(&str) -> Option<Duration>) {
    boots.reverse();
    boots.sort_by_cached_key(|boot| {
        let before = before(&boot.title()).unwrap_or(Duration::MAX);
        Reverse((before, boot.weight()))
    });
}

/// Rows for machines that are left out.
pub(super) fn skip(report: &mut Report, matrix: &mut Matrix, boots: &[Boot<'_>], why: &str) {
    for boot in boots {
        for set in boot.hooks {
            let mut row = Row::new(boot.name, set);
            row.skip("all scenarios", why);
            matrix.judge(boot.name, "", Outcome::Skipped, &mut row);
            report.add(row);
        }
    }
}

// === impl Queue ===

impl<'a> Queue<'a> {
    pub(super) fn new(
        paths: &'a Paths,
        programs: &'a BTreeMap<String, Programs>,
        kernels: &'a Kernels,
        progress: &'a Progress,
        boots: Vec<Boot<'a>>,
    ) -> Self {
        let (waiting, ended) = (Mutex::new(boots.into_iter()), Mutex::default());
        Self { paths, programs, kernels, progress, waiting, ended }
    }

    /// Runs one machine after the other until none waits.
    pub(super) fn work(&self) {
        loop {
            let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(boot) = next else { return };
            let (title, start) = (boot.title(), Instant::now());
            self.progress.started(Kind::Machine, &title);
            let booted = self.execute(boot);
            let whole = booted.exits.len() == boot.hooks.len();
            self.progress.ended(Kind::Machine, &title, start.elapsed(), whole);
            let tally = booted.runs.iter().fold(Tally::default(), |sum, run| sum + run.seen());
            ui::ended(&title, &tally.to_string(), start.elapsed());
            self.ended.lock().unwrap_or_else(PoisonError::into_inner).push(booted);
        }
    }

    /// Takes what all machines came to into the report, in the order of the list.
    pub(super) fn judge(
        self,
        report: &mut Report,
        matrix: &mut Matrix,
        order: &[Boot<'_>],
        filtered: bool,
    ) {
        let mut ended = self.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        let position = |title: &str| order.iter().position(|boot| boot.title() == title);
        ended.sort_by_cached_key(|booted| position(&booted.boot.title()));
        for booted in ended {
            judge(report, matrix, booted, filtered);
        }
    }

    fn execute(&self, boot: Boot<'a>) -> Booted<'a> {
        let mut runs: Vec<Run> = boot.hooks.iter().map(|_| Run::default()).collect();
        let booted = self.kernel(&boot).and_then(|kernel| {
            let first = self.start(&boot, kernel, &mut runs)?;
            let done = first.exits.len();
            let (End::Panicked(why), Some(hooks)) = (&first.end, boot.hooks.get(done..)) else {
                return Ok(first);
            };
            // Code that the kernel patches while it runs is beyond the emulator now and then.
            ui::note(&format!("{why}; what it has not run to its end is run once more"));
            let rest = Boot { hooks, ..boot };
            let again = runs.get_mut(done..).unwrap_or_default();
            again.fill_with(Run::default);
            let mut second = self.start(&rest, kernel, again)?;
            second.exits.splice(0..0, first.exits);
            Ok(second)
        });
        let (exits, ended) = match booted {
            Ok(Ended { exits, end: End::Done }) => (exits, "the guest did not run it".to_owned()),
            Ok(Ended {
                exits,
                end: End::TimedOut(why) | End::Panicked(why) | End::Failed(why),
            }) => (exits, why),
            Err(error) => (Vec::new(), format!("{error:#}")),
        };
        Booted { boot, runs, exits, ended }
    }

    fn kernel(&self, boot: &Boot<'_>) -> Result<&Kernel> {
        let kernel = self.kernels.get(&(boot.kernel.to_owned(), boot.arch.to_owned()));
        let kernel = kernel.context("the kernel was not fetched")?;
        kernel.as_ref().map_err(|why| anyhow!("{why}"))
    }

    fn start(&self, boot: &Boot<'_>, kernel: &Kernel, runs: &mut [Run]) -> Result<Ended> {
        let programs = self.programs.get(boot.arch);
        let programs = programs.with_context(|| format!("no programs for {}", boot.arch))?;
        // Names the log: one kernel may run in two machines.
        let name = format!("{}-{}", boot.name.replace(['/', ' '], "-"), boot.hooks.join("-"));
        let kernel = Kernel { name, ..kernel.clone() };
        let commands: Vec<Vec<String>> = boot
            .hooks
            .iter()
            .map(|set| {
                let arguments = scenarios::arguments("/bin/socket-agent", set, boot.filter);
                let all = ["scenarios".to_owned()].into_iter().chain(arguments);
                let all = all.chain(["--kernel-only".to_owned()]);
                all.chain(boot.arguments.iter().cloned()).collect()
            })
            .collect();
        let cmdline = format!("{CMDLINE} {}", boot.cmdline);
        let machine = Machine {
            kernel: &kernel,
            commands: &commands,
            files: &[],
            timeout: TIMEOUT,
            cmdline: cmdline.trim_end(),
            cpus: boot.cpus,
            memory: MEMORY,
            nice: NICE,
        };
        let names: Vec<String> =
            boot.hooks.iter().map(|set| format!("{} {set}", boot.name)).collect();
        let name = |current: usize| names.get(current).map_or(boot.name, String::as_str);
        let (mut current, mut printer) = (0, Printer::new(name(0)));
        machine.run(self.paths, programs, &mut |frame| match frame {
            Frame::Stdout(bytes) => {
                if let Some(run) = runs.get_mut(current) {
                    run.push(bytes);
                }
                printer.push(bytes);
                Ok(())
            }
            Frame::Exit(_) => {
                current += 1;
                printer.rename(name(current));
                Ok(())
            }
            other => vm::print(other),
        })
    }
}

fn judge(report: &mut Report, matrix: &mut Matrix, booted: Booted<'_>, filtered: bool) {
    let Booted { boot, runs, exits, ended } = booted;
    for (number, (set, run)) in boot.hooks.iter().zip(runs).enumerate() {
        let exit = exits.get(number);
        let status = exit.map(|exit| exit.status);
        let (mut row, outcome, release) = run.finish(boot.name, set, filtered, status, &ended);
        row.spent = exit.map(|exit| exit.spent);
        if !filtered {
            matrix.judge(boot.name, &release, outcome, &mut row);
        }
        report.add(row);
    }
}
