//! The agent under test.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;

/// Loading the programs of the socket dataset takes long in a debug build on a busy machine.
const READY: Duration = Duration::from_secs(120);
const STOP: Duration = Duration::from_secs(60);

/// A running agent, which is killed when dropped.
pub(crate) struct Agent {
    child: Child,
    lines: Receiver<String>,
    log: Vec<String>,
    documents: PathBuf,
    _folder: TempDir,
}

/// Output of an agent that has ended.
pub(crate) struct Stopped {
    pub(crate) status: ExitStatus,
    pub(crate) documents: Vec<Value>,
    pub(crate) log: Vec<String>,
}

/// The agent's executable: of the same build, or what `SOCKET_AGENT` names.
pub(crate) fn program() -> PathBuf {
    let given = std::env::var_os("SOCKET_AGENT").map(PathBuf::from);
    given.unwrap_or_else(|| env!("CARGO_BIN_EXE_socket-agent").into())
}

/// A module with rules and options, as YAML.
pub(crate) fn module(rules: &str, options: &str) -> String {
    let indent =
        |text: &str, by: &str| text.lines().map(|line| format!("{by}{line}\n")).collect::<String>();
    let rules = match rules {
        "" => String::new(),
        rules => format!("  audit_rules: |\n{}", indent(rules, "    ")),
    };
    format!("modules:\n- module: auditd\n{rules}{}", indent(options, "  "))
}

impl Agent {
    /// Starts an agent and waits until it observes.
    pub(crate) fn start(configuration: &str) -> Self {
        Self::start_as(Command::new(program()), configuration, 1)
    }

    /// Starts an agent with `count` datasets in a way of one's own.
    pub(crate) fn start_as(command: Command, configuration: &str, count: usize) -> Self {
        let mut agent = Self::spawn(command, configuration);
        for _ in 0..count {
            agent.wait_for_line(READY, "ready");
        }
        agent
    }

    /// Starts an agent that must fail, and returns what it said.
    pub(crate) fn refused(command: Command, configuration: &str) -> String {
        let stopped = Self::spawn(command, configuration).wait();
        assert_eq!(stopped.status.code(), Some(1), "{:#?}", stopped.log);
        assert!(stopped.documents.is_empty());
        stopped.log.join("\n")
    }

    /// Starts an agent whose documents go to a pipe that nobody reads.
    pub(crate) fn stuck(configuration: &str) -> (Self, std::io::PipeReader) {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_socket-agent"));
        command.stdout(writer);
        let mut agent = Self::spawn_to(command, configuration, false);
        agent.wait_for_line(READY, "ready");
        (agent, reader)
    }

    fn spawn(command: Command, configuration: &str) -> Self {
        Self::spawn_to(command, configuration, true)
    }

    fn spawn_to(mut command: Command, configuration: &str, to_file: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Also for agents that are not root.
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(folder.path(), everybody).unwrap();
        let (file, documents) = (folder.path().join("agent.yml"), folder.path().join("out"));
        fs::write(&file, configuration).unwrap();
        command.args(["run", "-c"]).arg(&file).stdin(Stdio::null()).stderr(Stdio::piped());
        if to_file {
            command.arg("--output-file").arg(&documents).stdout(Stdio::null());
        }
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines, log: Vec::new(), documents, _folder: folder }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of the log that holds a word.
    pub(crate) fn wait_for_line(&mut self, limit: Duration, word: &str) -> String {
        let deadline = Instant::now() + limit;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.log.push(line.clone());
                    if line.contains(word) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no line with {word:?} came: {:#?}", self.log)
                }
            }
        }
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it with SIGTERM, and returns all that it has written.
    pub(crate) fn stop(self) -> Stopped {
        self.terminate();
        let stopped = self.wait();
        assert!(stopped.status.success(), "{:?}: {:#?}", stopped.status, stopped.log);
        stopped
    }

    /// Waits until it has ended.
    pub(crate) fn wait(mut self) -> Stopped {
        let deadline = Instant::now() + STOP;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.log.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {:#?}", self.log),
            }
        }
        let status = self.child.wait().unwrap();
        Stopped { status, documents: read(&self.documents), log: std::mem::take(&mut self.log) }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // After `wait` both do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Stopped {
    /// The counters of the audit dataset.
    pub(crate) fn counters(&self) -> BTreeMap<String, u64> {
        let line = self.log.iter().find_map(|line| line.split_once("audit: counters "));
        serde_json::from_str(line.unwrap_or_else(|| panic!("no counters: {:#?}", self.log)).1)
            .unwrap()
    }

    /// Checks that no counter of a loss counts.
    pub(crate) fn assert_nothing_lost(&self) {
        // Events without a sure end leave early when there are many.
        let may = [
            "audit_evicted",
            "audit_kernel_waited",
            "audit_own",
            "audit_queue_waits",
            "audit_timed_out",
        ];
        let counts = self.counters();
        let lost: Vec<_> =
            counts.iter().filter(|(name, count)| **count > 0 && !may.contains(&&***name)).collect();
        assert!(lost.is_empty(), "{lost:?}");
    }

    /// Documents for which a condition holds.
    pub(crate) fn find(&self, wanted: impl Fn(&Value) -> bool) -> Vec<&Value> {
        self.documents.iter().filter(|document| wanted(document)).collect()
    }

    /// The only document for which a condition holds.
    pub(crate) fn one(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> &Value {
        match self.find(wanted).as_slice() {
            [one] => one,
            found => {
                let all: Vec<_> = self.documents.iter().map(summary).collect();
                panic!("{} documents of {what} among {all:#?}", found.len())
            }
        }
    }
}

fn summary(document: &Value) -> String {
    let at = |path| document.pointer(path).map(Value::to_string).unwrap_or_default();
    let paths = ["/event/action", "/process/name", "/process/args", "/file/path", "/user/name"];
    paths.map(at).join(" ")
}

fn read(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Text at a place of a document.
pub(crate) fn text<'a>(document: &'a Value, path: &str) -> &'a str {
    document.pointer(path).and_then(Value::as_str).unwrap_or_default()
}
