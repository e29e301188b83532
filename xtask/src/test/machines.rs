//! Scenarios in virtual machines: one boot for some hook sets of a kernel, several machines at a time.

use std::{
    cmp::Reverse,
    io::Write as _,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use vm_init::Frame;

use super::{
    matrix::{Matrix, Outcome},
    report::{Report, Row},
    scenarios::{self, Run},
};
use crate::{
    build::Programs,
    cli::TestOptions,
    kernel::{self, Kernel, List},
    paths::Paths,
    pins::Pins,
    ui,
    vm::{self, End, Ended, Exit, Machine},
};

/// Far beyond what a run takes, so that only one that hangs is ended.
const TIMEOUT: Duration = Duration::from_secs(45 * 60);
const MEMORY: u32 = 1536;
/// Machines at a time. Scenarios wait much, so that a machine with one processor leaves it idle.
const AT_A_TIME: usize = 3;
/// Hook sets that run in one boot, one after the other. Booting takes seconds, a set takes minutes: with
/// more in a boot the last machine would run for long beside processors that are idle.
const SETS: usize = 2;
/// Nothing that happens in the emulator is worth protecting, its serial port is slow, it finds translated
/// code faster where programs are at the same addresses each time, and a clock is cheaper to read than a
/// device. All of it saves processor time: about a third.
const CMDLINE: &str = "quiet mitigations=off init_on_alloc=0 hardened_usercopy=off \
                       randomize_kstack_offset=off nokaslr norandmaps nowatchdog tsc=reliable \
                       transparent_hugepage=always";

/// One boot.
#[derive(Clone, Copy)]
struct Boot<'a> {
    name: &'a str,
    kernel: &'a str,
    hooks: &'a [String],
    arguments: &'a [String],
    cmdline: &'a str,
    filter: Option<&'a str>,
    cpus: u8,
}

/// What a boot came to: the runs of its hook sets.
struct Booted<'a> {
    boot: Boot<'a>,
    runs: Vec<Run>,
    exits: Vec<Exit>,
    /// Why what is missing is missing.
    ended: String,
}

pub(super) fn run(
    report: &mut Report,
    matrix: &mut Matrix,
    paths: &Paths,
    pins: &Pins,
    programs: &Programs,
    list: &List,
    options: &TestOptions,
) {
    let mut boots = boots(list, options.filter.as_deref());
    if !options.vm.is_empty() {
        for name in options.vm.iter().filter(|name| boots.iter().all(|boot| boot.name != **name)) {
            let known: Vec<&str> = boots.iter().map(|boot| boot.name).collect();
            let mut row = Row::new(name, "");
            row.fail("--vm", format!("no such machine; there are: {}", known.join(", ")));
            report.add(row);
        }
        boots.retain(|boot| options.vm.iter().any(|name| name == boot.name));
    }
    if options.no_vm {
        for boot in &boots {
            for set in boot.hooks {
                let mut row = Row::new(boot.name, set);
                row.skip("all scenarios", "--no-vm leaves virtual machines out");
                matrix.judge(boot.name, "", Outcome::Skipped, &mut row);
                report.add(row);
            }
        }
        return;
    }
    let emulator = vm::ensure_emulator(paths, pins, "x86_64").map_err(|error| format!("{error:#}"));
    // Kernels are fetched one after the other: apt works alone.
    let ready: Vec<(Boot<'_>, Result<Kernel>)> = boots
        .into_iter()
        .map(|boot| {
            let kernel = emulator
                .clone()
                .map_err(|why| anyhow!(why))
                .and_then(|()| kernel::ensure(paths, list, list.find(boot.kernel, "x86_64")?));
            (boot, kernel)
        })
        .collect();
    ui::section(&format!("scenarios, {} virtual machines, {AT_A_TIME} at a time", ready.len()));
    let start = Instant::now();
    let done = Mutex::new(Vec::new());
    let mut queue: Vec<_> = ready.into_iter().enumerate().collect();
    // The newest kernels take longest, variants are soon done: at the end all processors are to be busy.
    queue.sort_by_key(|(number, (boot, _))| (boot.name != boot.kernel, Reverse(*number)));
    let queue = Mutex::new(queue.into_iter());
    let work = || {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((number, (boot, kernel))) = next else { return };
            let booted = execute(paths, programs, boot, kernel);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((number, booted));
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(work);
        }
    });
    ui::verdict("virtual machines", &Ok(()), start.elapsed());
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    for (_, booted) in done {
        judge(report, matrix, booted, options.filter.is_some());
    }
}

/// Every kernel, and those under other circumstances.
fn boots<'a>(list: &'a List, filter: Option<&'a str>) -> Vec<Boot<'a>> {
    let tested = list.entries().iter().filter(|entry| !entry.hooks.is_empty());
    let kernels = tested.flat_map(|entry| {
        entry.hooks.chunks(SETS).map(|hooks| Boot {
            name: &entry.name,
            kernel: &entry.name,
            hooks,
            arguments: &[],
            cmdline: "",
            filter,
            cpus: entry.cpus,
        })
    });
    let variants = list.variants().iter().map(|variant| Boot {
        name: &variant.name,
        kernel: &variant.kernel,
        hooks: &variant.hooks,
        arguments: &variant.arguments,
        cmdline: &variant.cmdline,
        filter: filter.or(Some(&variant.filter)),
        cpus: variant.cpus,
    });
    kernels.chain(variants).collect()
}

fn execute<'a>(
    paths: &Paths,
    programs: &Programs,
    boot: Boot<'a>,
    kernel: Result<Kernel>,
) -> Booted<'a> {
    let mut runs: Vec<Run> = boot.hooks.iter().map(|_| Run::default()).collect();
    let booted = kernel.and_then(|kernel| {
        let first = start(paths, programs, &boot, kernel.clone(), &mut runs)?;
        let done = first.exits.len();
        let (End::Panicked(why), Some(hooks)) = (&first.end, boot.hooks.get(done..)) else {
            return Ok(first);
        };
        // Code that the kernel patches while it runs is beyond the emulator now and then.
        ui::note(&format!("{why}; what it has not run to its end is run once more"));
        let rest = Boot { hooks, ..boot };
        let again = runs.get_mut(done..).unwrap_or_default();
        again.fill_with(Run::default);
        let mut second = start(paths, programs, &rest, kernel, again)?;
        second.exits.splice(0..0, first.exits);
        Ok(second)
    });
    let (exits, ended) = match booted {
        Ok(Ended { exits, end: End::Done }) => (exits, "the guest did not run it".to_owned()),
        Ok(Ended { exits, end: End::TimedOut(why) | End::Panicked(why) | End::Failed(why) }) => {
            (exits, why)
        }
        Err(error) => (Vec::new(), format!("{error:#}")),
    };
    Booted { boot, runs, exits, ended }
}

fn start(
    paths: &Paths,
    programs: &Programs,
    boot: &Boot<'_>,
    mut kernel: Kernel,
    runs: &mut [Run],
) -> Result<Ended> {
    // Names the log: one kernel may run in two machines.
    kernel.name = format!("{}-{}", boot.name.replace(['/', ' '], "-"), boot.hooks.join("-"));
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
    };
    let (mut current, mut printer) = (0, Printer::new(boot));
    machine.run(paths, programs, &mut |frame| match frame {
        Frame::Stdout(bytes) => {
            if let Some(run) = runs.get_mut(current) {
                run.push(bytes);
            }
            printer.push(current, bytes);
            Ok(())
        }
        Frame::Exit(_) => {
            current += 1;
            Ok(())
        }
        other => vm::print(other),
    })
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

/// Whole lines, each with the machine and the hook set it is of: machines speak at the same time.
struct Printer<'a> {
    boot: &'a str,
    hooks: &'a [String],
    partial: Vec<u8>,
}

// === impl Printer ===

impl<'a> Printer<'a> {
    fn new(boot: &Boot<'a>) -> Self {
        Self { boot: boot.name, hooks: boot.hooks, partial: Vec::new() }
    }

    fn push(&mut self, current: usize, bytes: &[u8]) {
        self.partial.extend_from_slice(bytes);
        while let Some(end) = self.partial.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            let set = self.hooks.get(current).map_or("", String::as_str);
            let text = format!("[{} {set}] {}", self.boot, String::from_utf8_lossy(&line));
            // A reader that has gone is no reason to stop the tests.
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
        }
    }
}
