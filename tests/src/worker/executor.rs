//! The process of a worker: executes one command after the other.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    os::fd::{AsRawFd, OwnedFd},
    process::ExitCode,
    thread,
};

use anyhow::{Context, Result, anyhow};
use nix::{
    sys::signal::{SigHandler, Signal, signal},
    unistd::{
        ForkResult, Gid, Uid, fork, getpid, setegid, seteuid, setgroups, setresgid, setresuid,
    },
};
use socket2::Socket;

use super::{
    channel::Channel,
    many_connections,
    protocol::{Command, LAST, Reply, Sock},
    sending, steps,
};

/// Takes steps that come over standard input until the other end is gone.
pub fn main() -> ExitCode {
    match perform() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("worker {}: {error:#}", getpid());
            ExitCode::FAILURE
        }
    }
}

fn perform() -> Result<()> {
    let control = io::stdin();
    let control = std::os::fd::AsFd::as_fd(&control).try_clone_to_owned()?;
    // SAFETY: no handler is installed, only the default behaviour changed: forked workers are reaped
    // by the kernel.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn)? };
    let mut executor = Executor {
        control: Channel::from_fd(control),
        link: None,
        sockets: HashMap::new(),
        last: LAST,
    };
    while let Some((command, fd)) = executor.control.receive::<Command>()? {
        let (reply, fd) = executor.answer(command, fd);
        executor.control.send(&reply, fd.as_ref().map(AsRawFd::as_raw_fd))?;
    }
    Ok(())
}

struct Executor {
    control: Channel,
    link: Option<Channel>,
    sockets: HashMap<i32, Socket>,
    last: i32,
}

impl Executor {
    fn answer(&mut self, command: Command, fd: Option<OwnedFd>) -> (Reply, Option<OwnedFd>) {
        let result = match command {
            Command::Fork => self.fork(),
            Command::Link => {
                self.link = fd.map(Channel::from_fd);
                Ok((Reply::Done, None))
            }
            other => self.step(other).map(|reply| (reply, None)),
        };
        result.unwrap_or_else(|error| {
            let errno = error
                .chain()
                .find_map(|cause| cause.downcast_ref::<io::Error>()?.raw_os_error())
                .unwrap_or_default();
            (Reply::Failed { errno, reason: format!("{error:#}") }, None)
        })
    }

    fn step(&mut self, command: Command) -> Result<Reply> {
        Ok(match command {
            Command::Listen { address } => self.keep(steps::listen(address)?)?,
            Command::ListenMptcp { address } => self.keep(steps::listen_mptcp(address)?)?,
            Command::ConnectMptcp { address } => self.keep(steps::connect_mptcp(address)?)?,
            Command::Raw { protocol, address } => self.keep(steps::raw(protocol, address)?)?,
            Command::ListenAnywhere => self.keep(steps::listen_anywhere()?)?,
            Command::Connect { address } => self.keep(steps::connect(address)?)?,
            Command::SynRetries { fd, retries } => {
                steps::set_syn_retries(self.socket(fd)?, retries)?;
                Reply::Done
            }
            Command::Nonblocking { fd } => {
                self.socket(fd)?.set_nonblocking(true)?;
                Reply::Done
            }
            Command::Bind { address } => self.keep(steps::bind(address)?)?,
            Command::ConnectBound { fd, address } => {
                self.socket(fd)?.connect(&address.into())?;
                Reply::Done
            }
            Command::Accept { fd } => {
                let (socket, _) = self.socket(fd)?.accept()?;
                steps::limit(&socket)?;
                self.keep(socket)?
            }
            Command::Udp { address } => self.keep(steps::udp(address)?)?,
            Command::UdpConnect { fd, address } => {
                self.socket(fd)?.connect(&address.into())?;
                Reply::Socket(describe(self.socket(fd)?)?)
            }
            Command::Disconnect { fd } => {
                sending::disconnect(self.socket(fd)?)?;
                Reply::Socket(describe(self.socket(fd)?)?)
            }
            Command::Describe { fd } => Reply::Socket(describe(self.socket(fd)?)?),
            Command::SendBy { fd, by, bytes, to } => {
                sending::send(self.socket(fd)?, by, bytes, to)?
            }
            Command::Send { fd, bytes, to } => steps::send(self.socket(fd)?, bytes, to)?,
            Command::SendBytes { fd, payload, to } => {
                steps::send_bytes(self.socket(fd)?, &payload, to)?
            }
            Command::SetOption { fd, level, name, value } => {
                steps::set_option(self.socket(fd)?, level, name, &value)?;
                Reply::Done
            }
            Command::Receive { fd, bytes } => steps::receive(self.socket(fd)?, bytes)?,
            Command::Peek { fd } => steps::peek(self.socket(fd)?)?,
            Command::ReceiveBuffer { fd, bytes } => {
                self.socket(fd)?.set_recv_buffer_size(bytes as usize)?;
                Reply::Done
            }
            Command::Waiting { fd } => steps::waiting(self.socket(fd)?)?,
            Command::Drain { fd } => steps::drain(self.socket(fd)?)?,
            Command::SendFile { fd, bytes } => steps::send_file(self.socket(fd)?, bytes)?,
            Command::Splice { fd, bytes } => steps::splice(self.socket(fd)?, bytes)?,
            Command::Shutdown { fd } => {
                self.socket(fd)?.shutdown(std::net::Shutdown::Write)?;
                Reply::Done
            }
            Command::Linger { fd } => {
                self.socket(fd)?.set_linger(Some(std::time::Duration::ZERO))?;
                Reply::Done
            }
            Command::Close { fd } => {
                self.sockets.remove(&fd).context("no such socket to close")?;
                Reply::Done
            }
            Command::Threaded(command) => self.threaded(*command)?,
            Command::Pass { fd } => self.pass(fd)?,
            Command::Take => self.take()?,
            Command::SetIds { uid, gid, effective } => {
                set_ids(Uid::from_raw(uid), Gid::from_raw(gid), effective)?
            }
            Command::Burst { address, count, bytes } => {
                many_connections::burst(address, count, bytes)?
            }
            Command::Serve { fd, count, bytes } => {
                many_connections::serve(self.socket(fd)?, count, bytes)?
            }
            Command::LastWords(commands) => {
                for command in commands {
                    self.step(command)?;
                }
                // Sockets are left to the kernel, as in a process that is done in a hurry.
                std::process::exit(0)
            }
            Command::Fork | Command::Link => return Err(anyhow!("not a step of its own")),
        })
    }

    fn socket(&self, fd: i32) -> Result<&Socket> {
        let fd = if fd == LAST { self.last } else { fd };
        self.sockets.get(&fd).with_context(|| format!("no socket {fd}"))
    }

    fn keep(&mut self, socket: Socket) -> Result<Reply> {
        let sock = describe(&socket)?;
        self.last = sock.fd;
        self.sockets.insert(sock.fd, socket);
        Ok(Reply::Socket(sock))
    }

    fn threaded(&mut self, command: Command) -> Result<Reply> {
        thread::scope(|scope| {
            scope.spawn(|| self.step(command)).join().map_err(|_| anyhow!("a thread panicked"))?
        })
    }

    fn pass(&mut self, fd: i32) -> Result<Reply> {
        let link = self.link.as_ref().context("not linked to another worker")?;
        let socket = self.sockets.remove(&fd).context("no such socket to pass")?;
        link.send(&(), Some(socket.as_raw_fd()))?;
        Ok(Reply::Done)
    }

    fn take(&mut self) -> Result<Reply> {
        let link = self.link.as_ref().context("not linked to another worker")?;
        let ((), fd) = link.receive()?.context("the linked worker is gone")?;
        self.keep(Socket::from(fd.context("no socket came")?))
    }

    fn fork(&mut self) -> Result<(Reply, Option<OwnedFd>)> {
        let (ours, theirs) = Channel::pair()?;
        // SAFETY: a worker has one thread while it takes a step that is not threaded, so the child
        // may go on like the parent.
        match unsafe { fork()? } {
            ForkResult::Parent { child } => {
                drop(ours);
                Ok((Reply::Forked { pid: child.as_raw().unsigned_abs() }, Some(theirs.into_fd())))
            }
            ForkResult::Child => {
                drop(theirs);
                self.control = ours;
                // The first message on the new channel says that the child is there.
                Ok((Reply::Done, None))
            }
        }
    }
}

fn describe(socket: &Socket) -> Result<Sock> {
    let local = socket.local_addr()?.as_socket().context("not an IP socket")?;
    let peer = socket.peer_addr().ok().and_then(|address| address.as_socket());
    Ok(Sock { fd: socket.as_raw_fd(), local: plain(local), peer: peer.map(plain) })
}

fn set_ids(uid: Uid, gid: Gid, effective: bool) -> Result<Reply> {
    if effective {
        setegid(gid)?;
        seteuid(uid)?;
        return Ok(Reply::Done);
    }
    setgroups(&[])?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    Ok(Reply::Done)
}

/// An address as it is on the wire: IPv4 where it is mapped into IPv6.
pub fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
