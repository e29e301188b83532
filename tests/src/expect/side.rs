//! One end of a conversation as it really was.

use std::net::SocketAddr;

use anyhow::{Context, Result};

use crate::{
    capture::Transport,
    worker::{Sock, Worker},
};

/// `network.direction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The remote end began.
    Ingress,
    /// The local end began.
    Egress,
    /// Not known: the end with the higher port is taken for the client.
    Unknown,
}

impl Direction {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
            Self::Unknown => "unknown",
        }
    }
}

/// One end of a conversation: what the agent has to say of it. Packets and bytes come from a capture.
#[derive(Clone, Debug)]
pub struct Side {
    pub(super) transport: Transport,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) direction: Direction,
    pub(super) pid: u32,
    pub(super) arguments: Vec<String>,
    /// `None` for this very program.
    pub(super) executable: Option<&'static str>,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Effective user and group, where they are others.
    pub(super) effective: Option<(u32, u32)>,
    pub(super) began: Option<&'static str>,
    pub(super) ended: Option<&'static str>,
    /// Empty if it must be absent.
    pub(super) outcome: &'static str,
    pub(super) complete: Option<bool>,
    pub(super) is_final: bool,
    /// Whether a capture can tell what the kernel takes for a retransmission.
    pub(super) counts_retransmits: bool,
}

impl Side {
    /// The end that called connect.
    pub fn connected(worker: &Worker, sock: Sock) -> Result<Self> {
        let side = Self::of(worker, Transport::Tcp, sock.local, peer(sock)?, Direction::Egress);
        Ok(side.began("connect").complete(true))
    }

    /// The end that accepted.
    pub fn accepted(worker: &Worker, sock: Sock) -> Result<Self> {
        let side = Self::of(worker, Transport::Tcp, sock.local, peer(sock)?, Direction::Ingress);
        Ok(side.began("accept").complete(true))
    }

    /// A UDP socket that sent first, and was closed.
    pub fn sender(worker: &Worker, local: SocketAddr, remote: SocketAddr) -> Self {
        let side = Self::of(worker, Transport::Udp, local, remote, Direction::Egress);
        side.began("send").ended("closed").complete(false)
    }

    /// A UDP socket that received first, and was closed.
    pub fn receiver(worker: &Worker, local: SocketAddr, remote: SocketAddr) -> Self {
        let side = Self::of(worker, Transport::Udp, local, remote, Direction::Ingress);
        side.began("receive").ended("closed").complete(false)
    }

    /// Any other.
    pub fn of(
        worker: &Worker,
        transport: Transport,
        local: SocketAddr,
        remote: SocketAddr,
        direction: Direction,
    ) -> Self {
        let arguments = worker.arguments().to_vec();
        Self::of_any(worker.pid(), arguments, transport, local, remote, direction)
    }

    /// A side of any process, with its arguments.
    pub fn of_any(
        pid: u32,
        arguments: Vec<String>,
        transport: Transport,
        local: SocketAddr,
        remote: SocketAddr,
        direction: Direction,
    ) -> Self {
        Self {
            transport,
            local,
            remote,
            direction,
            pid,
            arguments,
            executable: None,
            uid: 0,
            effective: None,
            gid: 0,
            began: None,
            ended: None,
            outcome: if transport == Transport::Tcp { "success" } else { "" },
            complete: None,
            is_final: true,
            counts_retransmits: true,
        }
    }

    /// The side of a process that is no worker.
    #[must_use]
    pub fn of_process(self, pid: u32) -> Self {
        Self { pid, ..self }
    }

    /// The side of a process of another user than root.
    #[must_use]
    pub fn user(self, uid: u32, gid: u32) -> Self {
        Self { uid, gid, ..self }
    }

    /// With other effective ids.
    #[must_use]
    pub fn acting_as(self, uid: u32, gid: u32) -> Self {
        Self { effective: Some((uid, gid)), ..self }
    }

    /// The side of a process with another executable.
    #[must_use]
    pub fn executable(self, path: &'static str) -> Self {
        Self { executable: Some(path), ..self }
    }

    /// `system.audit.socket.began`.
    #[must_use]
    pub fn began(self, began: &'static str) -> Self {
        Self { began: Some(began), ..self }
    }

    /// `system.audit.socket.ended`.
    #[must_use]
    pub fn ended(self, ended: &'static str) -> Self {
        Self { ended: Some(ended), ..self }
    }

    /// `event.outcome` is failure.
    #[must_use]
    pub fn failed(self) -> Self {
        Self { outcome: "failure", ..self }
    }

    /// `flow.complete`: the handshake lies within the record. Never so for UDP.
    #[must_use]
    pub fn complete(self, complete: bool) -> Self {
        Self { complete: Some(complete), ..self }
    }

    /// Further documents of the flow follow.
    #[must_use]
    pub fn not_final(self) -> Self {
        Self { is_final: false, ..self }
    }

    /// Of another direction than its beginning has it.
    #[must_use]
    pub fn direction(self, direction: Direction) -> Self {
        Self { direction, ..self }
    }

    /// Retransmissions are not compared.
    #[must_use]
    pub fn any_retransmits(self) -> Self {
        Self { counts_retransmits: false, ..self }
    }

    /// By what a capture knows it.
    pub fn key(&self) -> (Transport, SocketAddr, SocketAddr) {
        (self.transport, self.local, self.remote)
    }
}

fn peer(sock: Sock) -> Result<SocketAddr> {
    sock.peer.with_context(|| format!("{sock:?} is not connected"))
}
