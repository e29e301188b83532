//! From a flow record to its document.

use nix::errno::Errno;
use socket_common::{Began, FAMILY_IPV4, Flow, PROTO_TCP, Rank};

use super::{
    Metadata,
    document::{
        Address, Audit, Cgroup, Container, Document, DomainSource, Endpoint, Error, Event,
        Flow as FlowObject, Hex, InPod, Named, Netns, Network, Process as ProcessObject, Related,
        Socket, System, Tcp, Text, Udp,
    },
    ended::{self, Ended},
};
use crate::{
    dns::{Domain, Domains, Source},
    flow::{
        CommunityId, Direction, FlowRecord, address,
        role::{self, End},
        state,
    },
    process::Process,
};
use linux::{
    ERRNO,
    clock::{Clock, Timestamp},
};

/// `system.audit.socket.internal_version`: the form of what stands below `system.audit.socket`.
pub const INTERNAL_VERSION: &str = "2.0.0";

/// What a document is made of.
#[derive(Clone, Copy, Debug)]
pub struct FlowFacts<'a> {
    /// The flow.
    pub record: &'a FlowRecord,
    /// The process behind it, if its owner is known.
    pub process: Option<&'a Process>,
    /// Name of the owner's real user id.
    pub user: Option<&'a str>,
    /// Name of the owner's real group id.
    pub group: Option<&'a str>,
    /// The names of its ends.
    pub domains: &'a Domains,
    /// The time of the report.
    pub reported: Timestamp,
}

/// Appends the document, one line of JSON without its line feed, to a buffer.
///
/// # Errors
///
/// None in practice: the document has nothing that JSON cannot express and the buffer grows.
pub fn write_flow(
    facts: &FlowFacts<'_>,
    metadata: &Metadata,
    clock: &Clock,
    buffer: &mut Vec<u8>,
) -> serde_json::Result<()> {
    let record = facts.record;
    let flow = &record.flow;
    let tuple = &flow.tuple;
    let owned = flow.owner.pid != 0;
    let traffic = flow.traffic;

    let local = Endpoint {
        ip: address(tuple, tuple.local),
        port: tuple.local_port,
        domain: facts.domains.local.as_ref().map(|domain| &*domain.name),
        packets: traffic.packets_out,
        bytes: traffic.bytes_out,
    };
    let remote = Endpoint {
        ip: address(tuple, tuple.remote),
        port: tuple.remote_port,
        domain: facts.domains.remote.as_ref().map(|domain| &*domain.name),
        packets: traffic.packets_in,
        bytes: traffic.bytes_in,
    };
    let (client, server) = match role::client(record.direction, tuple) {
        End::Local => (local, remote),
        End::Remote => (remote, local),
    };
    let ips = [client.ip, server.ip];
    let mut hosts: Vec<&str> = [client.domain, server.domain].into_iter().flatten().collect();
    hosts.dedup();

    // A flow whose last packet was not timed has the length zero.
    let last = flow.last.max(flow.first);
    let outcome = state::connected(flow).map(|good| if good { "success" } else { "failure" });
    let reported = facts.reported.millis();
    let (start, end) = (clock.wall(flow.first).nanos(), clock.wall(last).nanos());
    let created = facts.process.map(|process| process.created.millis());
    let community_id = CommunityId::of(tuple);

    let document = Document {
        timestamp: Text(&reported),
        metadata: &metadata.metadata,
        event: Event {
            kind: "event",
            action: "network_flow",
            category: ["network"],
            types: event_types(record),
            outcome,
            module: "system",
            dataset: "socket",
            start: Text(&start),
            end: Text(&end),
            duration: last - flow.first,
        },
        error: error(flow),
        flow: FlowObject {
            id: Text(Hex(flow.id)),
            is_final: record.is_final,
            complete: record.complete,
        },
        network: Network {
            direction: direction_name(record.direction),
            kind: if tuple.family == FAMILY_IPV4 { "ipv4" } else { "ipv6" },
            transport: if tuple.protocol == PROTO_TCP { "tcp" } else { "udp" },
            packets: traffic.packets_out.saturating_add(traffic.packets_in),
            bytes: traffic.bytes_out.saturating_add(traffic.bytes_in),
            community_id: Text(&community_id),
        },
        source: client,
        destination: server,
        client,
        server,
        process: facts
            .process
            .zip(created.as_ref())
            .map(|(process, created)| ProcessObject::of(process, flow.owner.tid, created)),
        container: Container::of(facts.process),
        pod: InPod::of(facts.process),
        user: owned.then_some(Named { id: Text(flow.owner.uid), name: facts.user }),
        group: owned.then_some(Named { id: Text(flow.owner.gid), name: facts.group }),
        related: Related {
            ip: if ips[0] == ips[1] { &ips[..1] } else { &ips },
            hosts,
            user: facts.user.filter(|_| owned).map(|user| [user]),
        },
        system: System { audit: Audit { socket: socket_object(facts) } },
        service: &metadata.service,
        host: &metadata.host,
        agent: &metadata.agent,
        ecs: &metadata.ecs,
    };
    serde_json::to_writer(buffer, &document)
}

fn socket_object<'a>(facts: &FlowFacts<'a>) -> Socket<'a> {
    let flow = &facts.record.flow;
    let owner = &flow.owner;
    let owned = owner.pid != 0;
    let cgroup = Cgroup {
        id: (owner.cgroup != 0).then_some(Text(owner.cgroup)),
        path: facts.process.and_then(|process| process.cgroup_path.as_deref()),
    };
    Socket {
        kernel_sock_address: Text(Address(flow.sock)),
        internal_version: INTERNAL_VERSION,
        uid: owned.then_some(owner.uid),
        gid: owned.then_some(owner.gid),
        euid: owned.then_some(owner.euid),
        egid: owned.then_some(owner.egid),
        began: began_name(role::began(flow.began)),
        ended: Ended::of(flow, facts.record.cause).name(),
        owner: rank_name(flow.rank),
        domain: domain_source(facts.domains),
        netns: Netns { inode: flow.tuple.netns },
        cgroup: (cgroup.id.is_some() || cgroup.path.is_some()).then_some(cgroup),
        args_truncated: facts.process.filter(|process| process.image.args_truncated).map(|_| true),
        tcp: (flow.tuple.protocol == PROTO_TCP).then(|| Tcp {
            state: ended::state_name(flow.tcp.state),
            error: (flow.tcp.error != 0).then_some(flow.tcp.error),
            retransmits: (flow.tcp.counted != 0).then_some(flow.tcp.retransmits),
            srtt_us: (flow.tcp.srtt_us != 0).then_some(flow.tcp.srtt_us),
            connect_ns: (flow.tcp.connect_ns != 0).then_some(flow.tcp.connect_ns),
        }),
        udp: (flow.drops != 0).then_some(Udp { drops: flow.drops }),
    }
}

/// The error that a connection ended with.
fn error(flow: &Flow) -> Option<Error<'static>> {
    let code = ERRNO.name(flow.tcp.error).filter(|_| flow.tcp.error != 0)?;
    let number = i32::try_from(flow.tcp.error).unwrap_or(0);
    Some(Error { code, message: Errno::from_raw(number).desc() })
}

/// `event.type`: each connection has one document with `start`, if its beginning was seen, and one
/// with `end`, if its socket was closed.
const fn event_types(record: &FlowRecord) -> &'static [&'static str] {
    match (record.complete && record.is_first, record.is_final && record.flow.ended != 0) {
        (true, true) => &["info", "connection", "start", "end"],
        (true, false) => &["info", "connection", "start"],
        (false, true) => &["info", "connection", "end"],
        (false, false) => &["info", "connection"],
    }
}

fn domain_source(domains: &Domains) -> Option<DomainSource> {
    let name = |domain: &Option<Domain>| domain.as_ref().map(|domain| source_name(domain.source));
    let source = DomainSource { local: name(&domains.local), remote: name(&domains.remote) };
    (source.local.is_some() || source.remote.is_some()).then_some(source)
}

const fn source_name(source: Source) -> &'static str {
    match source {
        Source::Asked => "asked",
        Source::Inherited => "inherited",
        Source::Host => "host",
    }
}

const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
        Direction::Unknown => "unknown",
    }
}

const fn began_name(began: Began) -> &'static str {
    match began {
        Began::Midway => "midway",
        Began::Connect => "connect",
        Began::Accept => "accept",
        Began::Send => "send",
        Began::Receive => "receive",
        Began::Existing => "existing",
    }
}

pub(super) fn rank_name(rank: u8) -> &'static str {
    [
        (Rank::Holder, "holder"),
        (Rank::Creator, "creator"),
        (Rank::Listener, "listener"),
        (Rank::Opener, "opener"),
        (Rank::FirstIo, "first_io"),
    ]
    .into_iter()
    .find(|(known, _)| *known as u8 == rank)
    .map_or("unknown", |(_, name)| name)
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
