//! The two processes that make traffic: this very executable, run as `scenarios bench-worker PART`.
//!
//! The client is told on standard input what to do, `LOAD MILLISECONDS`, and answers what it has done,
//! `OPERATIONS NANOSECONDS`.

use std::{
    io::{self, BufRead as _, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::pin;

/// A kind of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Load {
    /// A byte there and a byte back, over one TCP connection.
    Rr,
    /// Connect, a byte there and a byte back, close: all the time another connection.
    Crr,
    /// All that fits, one way, over one TCP connection.
    Stream,
    /// Datagrams of 64 bytes, one way, [`BURST`] at a time.
    Udp,
}

impl Load {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rr, Self::Crr, Self::Stream, Self::Udp];

    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rr => "rr",
            Self::Crr => "crr",
            Self::Stream => "stream",
            Self::Udp => "udp",
        }
    }
}

/// End of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum End {
    /// Answers, and says its ports, one for each load.
    Server,
    /// Asks the server with the ports that it is told first.
    Client,
}

/// Datagrams that are sent before one is answered: few enough for any receive buffer.
const BURST: u64 = 32;
/// Bytes of a datagram.
const DATAGRAM: usize = 64;
/// Bytes that are written to a stream at a time.
const CHUNK: usize = 64 << 10;
/// Connections to one address have no more than the ephemeral ports; these are as many addresses.
const ADDRESSES: u32 = 64;
/// An answer takes longer than this only if it is lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// The inside of a worker.
pub fn main(end: End) -> ExitCode {
    pin::go_first();
    let result = match end {
        End::Server => serve(),
        End::Client => ask(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench {end:?}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<()> {
    let (mut ports, any) = (Vec::new(), Ipv4Addr::UNSPECIFIED);
    for load in Load::ALL {
        let serve: Box<dyn FnMut() -> io::Result<()> + Send> = if load == Load::Udp {
            let socket = UdpSocket::bind((any, 0))?;
            ports.push(socket.local_addr()?.port());
            Box::new(move || count(&socket))
        } else {
            let listener = TcpListener::bind((any, 0))?;
            ports.push(listener.local_addr()?.port());
            Box::new(move || answer(load, &listener))
        };
        let mut serve = serve;
        thread::spawn(move || {
            loop {
                if let Err(error) = serve() {
                    eprintln!("bench server: {}: {error}", load.name());
                }
            }
        });
    }
    say(&ports.iter().map(u16::to_string).collect::<Vec<_>>().join(" "))?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    // The threads wait for connections that will not come.
    std::process::exit(0)
}

/// One connection.
fn answer(load: Load, listener: &TcpListener) -> io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    if load == Load::Stream {
        let mut buffer = vec![0; 2 * CHUNK];
        while stream.read(&mut buffer)? > 0 {}
        return Ok(());
    }
    let mut byte = [0];
    while stream.read(&mut byte)? > 0 {
        stream.write_all(&byte)?;
    }
    Ok(())
}

/// One burst.
fn count(socket: &UdpSocket) -> io::Result<()> {
    let mut buffer = [0; DATAGRAM];
    for _ in 1..BURST {
        socket.recv(&mut buffer)?;
    }
    let (_, from) = socket.recv_from(&mut buffer)?;
    socket.send_to(&[0], from).map(drop)
}

fn ask() -> Result<()> {
    let mut lines = io::stdin().lock().lines();
    let ports = lines.next().context("no ports were told")??;
    let ports = ports.split(' ').map(str::parse).collect::<Result<Vec<u16>, _>>()?;
    for line in lines {
        let line = line?;
        let (name, millis) = line.split_once(' ').context("not an order")?;
        let load = Load::from_str(name, false).map_err(anyhow::Error::msg)?;
        let position = Load::ALL.iter().position(|known| *known == load);
        let port =
            position.and_then(|position| ports.get(position)).context("a load without a port")?;
        let (operations, took) = drive(load, *port, Duration::from_millis(millis.parse()?))?;
        say(&format!("{operations} {}", took.as_nanos()))?;
    }
    Ok(())
}

/// Makes a load for some time: what was done, and the time it took.
fn drive(load: Load, port: u16, time: Duration) -> Result<(u64, Duration)> {
    let server = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    match load {
        Load::Rr => {
            let mut stream = connect(server)?;
            timed(time, |_| {
                exchange(&mut stream)?;
                Ok(1)
            })
        }
        Load::Crr => timed(time, |number| {
            // 127.1.0.0 and further.
            let address = u32::from(Ipv4Addr::new(127, 1, 0, 0)) + (number as u32 % ADDRESSES);
            exchange(&mut connect(SocketAddrV4::new(address.into(), port))?)?;
            Ok(1)
        }),
        Load::Stream => {
            let (mut stream, chunk) = (connect(server)?, vec![0; CHUNK]);
            timed(time, |_| Ok(stream.write(&chunk)? as u64))
        }
        Load::Udp => {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.connect(server)?;
            timed(time, |_| {
                for _ in 0..BURST {
                    socket.send(&[0; DATAGRAM])?;
                }
                socket.recv(&mut [0]).context("a burst was not answered")?;
                Ok(BURST)
            })
        }
    }
}

fn timed(time: Duration, mut once: impl FnMut(u64) -> Result<u64>) -> Result<(u64, Duration)> {
    let (start, mut sum, mut number) = (Instant::now(), 0, 0);
    loop {
        let took = start.elapsed();
        if took >= time {
            return Ok((sum, took));
        }
        sum += once(number)?;
        number += 1;
    }
}

fn connect(to: SocketAddrV4) -> Result<TcpStream> {
    let stream = TcpStream::connect(to).with_context(|| format!("connecting to {to}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn exchange(stream: &mut TcpStream) -> Result<()> {
    stream.write_all(&[0])?;
    match stream.read(&mut [0])? {
        1 => Ok(()),
        _ => bail!("the server closed first"),
    }
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}
