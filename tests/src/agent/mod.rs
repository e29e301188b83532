//! The agent under test, as a process.

mod collect;
mod log;
mod options;
mod table;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use self::{collect::Collector, log::Log};
pub use self::{
    collect::Doc,
    options::{Options, Timeouts, kernel_version},
    table::Table,
};
use crate::net::Netns;

/// Loading and verifying the programs takes this long at most, on an emulated machine too.
const READY: Duration = Duration::from_secs(120);
/// Emitting all that was seen takes this long at most.
const STOP: Duration = Duration::from_secs(60);

/// A running agent.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    documents: Arc<Collector>,
    log: Arc<Log>,
    readers: Vec<JoinHandle<()>>,
    /// Keeps the agent's standard input open.
    _input: Option<ChildStdin>,
    directory: tempfile::TempDir,
}

/// Output of an agent that has ended.
#[derive(Debug)]
pub struct Stopped {
    /// Exit status.
    pub status: ExitStatus,
    /// All documents, in order.
    pub documents: Vec<Doc>,
    /// Lines on standard output that are no JSON object.
    pub garbage: Vec<String>,
    /// The kernel side's counters, from the log.
    pub counters: BTreeMap<String, u64>,
    /// Standard error.
    pub log: Vec<String>,
}

impl Agent {
    /// Starts an agent in the network namespace `netns` and waits until it observes.
    ///
    /// # Errors
    /// If it exits before, or is not ready in time; with the end of its log.
    pub fn start(options: &Options, netns: &Netns) -> Result<Self> {
        let directory = tempfile::tempdir().context("making a directory for the configuration")?;
        let mut command = options.command(directory.path())?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = netns.run(|| spawn(&mut command))?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            bail!("the agent has no output")
        };
        let documents = Arc::new(Collector::default());
        let log = Arc::new(Log::new(options.log_file()?));
        let readers = vec![
            read("documents", stdout, Arc::clone(&documents), Collector::line, Collector::end)?,
            read("log", stderr, Arc::clone(&log), Log::line, Log::end)?,
        ];
        let input = child.stdin.take();
        let agent = Self { child, documents, log, readers, _input: input, directory };
        agent.log.wait_ready(READY)?;
        Ok(agent)
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `find` finds what it looks for in the documents that came so far.
    pub fn wait_for<T>(&self, limit: Duration, find: impl FnMut(&[Doc]) -> Option<T>) -> Option<T> {
        self.documents.wait_for(Instant::now() + limit, find)
    }

    /// As [`Agent::wait_for`], with the places of the documents of one process.
    pub fn wait_for_process<T>(
        &self,
        pid: u32,
        limit: Duration,
        find: impl FnMut(&[Doc], &[usize]) -> Option<T>,
    ) -> Option<T> {
        self.documents.wait_for_process(u64::from(pid), Instant::now() + limit, find)
    }

    /// The documents that came so far.
    pub fn documents(&self) -> Vec<Doc> {
        self.documents.all()
    }

    /// The hooks that it said it does without: `HOOK: EFFECT: REASON` each.
    pub fn degraded(&self) -> Vec<String> {
        self.log.lines().iter().filter_map(|line| log::degraded(line)).collect()
    }

    /// Lines that it has logged so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lines()
    }

    /// Waits until a line of the log holds a text.
    ///
    /// # Errors
    /// None does in time.
    pub fn wait_logged(&self, text: &str, limit: Duration) -> Result<()> {
        let found = self.log.wait_line(text, Instant::now() + limit);
        ensure!(found, "the agent does not log {text:?}; its log ends: {}", self.log.tail());
        Ok(())
    }

    /// As [`Agent::wait_logged`], until so many lines hold it.
    ///
    /// # Errors
    /// They do not in time.
    pub fn wait_logged_times(&self, text: &str, times: usize, limit: Duration) -> Result<()> {
        let found = self.log.wait_lines(text, times, Instant::now() + limit);
        ensure!(
            found,
            "the agent does not log {text:?} {times} times; its log ends: {}",
            self.log.tail()
        );
        Ok(())
    }

    /// Gives the agent another configuration file, and has it read by SIGHUP.
    ///
    /// # Errors
    /// The file cannot be written, or the agent has ended.
    pub fn reconfigure(&self, configuration: &str) -> Result<()> {
        let file = self.directory.path().join(options::FILE);
        std::fs::write(&file, configuration)
            .with_context(|| format!("writing {}", file.display()))?;
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGHUP)
            .context("sending SIGHUP to the agent")
    }

    /// Ends the agent with SIGTERM and waits until it has said everything.
    ///
    /// # Errors
    /// If it does not end in time.
    pub fn stop(mut self) -> Result<Stopped> {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM)
            .context("sending SIGTERM to the agent")?;
        let deadline = Instant::now() + STOP;
        ensure!(
            self.documents.wait_end(deadline) && self.log.wait_end(deadline),
            "the agent did not end within {STOP:?} of SIGTERM; its log ends: {}",
            self.log.tail()
        );
        let status = self.child.wait().context("waiting for the agent")?;
        for reader in self.readers.drain(..) {
            // A reader that panicked has already said why.
            let _ = reader.join();
        }
        Ok(Stopped {
            status,
            documents: self.documents.all(),
            garbage: self.documents.garbage(),
            counters: self.log.counters()?,
            log: self.log.lines(),
        })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // After `stop` both do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(command: &mut Command) -> Result<Child> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.spawn().with_context(|| format!("starting {program} (see --agent)"))
}

fn read<T: Send + Sync + 'static>(
    name: &str,
    from: impl Read + Send + 'static,
    to: Arc<T>,
    line: fn(&T, String),
    end: fn(&T),
) -> Result<JoinHandle<()>> {
    Ok(thread::Builder::new().name(name.to_owned()).spawn(move || {
        let mut from = BufReader::new(from);
        let mut bytes = Vec::new();
        while matches!(from.read_until(b'\n', &mut bytes), Ok(length) if length > 0) {
            line(&to, String::from_utf8_lossy(&bytes).trim_end().to_owned());
            bytes.clear();
        }
        end(&to);
    })?)
}
