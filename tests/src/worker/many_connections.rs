//! Many short connections.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use socket2::Socket;

use super::{executor::plain, protocol::Reply, steps};

pub(super) fn burst(address: SocketAddr, count: u32, bytes: u64) -> Result<Reply> {
    let mut ends = Vec::with_capacity(count as usize);
    for index in 0..count {
        let socket = steps::connect_from(source(index), address)?;
        ends.push(both(&socket)?);
        steps::send(&socket, bytes, None)?;
        steps::receive(&socket, bytes)?;
    }
    Ok(Reply::ManyConnections(ends))
}

/// A loopback address of this process's own for each connection: no pair of ends occurs twice, even
/// where the kernel takes up the port of a connection that has just ended.
fn source(index: u32) -> IpAddr {
    let [.., high, low] = index.to_be_bytes();
    let process = 128 + (std::process::id() % 100) as u8;
    Ipv4Addr::new(127, process, high, low).into()
}

pub(super) fn serve(listener: &Socket, count: u32, bytes: u64) -> Result<Reply> {
    let mut ends = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let (socket, _) = listener.accept()?;
        steps::limit(&socket)?;
        ends.push(both(&socket)?);
        steps::receive(&socket, bytes)?;
        steps::send(&socket, bytes, None)?;
        steps::drain(&socket)?;
    }
    Ok(Reply::ManyConnections(ends))
}

fn both(socket: &Socket) -> Result<(SocketAddr, SocketAddr)> {
    let local = socket.local_addr()?.as_socket().context("not an IP socket")?;
    let remote = socket.peer_addr()?.as_socket().context("not an IP socket")?;
    Ok((plain(local), plain(remote)))
}
