//! Steps on one socket.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, AsRawFd},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::{fcntl::SpliceFFlags, sys::sendfile::sendfile};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::{executor::plain, protocol::Reply};

/// No step waits longer than this for the other side.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn limit(socket: &Socket) -> io::Result<()> {
    socket.set_read_timeout(Some(LIMIT))?;
    socket.set_write_timeout(Some(LIMIT))
}

fn tcp(address: SocketAddr) -> Result<Socket> {
    stream(address, Protocol::TCP)
}

fn stream(address: SocketAddr, protocol: Protocol) -> Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(protocol))?;
    limit(&socket)?;
    // Segments leave when they are written, so that each scenario's packets are the same every time.
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

pub(super) fn bind(address: SocketAddr) -> Result<Socket> {
    let socket = tcp(address)?;
    socket.bind(&address.into()).with_context(|| format!("binding to {address}"))?;
    Ok(socket)
}

pub(super) fn listen(address: SocketAddr) -> Result<Socket> {
    listen_on(tcp(address)?, address)
}

pub(super) fn listen_mptcp(address: SocketAddr) -> Result<Socket> {
    listen_on(stream(address, Protocol::MPTCP)?, address)
}

fn listen_on(socket: Socket, address: SocketAddr) -> Result<Socket> {
    socket.set_reuse_address(true)?;
    socket.bind(&address.into()).with_context(|| format!("binding to {address}"))?;
    socket.listen(1024)?;
    Ok(socket)
}

pub(super) fn listen_anywhere() -> Result<Socket> {
    let socket = tcp(SocketAddr::from(([0, 0, 0, 0], 0)))?;
    socket.listen(1024)?;
    Ok(socket)
}

pub(super) fn connect(address: SocketAddr) -> Result<Socket> {
    connect_with(tcp(address)?, address)
}

pub(super) fn connect_mptcp(address: SocketAddr) -> Result<Socket> {
    connect_with(stream(address, Protocol::MPTCP)?, address)
}

fn connect_with(socket: Socket, address: SocketAddr) -> Result<Socket> {
    socket.connect(&address.into()).with_context(|| format!("connecting to {address}"))?;
    Ok(socket)
}

/// Connects from a local address, any port.
pub(super) fn connect_from(local: IpAddr, address: SocketAddr) -> Result<Socket> {
    let socket = tcp(address)?;
    socket
        .bind(&SocketAddr::new(local, 0).into())
        .with_context(|| format!("binding to {local}"))?;
    socket.connect(&address.into()).with_context(|| format!("connecting to {address}"))?;
    Ok(socket)
}

pub(super) fn raw(protocol: i32, address: SocketAddr) -> Result<Socket> {
    let protocol = Protocol::from(protocol);
    let socket = Socket::new(Domain::for_address(address), Type::RAW, Some(protocol))?;
    limit(&socket)?;
    socket.bind(&address.into()).with_context(|| format!("binding to {address}"))?;
    Ok(socket)
}

pub(super) fn udp(address: SocketAddr) -> Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    limit(&socket)?;
    socket.bind(&address.into()).with_context(|| format!("binding to {address}"))?;
    Ok(socket)
}

pub(super) fn send(mut socket: &Socket, bytes: u64, to: Option<SocketAddr>) -> Result<Reply> {
    if socket.r#type()? == Type::DGRAM {
        let datagram = vec![b'd'; bytes as usize];
        let sent = match to {
            Some(to) => socket.send_to(&datagram, &SockAddr::from(to))?,
            None => socket.send(&datagram)?,
        };
        ensure!(sent as u64 == bytes, "only {sent} of {bytes} bytes were sent");
        return Ok(Reply::Done);
    }
    let chunk = vec![b's'; (bytes as usize).min(128 << 10)];
    let mut left = bytes;
    while left > 0 {
        let part = chunk.get(..left.min(chunk.len() as u64) as usize).unwrap_or(&chunk);
        socket.write_all(part)?;
        left -= part.len() as u64;
    }
    Ok(Reply::Done)
}

pub(super) fn send_bytes(
    mut socket: &Socket,
    payload: &[u8],
    to: Option<SocketAddr>,
) -> Result<Reply> {
    match to {
        Some(to) => {
            let sent = socket.send_to(payload, &SockAddr::from(to))?;
            ensure!(sent == payload.len(), "only {sent} of {} bytes were sent", payload.len());
        }
        None => socket.write_all(payload)?,
    }
    Ok(Reply::Done)
}

/// setsockopt(2).
pub(super) fn set_option(socket: &Socket, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    // SAFETY: the value is valid for the length given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            value.as_ptr().cast(),
            value.len() as libc::socklen_t,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

pub(super) fn receive(mut socket: &Socket, bytes: u64) -> Result<Reply> {
    let mut buffer = vec![0; 128 << 10];
    if socket.r#type()? == Type::DGRAM {
        let from = socket.peer_addr().ok();
        let (bytes, from) = match from {
            Some(from) => (socket.read(&mut buffer)? as u64, from),
            None => receive_from(socket, &mut buffer)?,
        };
        return Ok(Reply::Received { bytes, from: from.as_socket().map(plain), reset: false });
    }
    let mut left = bytes;
    while left > 0 {
        let capacity = left.min(buffer.len() as u64) as usize;
        let got = socket.read(buffer.get_mut(..capacity).unwrap_or_default())?;
        ensure!(got > 0, "the peer closed with {left} of {bytes} bytes still to come");
        left -= got as u64;
    }
    Ok(Reply::Received { bytes, from: None, reset: false })
}

fn receive_from(socket: &Socket, buffer: &mut [u8]) -> Result<(u64, SockAddr)> {
    // SAFETY: u8 and MaybeUninit<u8> have the same layout, and receiving never writes uninitialised
    // bytes into the buffer.
    let capacity =
        unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast(), buffer.len()) };
    let (bytes, from) = socket.recv_from(capacity)?;
    Ok((bytes as u64, from))
}

/// Takes the datagrams that wait.
pub(super) fn waiting(mut socket: &Socket) -> Result<Reply> {
    socket.set_nonblocking(true)?;
    let mut buffer = vec![0; 64 << 10];
    let mut count = 0;
    loop {
        match socket.read(&mut buffer) {
            Ok(_) => count += 1,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error.into()),
        }
    }
    socket.set_nonblocking(false)?;
    Ok(Reply::Waited(count))
}

pub(super) fn peek(socket: &Socket) -> Result<Reply> {
    let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
    let bytes = socket.peek(&mut buffer)? as u64;
    Ok(Reply::Received { bytes, from: None, reset: false })
}

pub(super) fn drain(mut socket: &Socket) -> Result<Reply> {
    let mut buffer = vec![0; 128 << 10];
    let mut bytes = 0;
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return Ok(Reply::Received { bytes, from: None, reset: false }),
            Ok(got) => bytes += got as u64,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                return Ok(Reply::Received { bytes, from: None, reset: true });
            }
            Err(error) => return Err(error.into()),
        }
    }
}

pub(super) fn send_file(socket: &Socket, bytes: u64) -> Result<Reply> {
    // `memfd_create` comes with 3.17.
    let file = tempfile::tempfile()?;
    file.set_len(bytes)?;
    let mut left = bytes as usize;
    while left > 0 {
        // The file's own position moves on.
        let sent = sendfile(socket, &file, None, left)?;
        ensure!(sent > 0, "sendfile stopped with {left} of {bytes} bytes left");
        left -= sent;
    }
    Ok(Reply::Done)
}

pub(super) fn splice(socket: &Socket, bytes: u64) -> Result<Reply> {
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(&vec![b'p'; bytes as usize])?;
    drop(writer);
    let mut left = bytes as usize;
    while left > 0 {
        let sent = nix::fcntl::splice(
            reader.as_fd(),
            None,
            socket.as_fd(),
            None,
            left,
            SpliceFFlags::empty(),
        )?;
        ensure!(sent > 0, "splice stopped with {left} of {bytes} bytes left");
        left -= sent;
    }
    Ok(Reply::Done)
}

/// `TCP_SYNCNT`, see tcp(7).
pub(super) fn set_syn_retries(socket: &Socket, retries: u32) -> io::Result<()> {
    // SAFETY: the value is valid for the length given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_SYNCNT,
            std::ptr::from_ref(&retries).cast(),
            size_of::<u32>() as libc::socklen_t,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
