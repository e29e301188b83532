//! Processes that make traffic: this very executable, run as `scenarios load-worker JOB`.

use std::{
    io::{self, BufRead, Read, Write},
    net::{
        IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket,
    },
    ops::Range,
    os::fd::AsRawFd,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use socket2::{Domain, SockRef, Socket, Type};

use super::{names, odd};

/// What a client sends over a connection, bytes.
pub(crate) const REQUEST: usize = 100;
/// Bytes of a server's answer.
pub(crate) const ANSWER: usize = 300;
/// The end of a connection takes longer than this only if it is lost.
const ENDED: Duration = Duration::from_secs(60);

/// What a worker does. It says on standard output when it is there, and works until standard input is
/// closed or its work is done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Job {
    /// Answers connections, so many at a time, and says its port.
    Serve { address: Ipv4Addr, threads: u32 },
    /// Makes connections one after the other, in so many threads; each from an address of its own. Not more than
    /// `pace` a second, if it says so.
    Dial { server: SocketAddrV4, first: u32, count: u32, threads: u32, pace: Option<u32> },
    /// Makes connections and holds them until it is told to go on.
    Hold { server: SocketAddrV4, first: u32, count: u32 },
    /// Accepts connections, and closes each when its other end does so; says its port.
    Keep { address: Ipv4Addr, count: u32 },
    /// Makes two connections to itself, one after the other, between the same ends; packets follow
    /// the end of each client's socket.
    Redial { port: u16 },
    /// Begins connections, and waits for them to be made once it is told to go on.
    Begin { server: SocketAddrV4, count: u32 },
    /// Sends so many SYNs, each of which says that it is from another address; then nothing more.
    FloodSyns { server: SocketAddrV4, count: u32 },
    /// Tries to connect where nobody listens.
    Refused { count: u32 },
    /// Sends itself a datagram with so many IPv6 extension headers.
    Extended { address: Ipv6Addr, headers: u8 },
    /// Takes datagrams for any address and says its port.
    Sink,
    /// Sends so many datagrams to each of so many addresses, from one socket.
    Flood { port: u16, first: u32, peers: u32, each: u32 },
    /// Answers for names that go by numbers.
    Resolve,
    /// Asks for so many names and sends a datagram to each; says first the conversation with the server.
    Ask { port: u16, first: u32, count: u32 },
}

/// The ends of a connection: local, remote.
pub(crate) type Ends = (SocketAddrV4, SocketAddrV4);

/// More open files than any worker needs.
const DESCRIPTORS: libc::rlim_t = 65_536;

/// The address of a connection: no two connections of a load share one, so that no pair of ends occurs
/// twice even where the kernel takes up a port again.
pub(crate) fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 16, 0, 0)) + number)
}

/// Bytes of the datagrams that [`Job::Flood`] sends to a peer.
pub(crate) fn datagram(peer: u32) -> usize {
    1 + (peer % 1000) as usize
}

/// The inside of a worker.
pub fn main(job: &str) -> ExitCode {
    let work = || -> Result<()> {
        let job = serde_json::from_str(job).context("a job that makes no sense")?;
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        // A bare machine allows few, and whoever may raise the limit does.
        if setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS).is_err() {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        }
        perform(&job)
    };
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load worker {}: {job}: {error:#}", std::process::id());
            ExitCode::FAILURE
        }
    }
}

fn perform(job: &Job) -> Result<()> {
    match *job {
        Job::Serve { address, threads } => serve(address, threads),
        Job::Dial { server, first, count, threads, pace } => {
            dial(server, first, count, threads, pace)
        }
        Job::Hold { server, first, count } => hold(server, first, count),
        Job::Keep { address, count } => keep(address, count),
        Job::Redial { port } => odd::redial(port),
        Job::Begin { server, count } => odd::begin(server, count),
        Job::FloodSyns { server, count } => odd::flood_syns(server, count),
        Job::Refused { count } => odd::refused(count),
        Job::Extended { address, headers } => odd::extended(address, headers),
        Job::Sink => sink(),
        Job::Flood { port, first, peers, each } => flood(port, first..first + peers, each),
        Job::Resolve => names::resolve(),
        Job::Ask { port, first, count } => names::ask(port, first..first + count),
    }
}

pub(super) fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Waits until standard input is closed.
pub(super) fn wait_end() -> io::Result<()> {
    io::copy(&mut io::stdin(), &mut io::sink()).map(drop)
}

fn listen(address: Ipv4Addr) -> Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(address.into(), 0).into())?;
    socket.listen(4096)?;
    let listener = TcpListener::from(socket);
    say(&listener.local_addr()?.port().to_string())?;
    Ok(listener)
}

fn serve(address: Ipv4Addr, threads: u32) -> Result<()> {
    let listener = listen(address)?;
    for _ in 0..threads {
        let listener = listener.try_clone()?;
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if let Err(error) = answer(stream) {
                    eprintln!("load server: {error}");
                }
            }
        });
    }
    wait_end()?;
    // The threads wait for connections that will not come.
    std::process::exit(0)
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.read_exact(&mut [0; REQUEST])?;
    stream.write_all(&[0; ANSWER])?;
    // The client closes first.
    match stream.read(&mut [0; 1])? {
        0 => Ok(()),
        _ => Err(io::Error::other("more than was asked for")),
    }
}

/// Connects from an address; the kernel chooses the port when it knows both ends.
fn connect(from: Ipv4Addr, to: SocketAddrV4) -> Result<(TcpStream, Ends)> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let yes: libc::c_int = 1;
    // SAFETY: the value is valid for the length given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const yes).cast(),
            size_of_val(&yes) as libc::socklen_t,
        )
    };
    ensure!(result == 0, "IP_BIND_ADDRESS_NO_PORT: {}", io::Error::last_os_error());
    socket.bind(&SocketAddr::new(IpAddr::V4(from), 0).into())?;
    socket.connect(&SocketAddr::V4(to).into()).with_context(|| format!("{from} to {to}"))?;
    let stream = TcpStream::from(socket);
    let SocketAddr::V4(local) = stream.local_addr()? else { bail!("not an IPv4 socket") };
    Ok((stream, (local, to)))
}

fn dial(
    server: SocketAddrV4,
    first: u32,
    count: u32,
    threads: u32,
    pace: Option<u32>,
) -> Result<()> {
    let next = AtomicU32::new(0);
    let begun = Instant::now();
    let made = Mutex::new(Vec::new());
    let work = || -> Result<()> {
        let mut mine = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                break;
            }
            if let Some(pace) = pace {
                let due = Duration::from_secs(1) * number / pace;
                thread::sleep(due.saturating_sub(begun.elapsed()));
            }
            let (mut stream, ends) = connect(address(first + number), server)?;
            stream.write_all(&[0; REQUEST])?;
            stream.read_exact(&mut [0; ANSWER])?;
            mine.push(ends);
        }
        made.lock().unwrap_or_else(PoisonError::into_inner).append(&mut mine);
        Ok(())
    };
    thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??;
        }
        Ok(())
    })?;
    let made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
    report(&made)
}

/// Says which connections there were.
pub(super) fn report(made: &[Ends]) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout());
    for (local, remote) in made {
        writeln!(out, "{local} {remote}")?;
    }
    Ok(out.flush()?)
}

fn hold(server: SocketAddrV4, first: u32, count: u32) -> Result<()> {
    let mut held = Vec::with_capacity(count as usize);
    for number in 0..count {
        held.push(connect(address(first + number), server)?);
    }
    let ends: Vec<Ends> = held.iter().map(|(_, ends)| *ends).collect();
    report(&ends)?;
    say("held")?;
    let mut order = String::new();
    io::stdin().lock().read_line(&mut order)?;
    for (stream, _) in held {
        // Closes one after the other, each when the one before it was acknowledged: ends in their thousands
        // overflow what the kernel keeps of them at a time, and it drops them.
        SockRef::from(&stream).set_linger(Some(ENDED))?;
    }
    say("closed")?;
    wait_end().map_err(Into::into)
}

fn keep(address: Ipv4Addr, count: u32) -> Result<()> {
    let listener = listen(address)?;
    let mut held = Vec::with_capacity(count as usize);
    while held.len() < count as usize {
        held.push(listener.accept()?.0);
    }
    say("held")?;
    for (number, mut stream) in held.into_iter().enumerate() {
        // The first end comes when it comes, the others follow it.
        stream.set_read_timeout((number > 0).then_some(ENDED))?;
        let read = stream.read(&mut [0; 1]);
        let read = read.with_context(|| format!("waiting for the end of connection {number}"))?;
        ensure!(read == 0, "data on a connection that is to be idle");
    }
    say("closed")?;
    wait_end().map_err(Into::into)
}

fn sink() -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    say(&socket.local_addr()?.port().to_string())?;
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while socket.recv(&mut buffer).is_ok() {}
    });
    wait_end()?;
    std::process::exit(0)
}

fn flood(port: u16, peers: Range<u32>, each: u32) -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let SocketAddr::V4(local) = socket.local_addr()? else { bail!("not an IPv4 socket") };
    for _ in 0..each {
        for peer in peers.clone() {
            let data = vec![0; datagram(peer)];
            let sent = socket.send_to(&data, (address(peer), port))?;
            ensure!(sent == data.len(), "a datagram was cut");
        }
    }
    let made: Vec<Ends> =
        peers.map(|peer| (local, SocketAddrV4::new(address(peer), port))).collect();
    drop(socket);
    report(&made)?;
    Ok(())
}
