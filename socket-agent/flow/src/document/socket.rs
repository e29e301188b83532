//! Documents of sockets: those that are open, and those that open or close.

use std::net::IpAddr;

use ecs::{Encode, Key, Metadata, Writer, key};
use linux::{Clock, Timestamp};
use socket_common::{FAMILY_IPV4, PROTO_TCP, Tuple};
use uuid::Uuid;

use super::{ended, flow::INTERNAL_VERSION, owner::OwnerFacts};
use crate::{CommunityId, SocketRole, address};

/// Changes of sockets that are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketChange {
    /// It is open; the id is that of the report.
    Existing(Uuid),
    /// The socket was opened.
    Opened,
    /// The socket was closed.
    Closed,
}

/// What the document of a socket is made of.
#[derive(Clone, Copy, Debug)]
pub struct SocketDocument<'a> {
    /// Change of the socket.
    pub change: SocketChange,
    /// Addresses and network namespace.
    pub tuple: &'a Tuple,
    /// Role of the socket.
    pub role: SocketRole,
    /// Owner of the socket.
    pub owner: OwnerFacts<'a>,
    /// TCP state; absent if it is that of the role.
    pub state: Option<u8>,
    /// Inode number of the socket; 0 if unknown.
    pub inode: u64,
    /// Kernel address of the `struct sock`; 0 if unknown.
    pub sock: u64,
    /// The flow of a connection; 0 if unknown.
    pub flow: u64,
    /// Since when it is open, boottime nanoseconds; 0 if unknown.
    pub since: u64,
    /// Time of the close, boottime nanoseconds; 0 while the socket is open.
    pub closed: u64,
    /// The time of the report.
    pub reported: Timestamp,
    /// Kernel time to wall time.
    pub clock: &'a Clock,
    /// Host and agent.
    pub metadata: &'a Metadata,
}

/// One end of a socket.
type Endpoint = (IpAddr, u16);

// === impl SocketDocument ===

impl Encode for SocketDocument<'_> {
    fn encode<W: Writer>(&self, writer: &mut W) {
        let (source, destination) = self.ends();
        writer.ascii(key!("@timestamp"), self.reported.millis_ascii());
        writer.raw(key!("@metadata"), &self.metadata.metadata);
        writer.group(key!("event"), |event| self.encode_event(event));
        if self.flow != 0 {
            writer.group(key!("flow"), |flow| {
                flow.display(key!("id"), format_args!("{:016x}", self.flow));
            });
        }
        writer.group(key!("network"), |network| self.encode_network(network));
        for (key, end) in [
            (key!("source"), source),
            (key!("destination"), Some(destination)),
            (key!("client"), source),
            (key!("server"), Some(destination)),
        ] {
            encode_endpoint(writer, key, end);
        }
        self.owner.encode(writer);
        writer.group(key!("related"), |related| {
            let mut ips = vec![destination.0];
            ips.extend(source.map(|(ip, _)| ip).filter(|ip| *ip != destination.0));
            related.list_displayed(key!("ip"), &ips);
            self.owner.encode_related(related);
        });
        writer.group(key!("system"), |system| {
            system.group(key!("audit"), |audit| {
                audit.group(key!("socket"), |socket| self.encode_socket(socket));
            });
        });
        writer.raw(key!("service"), &self.metadata.service);
        self.metadata.encode_origin(writer);
    }
}

impl SocketDocument<'_> {
    /// Source and destination.
    fn ends(&self) -> (Option<Endpoint>, Endpoint) {
        let tuple = self.tuple;
        let local = (address(tuple, tuple.local), tuple.local_port);
        let remote = (address(tuple, tuple.remote), tuple.remote_port);
        match self.role {
            SocketRole::Listening => (None, local),
            SocketRole::Inbound => (Some(remote), local),
            SocketRole::Outbound => (Some(local), remote),
        }
    }

    fn encode_event(&self, event: &mut impl Writer) {
        let (kind, action, types): (_, _, &[&str]) = match self.change {
            SocketChange::Existing(_) => ("state", "existing_socket", &["info"]),
            SocketChange::Opened => ("event", "socket_opened", &["info", "start"]),
            SocketChange::Closed => ("event", "socket_closed", &["info", "end"]),
        };
        event.text(key!("kind"), kind);
        event.text(key!("action"), action);
        event.list(key!("category"), ["network"]);
        event.list(key!("type"), types);
        event.text(key!("module"), "system");
        event.text(key!("dataset"), "socket");
        if let SocketChange::Existing(id) = self.change {
            // The same in all documents of a report.
            event.display(key!("id"), id);
        }
        if self.since != 0 {
            event.display(key!("start"), self.clock.wall(self.since).nanos());
        }
        if self.closed != 0 {
            event.display(key!("end"), self.clock.wall(self.closed).nanos());
        }
        if self.since != 0 && self.closed != 0 {
            // Nanoseconds.
            event.number(key!("duration"), self.closed.saturating_sub(self.since));
        }
    }

    fn encode_network(&self, network: &mut impl Writer) {
        let tuple = self.tuple;
        network.text(key!("direction"), direction(self.role));
        network.text(key!("type"), if tuple.family == FAMILY_IPV4 { "ipv4" } else { "ipv6" });
        network.text(key!("transport"), if tuple.protocol == PROTO_TCP { "tcp" } else { "udp" });
        if self.role != SocketRole::Listening {
            network.display(key!("community_id"), CommunityId::of(tuple));
        }
    }

    /// `system.audit.socket`, which is not in ECS, as far as flows do not have the same.
    fn encode_socket(&self, socket: &mut impl Writer) {
        if self.sock != 0 {
            socket.display(key!("kernel_sock_address"), format_args!("{:#018x}", self.sock));
        }
        socket.text(key!("internal_version"), INTERNAL_VERSION);
        socket.maybe_number(key!("inode"), (self.inode != 0).then_some(self.inode));
        self.owner.encode_ids(socket);
        socket.text(key!("owner"), self.owner.rank_name());
        socket.group(key!("netns"), |netns| {
            netns.number(key!("inode"), self.tuple.netns.into());
        });
        self.owner.encode_cgroup(socket);
        let state = self.state.filter(|_| self.tuple.protocol == PROTO_TCP);
        if let Some(state) = state.and_then(ended::state_name) {
            socket.group(key!("tcp"), |tcp| tcp.text(key!("state"), state));
        }
    }
}

fn encode_endpoint(writer: &mut impl Writer, key: Key, end: Option<Endpoint>) {
    if let Some((ip, port)) = end {
        writer.group(key, |end| {
            end.display(key!("ip"), ip);
            end.number(key!("port"), port.into());
        });
    }
}

/// `network.direction`; `listening` is not among ECS's values, but in the documents of Beats.
pub fn direction(role: SocketRole) -> &'static str {
    match role {
        SocketRole::Listening => "listening",
        SocketRole::Inbound => "ingress",
        SocketRole::Outbound => "egress",
    }
}
