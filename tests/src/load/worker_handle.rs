//! Handles of the worker processes of a load, as the load itself holds them.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddrV4,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    expected_totals::SERVER,
    worker::{Ends, Job},
};
use crate::{net::Netns, worker::executable};

/// A worker. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct LoadWorker {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl LoadWorker {
    /// Starts a worker in a network namespace.
    pub(crate) fn start(netns: &Netns, job: &Job) -> Result<Self> {
        let mut workers = Self::start_all(netns, std::slice::from_ref(job))?;
        workers.pop().context("no worker was started")
    }

    /// Starts workers in a network namespace, in order.
    pub(crate) fn start_all(netns: &Netns, jobs: &[Job]) -> Result<Vec<Self>> {
        let program = executable()?;
        netns.run(|| jobs.iter().map(|job| Self::spawn(Command::new(&program), job)).collect())
    }

    fn spawn(mut command: Command, job: &Job) -> Result<Self> {
        command.arg("load-worker").arg(serde_json::to_string(job)?);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("starting a worker, {job:?}"))?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("a worker without output")?);
        Ok(Self { child, input, output })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line it says.
    pub(crate) fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line).context("reading from a worker")?;
        ensure!(!line.is_empty(), "worker {} ended before its time", self.pid());
        line.pop();
        Ok(line)
    }

    /// Waits for a line.
    pub(crate) fn expect(&mut self, expected: &str) -> Result<()> {
        let line = self.line()?;
        ensure!(line == expected, "worker {} says {line:?} and not {expected:?}", self.pid());
        Ok(())
    }

    /// The address of its server.
    pub(crate) fn server(&mut self) -> Result<SocketAddrV4> {
        let port = self.line()?;
        Ok(SocketAddrV4::new(SERVER, port.parse().context("a worker's port")?))
    }

    /// So many connections that it has made.
    pub(crate) fn made(&mut self, count: u32) -> Result<Vec<Ends>> {
        (0..count).map(|_| parse(&self.line()?)).collect()
    }

    /// Tells it to go on.
    pub(crate) fn go_on(&mut self) -> Result<()> {
        use std::io::Write as _;
        let input = self.input.as_mut().context("a worker that takes no orders")?;
        input.write_all(b"on\n").context("telling a worker to go on")
    }

    /// Lets it end and waits until it has.
    pub(crate) fn end(mut self) -> Result<()> {
        drop(self.input.take());
        let status = self.child.wait().context("waiting for a worker")?;
        ensure!(status.success(), "worker {}: {status}", self.pid());
        Ok(())
    }
}

impl Drop for LoadWorker {
    fn drop(&mut self) {
        // After `end` both do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parse(line: &str) -> Result<Ends> {
    let Some((local, remote)) = line.split_once(' ') else { bail!("{line:?} is no connection") };
    Ok((local.parse()?, remote.parse()?))
}
