//! Options with which an agent is started.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::btf;

/// Name of the configuration file.
pub(super) const FILE: &str = "agent.yml";

/// The timeouts of the socket dataset, as YAML writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// `socket.flow_inactive_timeout`.
    pub flow_inactive: &'static str,
    /// `socket.flow_termination_timeout`.
    pub flow_termination: &'static str,
    /// `socket.socket_inactive_timeout`.
    pub socket_inactive: &'static str,
}

impl Default for Timeouts {
    /// Nothing times out in a scenario, and what is closed is reported soon.
    fn default() -> Self {
        Self { flow_inactive: "30m", flow_termination: "1s", socket_inactive: "30m" }
    }
}

/// Options with which an agent is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The executable.
    pub program: PathBuf,
    /// `--hooks`.
    pub hooks: String,
    /// Timeouts.
    pub timeouts: Timeouts,
    /// Further settings of the socket dataset, each a line as YAML writes it.
    pub settings: &'static [&'static str],
    /// Modules, as YAML, instead of the socket dataset.
    pub modules: Option<String>,
    /// `--btf`.
    pub btf: Option<PathBuf>,
    /// Whether it is told to take records from perf rings.
    pub perf_rings: bool,
    /// File for its documents instead of standard output.
    pub output: Option<PathBuf>,
    /// File for its log, if it is kept.
    pub log: Option<PathBuf>,
    /// What its process does before the agent is executed: system calls only, after a fork.
    pub before: Option<fn() -> io::Result<()>>,
}

impl Options {
    /// `socket-agent run` with a configuration file in `directory`.
    pub fn command(&self, directory: &Path) -> Result<Command> {
        let file = directory.join(FILE);
        fs::write(&file, self.configuration())
            .with_context(|| format!("writing {}", file.display()))?;
        let mut command = Command::new(&self.program);
        command.args(["run", "-c"]).arg(file);
        if self.modules.is_none() {
            command.args(["--hooks", &self.hooks]);
        }
        if let Some(btf) = &self.btf {
            command.arg("--btf").arg(btf);
        }
        if let Some(output) = &self.output {
            command.arg("--output-file").arg(output);
        }
        self.set_environment(&mut command);
        Ok(command)
    }

    /// Makes a process start in the same environment as the agent.
    pub fn set_environment(&self, command: &mut Command) {
        if let Some(before) = self.before {
            // SAFETY: what is given makes system calls only.
            unsafe { command.pre_exec(before) };
        }
    }

    pub(super) fn log_file(&self) -> Result<Option<File>> {
        let Some(path) = &self.log else { return Ok(None) };
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)
                .with_context(|| format!("making {}", directory.display()))?;
        }
        Ok(Some(File::create(path).with_context(|| format!("making {}", path.display()))?))
    }

    /// Settings that only one hook set needs. An emulated machine is so slow that the processes of a
    /// scenario keep the reader of the rings waiting for longer than they last by default.
    fn of_set(&self) -> &'static str {
        match &*self.hooks {
            "tracefs" => "  socket.ring_size_exponent: 12\n  socket.perf_queue_size: 131072\n",
            "kprobe" if self.perf_rings => "  socket.record_buffer: perf\n",
            _ => "",
        }
    }

    /// Whether the agent uses the programs for kernels before 5.8.
    pub fn is_early(&self) -> bool {
        self.hooks == "kprobe" && (self.perf_rings || kernel_version() < (5, 8))
    }

    /// Whether the agent can ask open sockets for what the kernel keeps of them: round-trip times, retransmissions.
    pub fn samples(&self) -> bool {
        self.hooks != "tracefs" && !self.is_early()
    }

    /// Whether the agent knows the kernel's types, and need not find offsets by trying.
    pub fn is_described(&self) -> bool {
        self.btf.is_some() || btf::is_published()
    }

    /// Contents of its configuration file.
    pub fn configuration(&self) -> String {
        if let Some(modules) = &self.modules {
            return modules.clone();
        }
        let Timeouts { flow_inactive, flow_termination, socket_inactive } = self.timeouts;
        let mut text = format!(
            "modules:\n\
             - module: system\n  \
               datasets: [socket]\n  \
               socket.flow_inactive_timeout: {flow_inactive}\n  \
               socket.flow_termination_timeout: {flow_termination}\n  \
               socket.socket_inactive_timeout: {socket_inactive}\n"
        );
        for setting in self.settings {
            text += &format!("  {setting}\n");
        }
        text += self.of_set();
        text
    }
}

/// Major and minor number of the running kernel; zeros if it does not say.
pub fn kernel_version() -> (u32, u32) {
    let release = nix::sys::utsname::uname()
        .map(|names| names.release().to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        _ => (0, 0),
    }
}
