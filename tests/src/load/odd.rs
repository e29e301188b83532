//! Traffic that is out of the ordinary.

use std::{
    fs,
    io::{self, BufRead},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener, UdpSocket},
    os::fd::AsFd,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use socket2::{Domain, Protocol, Socket, Type};

use super::{
    expected_totals::SERVER,
    worker::{Ends, address, report, say, wait_end},
};

/// What has to happen happens within this time.
const LIMIT: Duration = Duration::from_secs(60);
/// A port that nobody listens on.
const CLOSED: u16 = 4;
/// Bytes of the smallest IPv6 extension header, and of a UDP header.
const HEADER: usize = 8;
/// `IPPROTO_DSTOPTS`, destination options.
const DESTINATION: u8 = 60;

/// Lets this thread run on one processor only.
fn go_to(processor: usize) -> nix::Result<()> {
    let mut set = CpuSet::new();
    set.set(processor)?;
    sched_setaffinity(Pid::from_raw(0), &set)
}

fn tcp() -> io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, None)
}

/// The second connection takes up the ends of the first, which the kernel allows after a second.
pub(super) fn redial(port: u16) -> Result<()> {
    let listener = TcpListener::bind((SERVER, 0))?;
    let server = listener.local_addr()?;
    let local = SocketAddrV4::new(address(0), port);
    let mut made: Vec<Ends> = Vec::new();
    let deadline = Instant::now() + LIMIT;
    while made.len() < 2 {
        let socket = tcp()?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::V4(local).into())?;
        match socket.connect(&server.into()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                ensure!(Instant::now() < deadline, "the ends are not free again");
                thread::sleep(Duration::from_millis(50));
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        let (accepted, _) = listener.accept()?;
        drop(socket);
        // Once this end's FIN is acknowledged its socket is gone, and that of the other end is late.
        while !is_half_closed(port)? {
            ensure!(Instant::now() < deadline, "a FIN is not acknowledged");
            thread::sleep(Duration::from_millis(10));
        }
        drop(accepted);
        made.push((local, SocketAddrV4::new(SERVER, server.port())));
    }
    report(&made)
}

/// Whether a local port waits for the other end's FIN.
fn is_half_closed(port: u16) -> Result<bool> {
    const FIN_WAIT2: &str = "05";
    let table = fs::read_to_string("/proc/thread-self/net/tcp").context("reading the sockets")?;
    let port = format!(":{port:04X}");
    Ok(table.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        fields.next().is_some_and(|local| local.ends_with(&port))
            && fields.nth(1) == Some(FIN_WAIT2)
    }))
}

pub(super) fn begin(server: SocketAddrV4, count: u32) -> Result<()> {
    let mut begun = Vec::new();
    for number in 0..count {
        // Two thirds on one processor, the rest on another, if there is one: the kernel has handshakes of each.
        if number == 0 || number == count / 3 * 2 {
            let _ = go_to(usize::from(number > 0));
        }
        let socket = tcp()?;
        socket.set_nonblocking(true)?;
        match socket.connect(&SocketAddr::V4(server).into()) {
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => begun.push(socket),
            other => bail!("a connect that should be under way: {other:?}"),
        }
    }
    say("begun")?;
    io::stdin().lock().read_line(&mut String::new())?;
    let limit = PollTimeout::try_from(LIMIT).unwrap_or(PollTimeout::MAX);
    for socket in &begun {
        let mut events = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
        ensure!(poll(&mut events, limit)? == 1, "a connection was not made in time");
        ensure!(socket.take_error()?.is_none(), "a connection failed");
    }
    say("connected")?;
    drop(begun);
    wait_end().map_err(Into::into)
}

/// SYNs of nobody, by a raw socket. What answers the server's answers is a reset of this host.
pub(super) fn flood_syns(server: SocketAddrV4, count: u32) -> Result<()> {
    // With this protocol the sender writes the IP header too.
    let raw = Protocol::from(libc::IPPROTO_RAW);
    let sender = Socket::new(Domain::IPV4, Type::RAW, Some(raw)).context("a raw socket")?;
    for number in 0..count {
        sender.send_to(&syn(address(number), server), &SocketAddr::V4(server).into())?;
    }
    say("flooded")?;
    wait_end().map_err(Into::into)
}

/// A SYN from an address. The kernel fills in length and checksum of the IP header.
fn syn(from: Ipv4Addr, to: SocketAddrV4) -> Vec<u8> {
    const TCP: u8 = 6;
    const PORT: u16 = 1000;
    const SYN: u8 = 2;
    let mut tcp = [PORT.to_be_bytes(), to.port().to_be_bytes()].concat();
    // Numbers, length of the header, flags, window, checksum, urgent pointer.
    tcp.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, SYN, 0x10, 0, 0, 0, 0, 0]);
    let mut summed = [from.octets(), to.ip().octets()].concat();
    summed.extend([0, TCP, 0, tcp.len() as u8]);
    summed.extend(&tcp);
    tcp[16..18].copy_from_slice(&folded(words(&summed)).to_be_bytes());
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, TCP, 0, 0];
    packet.extend(from.octets());
    packet.extend(to.ip().octets());
    packet.extend(tcp);
    packet
}

pub(super) fn refused(count: u32) -> Result<()> {
    let closed = SocketAddrV4::new(SERVER, CLOSED);
    let mut tried: Vec<Ends> = Vec::new();
    for number in 0..count {
        let from = SocketAddrV4::new(address(number), 0);
        let socket = tcp()?;
        socket.bind(&SocketAddr::V4(from).into())?;
        match socket.connect(&SocketAddr::V4(closed).into()) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                tried.push((from, closed));
            }
            other => bail!("a connect that should be refused: {other:?}"),
        }
    }
    report(&tried)
}

pub(super) fn extended(address: Ipv6Addr, headers: u8) -> Result<()> {
    let receiver =
        UdpSocket::bind((address, 0)).with_context(|| format!("binding to {address}"))?;
    receiver.set_read_timeout(Some(LIMIT))?;
    let port = receiver.local_addr()?.port();
    // With this protocol the sender writes the IPv6 header too.
    let raw = Protocol::from(libc::IPPROTO_RAW);
    let sender = Socket::new(Domain::IPV6, Type::RAW, Some(raw)).context("a raw socket")?;
    let packet = datagram(address, port, headers);
    let to = SocketAddr::V6(SocketAddrV6::new(address, 0, 0, 0));
    sender.send_to(&packet, &to.into())?;
    receiver.recv(&mut [0; HEADER]).context("the datagram does not arrive")?;
    say("arrived")?;
    wait_end().map_err(Into::into)
}

/// A datagram from an address to itself, behind destination options that pad.
fn datagram(address: Ipv6Addr, port: u16, headers: u8) -> Vec<u8> {
    const UDP: u8 = 17;
    let payload = [7; HEADER];
    let length = (HEADER + payload.len()) as u16;
    let mut udp = Vec::new();
    for field in [port, port, length, 0] {
        udp.extend(field.to_be_bytes());
    }
    udp.extend(payload);
    let checksum = checksum(address, &udp);
    udp[6..8].copy_from_slice(&checksum.to_be_bytes());

    let first = if headers == 0 { UDP } else { DESTINATION };
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((length + u16::from(headers) * HEADER as u16).to_be_bytes());
    packet.extend([first, 64]);
    packet.extend(address.octets());
    packet.extend(address.octets());
    for header in 1..=headers {
        let next = if header == headers { UDP } else { DESTINATION };
        // One option, PadN, with four bytes.
        packet.extend([next, 0, 1, 4, 0, 0, 0, 0]);
    }
    packet.extend(udp);
    packet
}

/// Over the pseudo header of RFC 8200, section 8.1, and the datagram.
fn checksum(address: Ipv6Addr, udp: &[u8]) -> u16 {
    folded(2 * words(&address.octets()) + udp.len() as u32 + 17 + words(udp))
}

/// The sum of words of 16 bits.
fn words(bytes: &[u8]) -> u32 {
    let words =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    words.sum()
}

/// The checksum that a sum makes.
fn folded(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
