//! Processes in a container of a real runtime.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, ensure};

use super::Scenario;
use crate::{
    agent::{Doc, Timeouts},
    expect::Session,
    fixture::Fixture,
    net::Netns,
    skip::skip,
    worker::{PATIENCE, executable},
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::own("container/lives_a_millisecond", sends),
    Scenario::own("container/runs_since_before", listens),
];

/// Path of the program inside.
const PROGRAM: &str = "/bin/scenarios";

/// Podman with everything it keeps in a directory of its own, and a root file system made by hand.
struct Podman {
    directory: tempfile::TempDir,
    runtime: &'static str,
}

impl Podman {
    /// # Errors
    /// A skip if there is none, or if it cannot run a container here.
    fn find() -> Result<Self> {
        let found = |program: &str| {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
        };
        if !found("podman") {
            return Err(skip("podman is not installed"));
        }
        let Some(runtime) = ["runc", "crun"].into_iter().find(|runtime| found(runtime)) else {
            return Err(skip("neither runc nor crun is installed"));
        };
        // A short path: podman makes sockets below it.
        let directory = tempfile::tempdir_in("/tmp").context("making a directory for podman")?;
        let podman = Self { directory, runtime };
        for name in ["bin", "dev", "etc", "proc", "run", "sys", "tmp"] {
            fs::create_dir_all(podman.root().join(name))?;
        }
        fs::copy(executable()?, podman.root().join(&PROGRAM[1..]))
            .context("copying the program into the container")?;
        let trial = podman.run(&["--rm"], &["--help"])?;
        if !trial.status.success() {
            let error = String::from_utf8_lossy(&trial.stderr).into_owned();
            let why = error.lines().last().unwrap_or_default();
            return Err(skip(format!("podman cannot run a container here: {why}")));
        }
        Ok(podman)
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("rootfs")
    }

    fn command(&self) -> Command {
        let below = |name: &str| self.directory.path().join(name);
        let mut command = Command::new("podman");
        command.arg("--root").arg(below("store")).arg("--runroot").arg(below("run"));
        command.args(["--cgroup-manager", "cgroupfs", "--events-backend", "none"]);
        command.args(["--runtime", self.runtime]).stdin(Stdio::null());
        command
    }

    /// A container with a network of its own: nothing but loopback.
    fn run(&self, options: &[&str], arguments: &[&str]) -> Result<Output> {
        let mut command = self.command();
        command.args(["run", "--network", "none", "--workdir", "/tmp"]).args(options);
        // Within what any process may set.
        command.args(["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]);
        command.arg("--rootfs").arg(self.root()).arg(PROGRAM).args(arguments);
        command.output().context("starting podman")
    }

    /// Runs a program in a container; returns the container's id.
    fn container(&self, options: &[&str], arguments: &[&str]) -> Result<String> {
        let file = self.directory.path().join("id");
        // Left by the one before.
        let _ = fs::remove_file(&file);
        let file_option = format!("--cidfile={}", file.display());
        let output = self.run(&[&[file_option.as_str()], options].concat(), arguments)?;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "podman run failed: {error}");
        Ok(fs::read_to_string(&file).context("the container's id")?.trim().to_owned())
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        // What has ended by itself is gone already.
        let _ = self.command().args(["rm", "--all", "--force", "--time", "0"]).output();
    }
}

/// What a document has to say of a process in the container `id` that was started with `arguments`.
fn check(doc: &Doc, id: &str, arguments: &[&str]) -> Result<()> {
    for (field, truth) in [
        ("container.id", id),
        ("container.runtime", "podman"),
        ("process.executable", PROGRAM),
        ("process.name", "scenarios"),
        ("user.id", "0"),
    ] {
        let reported = doc.text(field);
        ensure!(reported == truth, "{field} is {reported:?}, should be {truth}: {}", doc.json());
    }
    let args: Vec<String> =
        [PROGRAM].iter().chain(arguments).map(|&word| word.to_owned()).collect();
    let reported = doc.field("process.args").context("no process.args")?;
    ensure!(*reported == serde_json::json!(args), "process.args are {reported}");
    let netns = doc.number("system.audit.socket.netns.inode").context("no netns.inode")?;
    ensure!(netns != Netns::current()?.inode()?, "netns.inode is that of the host");
    let pid = doc.number("process.pid").context("no process.pid")?;
    ensure!(pid > 1, "process.pid is that of the container's own namespace");
    let directory = doc.text("process.working_directory");
    ensure!(directory == "/tmp", "process.working_directory is {directory:?}");
    Ok(())
}

/// A process in a container that sends one datagram and is gone, and the container with it.
fn sends(fixture: &Fixture<'_>) -> Result<()> {
    let podman = Podman::find()?;
    let session = fixture.agent_with(Timeouts::default(), &[])?;
    let arguments = ["one-shot", "127.0.0.1:9", "plain", "from a container"];
    let id = podman.container(&["--rm"], &arguments)?;
    let doc = find(&session, "network_flow", &id)?;
    check(&doc, &id, &arguments)?;
    ensure!(doc.number("destination.port") == Some(9), "destination.port");
    session.stop().map(drop)
}

/// A container that was there before the agent, known from `/proc`.
fn listens(fixture: &Fixture<'_>) -> Result<()> {
    let podman = Podman::find()?;
    let arguments = ["one-shot", "127.0.0.1:4711", "listening", "in a container"];
    let id = podman.container(&["--detach"], &arguments)?;
    let listening = || doc_of_table(&fixture.options.program, &id);
    // Podman returns when the program has been started, which need not have come so far.
    let deadline = Instant::now() + PATIENCE;
    while !listening()? {
        ensure!(Instant::now() < deadline, "the program in the container does not listen");
    }
    let session = fixture.agent_with(Timeouts::default(), &[])?;
    let doc = find(&session, "existing_socket", &id)?;
    check(&doc, &id, &arguments)?;
    ensure!(doc.number("destination.port") == Some(4711), "destination.port");
    session.stop().map(drop)
}

/// Whether `show sockets` has the container's listener.
fn doc_of_table(program: &Path, id: &str) -> Result<bool> {
    let output = Command::new(program)
        .args(["show", "sockets", "-l"])
        .stdin(Stdio::null())
        .output()
        .context("starting the agent's program")?;
    let short = id.get(..12).context("a short id")?;
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(table.lines().any(|line| line.contains(short) && line.contains(":4711")))
}

fn find(session: &Session, action: &str, id: &str) -> Result<Doc> {
    session.wait(&format!("{action} in container {id}"), |doc| {
        doc.text("event.action") == action && doc.text("container.id") == id
    })
}
