//! Documents of sockets: those that are open, and those that open or close.

use std::net::IpAddr;

use serde::Serialize;
use serde_json::value::RawValue;
use socket_common::{FAMILY_IPV4, Owner, PROTO_TCP, Rank, Tuple};
use uuid::Uuid;

use super::{
    Metadata,
    document::{
        Address, Cgroup, Container, Hex, InPod, Named, Netns, Process as ProcessObject, Text,
    },
    ended,
    flow::{INTERNAL_VERSION, rank_name},
};
use crate::{
    flow::{CommunityId, SocketRole, address},
    process::Process,
};
use linux::clock::{Clock, Timestamp};

/// What is told of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It is open; the id is that of the report.
    Existing(Uuid),
    /// It has been opened.
    Opened,
    /// It has been closed.
    Closed,
}

/// What a document is made of.
#[derive(Clone, Copy, Debug)]
pub struct SocketFacts<'a> {
    /// What has happened.
    pub happening: Happening,
    /// Addresses and network namespace.
    pub tuple: &'a Tuple,
    /// What the socket is for.
    pub role: SocketRole,
    /// Whose it is: ids, cgroup and thread, as far as they are known.
    pub owner: &'a Owner,
    /// How the owner was found: see [`Rank`].
    pub rank: u8,
    /// The process behind it, if its owner is known.
    pub process: Option<&'a Process>,
    /// Name of the owner's real user id.
    pub user: Option<&'a str>,
    /// Name of the owner's real group id.
    pub group: Option<&'a str>,
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
    /// When it was closed; 0 while it is open.
    pub closed: u64,
    /// The time of the report.
    pub reported: Timestamp,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: Text<&'a dyn std::fmt::Display>,
    #[serde(rename = "@metadata")]
    metadata: &'a RawValue,
    event: Event<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<FlowId>,
    network: Network<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Endpoint>,
    destination: Endpoint,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<Endpoint>,
    server: Endpoint,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<ProcessObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<Container<'a>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pod: Option<InPod<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Named<'a>>,
    related: Related<'a>,
    system: System<'a>,
    service: &'a RawValue,
    host: &'a RawValue,
    agent: &'a RawValue,
    ecs: &'a RawValue,
}

#[derive(Serialize)]
struct Event<'a> {
    kind: &'static str,
    action: &'static str,
    category: [&'static str; 1],
    #[serde(rename = "type")]
    types: &'static [&'static str],
    module: &'static str,
    dataset: &'static str,
    /// The same in all documents of a report.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Text<Uuid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Text<&'a dyn std::fmt::Display>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<Text<&'a dyn std::fmt::Display>>,
    /// Nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<u64>,
}

#[derive(Serialize)]
struct FlowId {
    id: Text<Hex>,
}

#[derive(Serialize)]
struct Network<'a> {
    direction: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    transport: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    community_id: Option<Text<&'a dyn std::fmt::Display>>,
}

#[derive(Clone, Copy, Serialize)]
struct Endpoint {
    ip: IpAddr,
    port: u16,
}

#[derive(Serialize)]
struct Related<'a> {
    ip: &'a [IpAddr],
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<[&'a str; 1]>,
}

#[derive(Serialize)]
struct System<'a> {
    audit: Audit<'a>,
}

#[derive(Serialize)]
struct Audit<'a> {
    socket: Socket<'a>,
}

/// Not in ECS: `system.audit.socket`, as far as flows do not have the same.
#[derive(Serialize)]
struct Socket<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel_sock_address: Option<Text<Address>>,
    internal_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    inode: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    euid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    egid: Option<u32>,
    owner: &'static str,
    netns: Netns,
    #[serde(skip_serializing_if = "Option::is_none")]
    cgroup: Option<Cgroup<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args_truncated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<Tcp>,
}

#[derive(Serialize)]
struct Tcp {
    state: &'static str,
}

/// Appends the document, one line of JSON without its line feed, to a buffer.
///
/// # Errors
///
/// None in practice: the document has nothing that JSON cannot express and the buffer grows.
pub fn write_socket(
    facts: &SocketFacts<'_>,
    metadata: &Metadata,
    clock: &Clock,
    buffer: &mut Vec<u8>,
) -> serde_json::Result<()> {
    let tuple = facts.tuple;
    let local = Endpoint { ip: address(tuple, tuple.local), port: tuple.local_port };
    let remote = Endpoint { ip: address(tuple, tuple.remote), port: tuple.remote_port };
    let (source, destination) = match facts.role {
        SocketRole::Listening => (None, local),
        SocketRole::Inbound => (Some(remote), local),
        SocketRole::Outbound => (Some(local), remote),
    };
    let mut ips = vec![destination.ip];
    ips.extend(source.map(|source| source.ip).filter(|ip| *ip != destination.ip));

    let reported = facts.reported.millis();
    let time = |at: u64| (at != 0).then(|| clock.wall(at).nanos());
    let (start, end) = (time(facts.since), time(facts.closed));
    let created = facts.process.map(|process| process.created.millis());
    let community_id = CommunityId::of(tuple);
    let owned = facts.owner.pid != 0;
    let kind = kind(facts.happening);
    let document = Document {
        timestamp: Text(&reported),
        metadata: &metadata.metadata,
        event: Event {
            kind: kind.kind,
            action: kind.action,
            category: ["network"],
            types: kind.types,
            module: "system",
            dataset: "socket",
            id: match facts.happening {
                Happening::Existing(id) => Some(Text(id)),
                Happening::Opened | Happening::Closed => None,
            },
            start: start.as_ref().map(|start| Text(start as _)),
            end: end.as_ref().map(|end| Text(end as _)),
            duration: (facts.since != 0 && facts.closed != 0)
                .then(|| facts.closed.saturating_sub(facts.since)),
        },
        flow: (facts.flow != 0).then_some(FlowId { id: Text(Hex(facts.flow)) }),
        network: Network {
            direction: direction(facts.role),
            kind: if tuple.family == FAMILY_IPV4 { "ipv4" } else { "ipv6" },
            transport: if tuple.protocol == PROTO_TCP { "tcp" } else { "udp" },
            community_id: (facts.role != SocketRole::Listening).then_some(Text(&community_id)),
        },
        source,
        destination,
        client: source,
        server: destination,
        process: facts
            .process
            .zip(created.as_ref())
            .map(|(process, created)| ProcessObject::of(process, facts.owner.tid, created)),
        container: Container::of(facts.process),
        pod: InPod::of(facts.process),
        user: owned.then_some(Named { id: Text(facts.owner.uid), name: facts.user }),
        group: owned.then_some(Named { id: Text(facts.owner.gid), name: facts.group }),
        related: Related { ip: &ips, user: facts.user.filter(|_| owned).map(|user| [user]) },
        system: System { audit: Audit { socket: socket(facts) } },
        service: &metadata.service,
        host: &metadata.host,
        agent: &metadata.agent,
        ecs: &metadata.ecs,
    };
    serde_json::to_writer(buffer, &document)
}

fn socket<'a>(facts: &SocketFacts<'a>) -> Socket<'a> {
    let owner = facts.owner;
    let owned = owner.pid != 0;
    let id = facts.process.map_or(owner.cgroup, |process| match owner.cgroup {
        0 => process.cgroup_id,
        id => id,
    });
    let cgroup = Cgroup {
        id: (id != 0).then_some(Text(id)),
        path: facts.process.and_then(|process| process.cgroup_path.as_deref()),
    };
    Socket {
        kernel_sock_address: (facts.sock != 0).then_some(Text(Address(facts.sock))),
        internal_version: INTERNAL_VERSION,
        inode: (facts.inode != 0).then_some(facts.inode),
        uid: owned.then_some(owner.uid),
        gid: owned.then_some(owner.gid),
        euid: owned.then_some(owner.euid),
        egid: owned.then_some(owner.egid),
        owner: if owned { rank_name(facts.rank) } else { rank_name(Rank::Unknown as u8) },
        netns: Netns { inode: facts.tuple.netns },
        cgroup: (cgroup.id.is_some() || cgroup.path.is_some()).then_some(cgroup),
        args_truncated: facts.process.filter(|process| process.image.args_truncated).map(|_| true),
        tcp: facts
            .state
            .filter(|_| facts.tuple.protocol == PROTO_TCP)
            .and_then(ended::state_name)
            .map(|state| Tcp { state }),
    }
}

struct Kind {
    kind: &'static str,
    action: &'static str,
    types: &'static [&'static str],
}

fn kind(happening: Happening) -> Kind {
    match happening {
        Happening::Existing(_) => {
            Kind { kind: "state", action: "existing_socket", types: &["info"] }
        }
        Happening::Opened => {
            Kind { kind: "event", action: "socket_opened", types: &["info", "start"] }
        }
        Happening::Closed => {
            Kind { kind: "event", action: "socket_closed", types: &["info", "end"] }
        }
    }
}

/// `network.direction`; `listening` is not among ECS's values, but in the documents of Beats.
pub(crate) fn direction(role: SocketRole) -> &'static str {
    match role {
        SocketRole::Listening => "listening",
        SocketRole::Inbound => "ingress",
        SocketRole::Outbound => "egress",
    }
}
