//! Many short connections.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use socket2::Socket;

use super::{protocol::Reply, stage::plain, steps};

pub(super) fn burst(address: SocketAddr, count: u32, bytes: u64) -> Result<Reply> {
    let mut ends = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let socket = steps::connect(address)?;
        ends.push(both(&socket)?);
        steps::send(&socket, bytes, None)?;
        steps::receive(&socket, bytes)?;
    }
    Ok(Reply::Crowd(ends))
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
    Ok(Reply::Crowd(ends))
}

fn both(socket: &Socket) -> Result<(SocketAddr, SocketAddr)> {
    let local = socket.local_addr()?.as_socket().context("not an IP socket")?;
    let remote = socket.peer_addr()?.as_socket().context("not an IP socket")?;
    Ok((plain(local), plain(remote)))
}
