//! One run of a virtual machine.

use std::{
    fs::{self, File},
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result};
use vm_init::Frame;

use super::{
    SharedFile, qemu,
    session::{Exit, Session, Stop},
};
use crate::{build::Programs, command, initramfs::Contents, kernel::Kernel, paths::Paths};

/// A virtual machine: kernel and commands.
pub(crate) struct Machine<'a> {
    pub(crate) kernel: &'a Kernel,
    /// Run one after the other.
    pub(crate) commands: &'a [Vec<String>],
    pub(crate) files: &'a [SharedFile],
    /// Wall time for all of it.
    pub(crate) timeout: Duration,
    pub(crate) cmdline: &'a str,
    pub(crate) cpus: u8,
    /// In MiB.
    pub(crate) memory: u32,
    /// By how much its priority is less than this program's, as `nice` counts it.
    pub(crate) nice: u8,
}

/// Result of a machine that has ended.
pub(crate) struct Ended {
    /// Exits of the commands, in order.
    pub(crate) exits: Vec<Exit>,
    pub(crate) end: End,
}

/// Way in which a machine ended.
pub(crate) enum End {
    /// All commands ran.
    Done,
    /// It had to be ended, for this reason.
    TimedOut(String),
    /// Its kernel panicked, for this reason.
    Panicked(String),
    /// It stopped early or could not start, for this reason.
    Failed(String),
}

// === impl Machine ===

impl Machine<'_> {
    /// Boots the machine and hands everything it sends to `sink` as it comes.
    pub(crate) fn run(
        &self,
        paths: &Paths,
        programs: &Programs,
        sink: &mut dyn FnMut(&Frame) -> Result<()>,
    ) -> Result<Ended> {
        let dir = paths.target().join("vm");
        fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        let log = dir.join(format!("{}.log", self.kernel.name));
        let messages = dir.join(format!("{}.qemu.log", self.kernel.name));
        let initramfs = tempfile::Builder::new()
            .suffix(".cpio")
            .tempfile_in(&dir)
            .context("create the initramfs")?;
        self.contents(programs).write(initramfs.reopen().context("open the initramfs")?)?;
        let (session, stop) = self.boot(initramfs.path(), &log, &messages, sink)?;
        let end = match stop {
            Stop::Done => End::Done,
            Stop::TimedOut => End::TimedOut(self.timed_out(&session, &log)),
            Stop::Closed if panic(&read(&log)).is_some() => {
                End::Panicked(self.failed(&log, &messages))
            }
            Stop::Closed => End::Failed(self.failed(&log, &messages)),
            Stop::Garbled(text) => End::Failed(format!(
                "the guest wrote something else to the port of its frames: {text:?}"
            )),
        };
        Ok(Ended { exits: session.into_exits(), end })
    }

    /// Starts the emulator and follows it to its end.
    fn boot(
        &self,
        initramfs: &Path,
        log: &Path,
        messages: &Path,
        sink: &mut dyn FnMut(&Frame) -> Result<()>,
    ) -> Result<(Session, Stop)> {
        // A log of an earlier machine must not pass for this one's.
        File::create(log).with_context(|| format!("create {}", log.display()))?;
        let child = qemu::command(self, initramfs, log)?
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(messages).context("create the emulator's log")?)
            .spawn()
            .context("start the emulator")?;
        let mut session = Session::new(child, self.timeout)?;
        let stop = session.follow(sink)?;
        Ok((session, stop))
    }

    fn contents<'a>(&'a self, programs: &'a Programs) -> Contents<'a> {
        let mut files: Vec<(&Path, &str)> = vec![(&programs.agent, "/bin/socket-agent")];
        // The runner has no program of its own until there are scenarios.
        if programs.scenarios.is_file() {
            files.push((&programs.scenarios, "/bin/scenarios"));
        }
        files.extend(self.files.iter().map(|file| (file.host.as_path(), file.guest.as_str())));
        Contents {
            init: &programs.init,
            files,
            modules: &self.kernel.modules,
            commands: self.commands,
        }
    }

    fn timed_out(&self, session: &Session, log: &Path) -> String {
        let limit = humantime::format_duration(self.timeout);
        let name = &self.kernel.name;
        if session.is_ready() {
            return format!(
                "the command did not end within {limit} on kernel {name}: --timeout allows more"
            );
        }
        eprint!("{}", tail(log));
        format!("kernel {name} did not boot within {limit}: its log is {}", log.display())
    }

    fn failed(&self, log: &Path, messages: &Path) -> String {
        let name = &self.kernel.name;
        let kernel = read(log);
        if let Some(panic) = panic(&kernel) {
            eprint!("{}", tail(log));
            return format!("kernel {name} panicked: {panic}: its log is {}", log.display());
        }
        let emulator = read(messages);
        if kernel.trim().is_empty() {
            let reason = emulator.trim().lines().last().unwrap_or("it printed no reason");
            return format!("the emulator could not start {name}: {reason}");
        }
        eprint!("{}", tail(log));
        format!("kernel {name} stopped before the command ended: its log is {}", log.display())
    }
}

/// The line of a kernel's log that says why it panicked.
fn panic(log: &str) -> Option<&str> {
    const MARK: &str = "Kernel panic - not syncing: ";
    log.lines().find_map(|line| line.split_once(MARK)).map(|(_, reason)| reason.trim())
}

fn tail(log: &Path) -> String {
    command::last_lines(&read(log), 20)
}

fn read(log: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_reason_of_a_panic() {
        let log =
            "[    1.2] x\n[    1.3] Kernel panic - not syncing: No working init found.\r\n[ 2] y";
        assert_eq!(panic(log), Some("No working init found."));
        assert_eq!(panic("[    1.2] x"), None);
    }
}
