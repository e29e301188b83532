//! Workers: processes that make traffic step by step, as a scenario tells them.
//!
//! A worker is this very executable run as `scenarios role NAME`, so a machine needs no other
//! program. Every step is answered before the next is taken, which makes the order of packets, and so
//! the truth, the same every time.

mod channel;
mod executor;
mod many_connections;
pub mod one_shot;
mod protocol;
mod sending;
mod steps;
pub mod uring;

use std::{
    cell::RefCell,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command as Process, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use self::channel::Channel;
pub use self::{
    executor::{main, plain},
    protocol::{Command, LAST, Reply, Sock},
    sending::By,
};
use crate::net::Netns;

/// What a scenario waits for comes within this time, on an emulated machine too.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// No answer takes longer than this.
const ANSWER: Duration = Duration::from_secs(90);

/// A process under a scenario's control. It exits when it is dropped.
#[derive(Debug)]
pub struct Worker {
    channel: Channel,
    pid: u32,
    arguments: Vec<String>,
    /// `None` for a forked worker, which the kernel reaps.
    child: Option<Child>,
}

thread_local! {
    static SPAWNED: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

impl Worker {
    /// Starts a worker in a network namespace. `name` shows in its arguments.
    pub fn spawn(netns: &Netns, name: &str) -> Result<Self> {
        let (ours, theirs) = Channel::pair()?;
        ours.set_limit(ANSWER)?;
        let program = executable()?;
        let mut process = Process::new(&program);
        process.args(["role", name]).stdin(Stdio::from(theirs.into_fd())).stdout(Stdio::null());
        let child =
            netns.run(|| process.spawn().with_context(|| format!("starting worker {name}")))?;
        let arguments =
            [&*program.to_string_lossy(), "role", name].map(str::to_owned).into_iter().collect();
        SPAWNED.with_borrow_mut(|spawned| spawned.push(child.id()));
        Ok(Self { channel: ours, pid: child.id(), arguments, child: Some(child) })
    }

    /// Process ids of the workers that this thread has started since it was last asked.
    pub fn take_spawned() -> Vec<u32> {
        SPAWNED.take()
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The arguments it was started with, the program's first; a forked worker has its parent's.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    fn name(&self) -> &str {
        self.arguments.last().map_or("", String::as_str)
    }

    /// Begins a step without waiting for its answer; [`Worker::finish`] does that.
    pub fn begin(&self, command: &Command) -> Result<()> {
        self.channel.send(command, None)
    }

    /// Waits for the answer to [`Worker::begin`].
    ///
    /// # Errors
    /// If the step failed.
    pub fn finish(&self) -> Result<Reply> {
        match self.answer()? {
            Reply::Failed { errno, reason } => {
                bail!("worker {} ({}): {reason} (errno {errno})", self.name(), self.pid)
            }
            reply => Ok(reply),
        }
    }

    /// Takes a step.
    pub fn step(&self, command: &Command) -> Result<Reply> {
        self.begin(command)?;
        self.finish().with_context(|| format!("{command:?}"))
    }

    /// Takes a step that has to fail, and returns its errno.
    pub fn fail(&self, command: &Command) -> Result<i32> {
        self.begin(command)?;
        match self.answer()? {
            Reply::Failed { errno, reason: _ } => Ok(errno),
            other => bail!("{command:?} should have failed, but: {other:?}"),
        }
    }

    fn answer(&self) -> Result<Reply> {
        let name = self.name();
        let (reply, _) = self
            .channel
            .receive()
            .with_context(|| format!("worker {name}"))?
            .with_context(|| format!("worker {name} is gone"))?;
        Ok(reply)
    }

    /// Takes a step that opens a socket.
    pub fn socket(&self, command: &Command) -> Result<Sock> {
        match self.step(command)? {
            Reply::Socket(sock) => Ok(sock),
            other => bail!("{command:?}: expected a socket, got {other:?}"),
        }
    }

    /// TCP: listens.
    pub fn listen(&self, address: SocketAddr) -> Result<Sock> {
        self.socket(&Command::Listen { address })
    }

    /// TCP: connects.
    pub fn connect(&self, address: SocketAddr) -> Result<Sock> {
        self.socket(&Command::Connect { address })
    }

    /// TCP: accepts.
    pub fn accept(&self, listener: Sock) -> Result<Sock> {
        self.socket(&Command::Accept { fd: listener.fd })
    }

    /// TCP: binds without connecting.
    pub fn bind(&self, address: SocketAddr) -> Result<Sock> {
        self.socket(&Command::Bind { address })
    }

    /// UDP: binds.
    pub fn udp(&self, address: SocketAddr) -> Result<Sock> {
        self.socket(&Command::Udp { address })
    }

    /// UDP: connects.
    pub fn udp_connect(&self, sock: Sock, address: SocketAddr) -> Result<Sock> {
        self.socket(&Command::UdpConnect { fd: sock.fd, address })
    }

    /// UDP: disconnects; returns the socket as it is then.
    pub fn disconnect(&self, sock: Sock) -> Result<Sock> {
        self.socket(&Command::Disconnect { fd: sock.fd })
    }

    /// A socket as it is now: sending may give it a port.
    pub fn describe(&self, sock: Sock) -> Result<Sock> {
        self.socket(&Command::Describe { fd: sock.fd })
    }

    /// A raw socket of an IP protocol that hears what is sent to an address.
    pub fn raw(&self, protocol: i32, address: SocketAddr) -> Result<Sock> {
        self.socket(&Command::Raw { protocol, address })
    }

    /// Sends: all of it (TCP) or one datagram (connected UDP).
    pub fn send(&self, sock: Sock, bytes: u64) -> Result<()> {
        self.step(&Command::Send { fd: sock.fd, bytes, to: None }).map(drop)
    }

    /// UDP: sends one datagram.
    pub fn send_to(&self, sock: Sock, bytes: u64, to: SocketAddr) -> Result<()> {
        self.step(&Command::Send { fd: sock.fd, bytes, to: Some(to) }).map(drop)
    }

    /// Sends these bytes: all of them (TCP) or as one datagram, to `to` if it is not connected.
    pub fn send_bytes(&self, sock: Sock, payload: &[u8], to: Option<SocketAddr>) -> Result<()> {
        let payload = payload.to_vec();
        self.step(&Command::SendBytes { fd: sock.fd, payload, to }).map(drop)
    }

    /// Receives exactly `bytes` (TCP), or one datagram that has to be of that length (UDP); returns
    /// the datagram's sender.
    pub fn receive(&self, sock: Sock, bytes: u64) -> Result<Option<SocketAddr>> {
        match self.step(&Command::Receive { fd: sock.fd, bytes })? {
            Reply::Received { bytes: got, from, reset: false } if got == bytes => Ok(from),
            other => bail!("expected {bytes} bytes, got {other:?}"),
        }
    }

    /// Receives `bytes` until the peer's end of stream.
    pub fn drain(&self, sock: Sock, bytes: u64) -> Result<()> {
        match self.step(&Command::Drain { fd: sock.fd })? {
            Reply::Received { bytes: got, from: _, reset: false } if got == bytes => Ok(()),
            other => bail!("expected {bytes} bytes and the end, got {other:?}"),
        }
    }

    /// Waits for the peer to reset the connection.
    pub fn expect_reset(&self, sock: Sock) -> Result<()> {
        match self.step(&Command::Drain { fd: sock.fd })? {
            Reply::Received { reset: true, .. } => Ok(()),
            other => bail!("expected a reset, got {other:?}"),
        }
    }

    /// Half-closes.
    pub fn shutdown(&self, sock: Sock) -> Result<()> {
        self.step(&Command::Shutdown { fd: sock.fd }).map(drop)
    }

    /// Closes.
    pub fn close(&self, sock: Sock) -> Result<()> {
        self.step(&Command::Close { fd: sock.fd }).map(drop)
    }

    /// Closes with a reset.
    pub fn abort(&self, sock: Sock) -> Result<()> {
        self.step(&Command::Linger { fd: sock.fd })?;
        self.close(sock)
    }

    /// Forks; sockets keep their descriptors in the child.
    pub fn fork(&self) -> Result<Self> {
        self.begin(&Command::Fork)?;
        let (reply, fd) = self.channel.receive()?.context("the worker is gone")?;
        let (Reply::Forked { pid }, Some(fd)) = (reply, fd) else { bail!("the fork failed") };
        let channel = Channel::from_fd(fd);
        channel.set_limit(ANSWER)?;
        SPAWNED.with_borrow_mut(|spawned| spawned.push(pid));
        let child = Self { channel, pid, arguments: self.arguments.clone(), child: None };
        child.finish()?;
        Ok(child)
    }

    /// Connects two workers so that one can pass a socket to the other.
    pub fn link(&self, other: &Self) -> Result<()> {
        let (one, two) = Channel::pair()?;
        for (worker, end) in [(self, one), (other, two)] {
            let end = end.into_fd();
            worker.channel.send(&Command::Link, Some(std::os::fd::AsRawFd::as_raw_fd(&end)))?;
            worker.finish()?;
        }
        Ok(())
    }

    /// Hands a socket to a linked worker, and is left without it.
    pub fn pass(&self, sock: Sock, to: &Self) -> Result<Sock> {
        self.step(&Command::Pass { fd: sock.fd })?;
        to.socket(&Command::Take)
    }

    /// Takes last steps without a word; returns when the process is gone.
    pub fn last_words(&mut self, commands: Vec<Command>) -> Result<()> {
        self.begin(&Command::LastWords(commands))?;
        let mut child = self.child.take().context("only a spawned worker is waited for")?;
        match self.channel.receive::<Reply>()? {
            None => {}
            Some((reply, _)) => bail!("last words of {}: {reply:?}", self.name()),
        }
        let status = child.wait()?;
        ensure!(status.success(), "worker {} ended with {status}", self.name());
        Ok(())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // A step under way may be blocked; nothing it does is of interest any more.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// This executable, by its real path: that is what the agent has to report.
pub fn executable() -> Result<PathBuf> {
    std::env::current_exe().context("finding this executable")
}
