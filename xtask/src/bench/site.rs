//! Where measurements run: on this machine, or in a virtual one.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use vm_init::Frame;

use super::{
    line::{self, Line},
    machine::Machine as Facts,
    peers,
};
use crate::{
    build::{self, Programs},
    cli::BenchOptions,
    kernel::{self, Kernel, List},
    paths::Paths,
    pins::Pins,
    ui,
    vm::{self, End, Machine, SharedFile},
};

/// Wall time of a virtual machine.
const TIMEOUT: Duration = Duration::from_secs(60 * 60);
const CPUS: u8 = 2;
const MEMORY: u32 = 2048;
/// Nothing that happens in the emulator is worth protecting, and its serial port is slow.
const CMDLINE: &str = "quiet mitigations=off";

/// Programs, and where they are run.
pub(super) struct Site<'a> {
    paths: &'a Paths,
    pub(super) programs: Programs,
    guest: Option<Kernel>,
    files: Vec<SharedFile>,
    /// Of the machine before anything took its time.
    load: String,
}

/// The test runner's arguments about another build of the agent.
pub(super) fn other(options: &BenchOptions) -> Vec<String> {
    let other = options.beside.iter();
    other.flat_map(|file| ["--other".to_owned(), file.display().to_string()]).collect()
}

// === impl Place ===

impl<'a> Site<'a> {
    /// The place, built and furnished when it is first asked for.
    pub(super) fn made<'p>(
        site: &'p mut Option<Self>,
        paths: &'a Paths,
        pins: &Pins,
        options: &BenchOptions,
    ) -> Result<&'p Self> {
        if site.is_none() {
            *site = Some(Self::make(paths, pins, options)?);
        }
        site.as_ref().context("no place to measure in")
    }

    fn make(paths: &'a Paths, pins: &Pins, options: &BenchOptions) -> Result<Self> {
        let load = Facts::this().load;
        let programs = build::all(paths, pins, "release")?;
        if options.peers {
            peers::install(paths, pins);
        }
        let guest = match &options.kernel {
            Some(name) => {
                vm::ensure_emulator(paths, pins, "x86_64")?;
                let list = List::read(paths)?;
                Some(kernel::ensure(paths, &list, list.find(name, "x86_64")?)?)
            }
            None => None,
        };
        let files = if guest.is_some() && options.peers { peers::files() } else { Vec::new() };
        Ok(Self { paths, programs, guest, files, load })
    }

    pub(super) fn object(&self) -> PathBuf {
        self.paths.object(None)
    }

    pub(super) fn is_guest(&self) -> bool {
        self.guest.is_some()
    }

    /// Facts about the machine.
    pub(super) fn facts(&self) -> Facts {
        let mut facts = Facts::this();
        facts.load.clone_from(&self.load);
        if let Some(guest) = &self.guest {
            facts.kernel = format!("{} in an emulated machine, on {}", guest.name, facts.kernel);
        }
        facts
    }

    /// The hook sets that are measured.
    pub(super) fn hooks(&self, options: &BenchOptions) -> Vec<String> {
        let all: &[&str] =
            if self.is_guest() { &["fentry", "kprobe", "cgroup", "tracefs"] } else { &["auto"] };
        if options.hooks.is_empty() {
            all.iter().map(|set| (*set).to_owned()).collect()
        } else {
            options.hooks.clone()
        }
    }

    /// Runs the test runner; its results.
    pub(super) fn run(&self, arguments: &[String]) -> Result<Vec<Line>> {
        let text = match &self.guest {
            None => self.here(arguments)?,
            Some(kernel) => self.in_guest(kernel, arguments)?,
        };
        line::parse(&text)
    }

    fn here(&self, arguments: &[String]) -> Result<String> {
        let mut command = Command::new(&self.programs.scenarios);
        command.args(arguments).arg("--agent").arg(&self.programs.agent);
        command.stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = command.output().context("start the test runner")?;
        ensure!(output.status.success(), "the test runner failed ({})", output.status);
        String::from_utf8(output.stdout).context("output of the test runner")
    }

    fn in_guest(&self, kernel: &Kernel, arguments: &[String]) -> Result<String> {
        let command = std::iter::once("scenarios".to_owned()).chain(arguments.iter().cloned());
        let machine = Machine {
            kernel,
            commands: &[command.collect()],
            files: &self.files,
            timeout: TIMEOUT,
            cmdline: CMDLINE,
            cpus: CPUS,
            memory: MEMORY,
            nice: 0,
        };
        let mut output = Vec::new();
        let ended = machine.run(self.paths, &self.programs, &mut |frame| match frame {
            Frame::Stdout(bytes) => {
                output.extend_from_slice(bytes);
                Ok(())
            }
            other => vm::print(other),
        })?;
        match (ended.end, ended.exits.first().map(|exit| exit.status)) {
            (End::Done, Some(0)) => {}
            (End::Done, status) => bail!("the test runner failed in the guest: {status:?}"),
            (End::TimedOut(why) | End::Panicked(why) | End::Failed(why), _) => bail!(why),
        }
        ui::note(&format!("{} bytes of results", output.len()));
        String::from_utf8(output).context("output of the test runner")
    }
}
