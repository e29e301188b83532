//! The document of a flow. Names and meaning of fields are those of ECS except where noted.

use std::net::IpAddr;

use ecs::{Encode, Key, Metadata, Writer, key};
use linux::{Clock, ERRNO, Timestamp};
use nix::errno::Errno;
use socket_common::{Began, FAMILY_IPV4, Flow, PROTO_TCP};

use super::{
    ended::{self, Ended},
    owner::OwnerFacts,
};
use crate::{
    CommunityId, Direction, FlowRecord, address,
    dns::{Domain, Domains, Source},
    role::{self, End},
    state,
};

/// `system.audit.socket.internal_version`: the form of what stands below `system.audit.socket`.
pub const INTERNAL_VERSION: &str = "2.0.0";

/// Facts from which the document of a flow is made.
#[derive(Clone, Copy, Debug)]
pub struct FlowDocument<'a> {
    /// The flow.
    pub record: &'a FlowRecord,
    /// Owner of the flow.
    pub owner: OwnerFacts<'a>,
    /// The names of its ends.
    pub domains: &'a Domains,
    /// The time of the report.
    pub reported: Timestamp,
    /// Kernel time to wall time.
    pub clock: &'a Clock,
    /// Host and agent.
    pub metadata: &'a Metadata,
}

/// One end of a flow.
#[derive(Clone, Copy)]
struct Endpoint<'a> {
    ip: IpAddr,
    port: u16,
    /// The name that the address was asked for by.
    domain: Option<&'a str>,
    /// Sent by this end.
    packets: u64,
    bytes: u64,
}

// === impl FlowDocument ===

impl Encode for FlowDocument<'_> {
    fn encode<W: Writer>(&self, writer: &mut W) {
        let record = self.record;
        let flow = &record.flow;
        let (client, server) = self.ends();
        // When the record was made, like Beats.
        writer.ascii(key!("@timestamp"), self.reported.millis_ascii());
        writer.raw(key!("@metadata"), &self.metadata.metadata);
        writer.group(key!("event"), |event| self.encode_event(event));
        writer.group(key!("error"), |error| encode_error(error, flow));
        // Not in ECS.
        writer.group(key!("flow"), |of| {
            // The same in all records of a flow; unique together with `agent.ephemeral_id`.
            of.display(key!("id"), format_args!("{:016x}", flow.id));
            // No later record of the flow follows; the counts are those of its whole life.
            of.flag(key!("final"), record.is_final);
            // The handshake, from connect or accept on, lies in this record. Never so for UDP.
            of.flag(key!("complete"), record.complete);
        });
        writer.group(key!("network"), |network| self.encode_network(network));
        for (key, end) in [
            (key!("source"), client),
            (key!("destination"), server),
            (key!("client"), client),
            (key!("server"), server),
        ] {
            end.encode(writer, key);
        }
        self.owner.encode(writer);
        writer.group(key!("related"), |related| {
            let ips = [client.ip, server.ip];
            related.list_displayed(key!("ip"), if ips[0] == ips[1] { &ips[..1] } else { &ips });
            let mut hosts: Vec<&str> =
                [client.domain, server.domain].into_iter().flatten().collect();
            hosts.dedup();
            related.list_if_any(key!("hosts"), &hosts);
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

impl<'a> FlowDocument<'a> {
    /// Client and server.
    fn ends(&self) -> (Endpoint<'a>, Endpoint<'a>) {
        let tuple = &self.record.flow.tuple;
        let traffic = self.record.flow.traffic;
        let local = Endpoint {
            ip: address(tuple, tuple.local),
            port: tuple.local_port,
            domain: self.domains.local.as_ref().map(|domain| &*domain.name),
            packets: traffic.packets_out,
            bytes: traffic.bytes_out,
        };
        let remote = Endpoint {
            ip: address(tuple, tuple.remote),
            port: tuple.remote_port,
            domain: self.domains.remote.as_ref().map(|domain| &*domain.name),
            packets: traffic.packets_in,
            bytes: traffic.bytes_in,
        };
        match role::client(self.record.direction, tuple) {
            End::Local => (local, remote),
            End::Remote => (remote, local),
        }
    }

    fn encode_event(&self, event: &mut impl Writer) {
        let flow = &self.record.flow;
        event.text(key!("kind"), "event");
        event.text(key!("action"), "network_flow");
        event.list(key!("category"), ["network"]);
        event.list(key!("type"), event_types(self.record));
        let outcome = state::connected(flow).map(|good| if good { "success" } else { "failure" });
        event.maybe(key!("outcome"), outcome);
        event.text(key!("module"), "system");
        event.text(key!("dataset"), "socket");
        // A flow whose last packet was not timed has the length zero.
        let last = flow.last.max(flow.first);
        event.display(key!("start"), self.clock.wall(flow.first).nanos());
        event.display(key!("end"), self.clock.wall(last).nanos());
        // Nanoseconds.
        event.number(key!("duration"), last - flow.first);
    }

    fn encode_network(&self, network: &mut impl Writer) {
        let tuple = &self.record.flow.tuple;
        let traffic = self.record.flow.traffic;
        network.text(key!("direction"), direction_name(self.record.direction));
        network.text(key!("type"), if tuple.family == FAMILY_IPV4 { "ipv4" } else { "ipv6" });
        network.text(key!("transport"), if tuple.protocol == PROTO_TCP { "tcp" } else { "udp" });
        network.number(key!("packets"), traffic.packets_out.saturating_add(traffic.packets_in));
        network.number(key!("bytes"), traffic.bytes_out.saturating_add(traffic.bytes_in));
        network.display(key!("community_id"), CommunityId::of(tuple));
    }

    /// `system.audit.socket`, which is not in ECS.
    fn encode_socket(&self, socket: &mut impl Writer) {
        let flow = &self.record.flow;
        // Of the `struct sock`.
        socket.display(key!("kernel_sock_address"), format_args!("{:#018x}", flow.sock));
        socket.text(key!("internal_version"), INTERNAL_VERSION);
        self.owner.encode_ids(socket);
        // How it began: `connect`, `accept`, `send`, `receive`, `existing` (the socket was open when
        // the agent started) or `midway` (the socket's beginning was not seen).
        socket.text(key!("began"), began_name(role::began(flow.began)));
        socket.text(key!("ended"), Ended::of(flow, self.record.cause).name());
        socket.text(key!("owner"), self.owner.rank_name());
        // How the domain of each end was found; absent without one.
        socket.group(key!("domain"), |domain| {
            domain.maybe(key!("local"), source_name(self.domains.local.as_ref()));
            domain.maybe(key!("remote"), source_name(self.domains.remote.as_ref()));
        });
        // Inode number of the network namespace.
        socket.group(key!("netns"), |netns| {
            netns.number(key!("inode"), flow.tuple.netns.into());
        });
        self.owner.encode_cgroup(socket);
        if flow.tuple.protocol == PROTO_TCP {
            socket.always(key!("tcp"), |tcp| encode_tcp(tcp, flow));
        }
        if flow.drops != 0 {
            // Datagrams that the socket has dropped.
            socket.group(key!("udp"), |udp| udp.number(key!("drops"), flow.drops.into()));
        }
    }
}

// === impl Endpoint ===

impl Endpoint<'_> {
    fn encode(&self, writer: &mut impl Writer, key: Key) {
        writer.group(key, |end| {
            end.display(key!("ip"), self.ip);
            end.number(key!("port"), self.port.into());
            end.maybe(key!("domain"), self.domain);
            end.number(key!("packets"), self.packets);
            end.number(key!("bytes"), self.bytes);
        });
    }
}

/// What is known of the connection; each field is absent if it is not.
fn encode_tcp(tcp: &mut impl Writer, flow: &Flow) {
    let known = |value: u64| (value != 0).then_some(value);
    // The state that it is in, or that it left to be closed.
    tcp.maybe(key!("state"), ended::state_name(flow.tcp.state));
    // The socket's error, an errno.
    tcp.maybe_number(key!("error"), known(flow.tcp.error.into()));
    // Retransmitted segments.
    let counted = flow.tcp.counted != 0;
    tcp.maybe_number(key!("retransmits"), counted.then_some(flow.tcp.retransmits.into()));
    // Smoothed round-trip time, microseconds.
    tcp.maybe_number(key!("srtt_us"), known(flow.tcp.srtt_us.into()));
    // From SYN to established, nanoseconds.
    tcp.maybe_number(key!("connect_ns"), known(flow.tcp.connect_ns));
}

/// The error that a connect failed with, or that ended a connection.
fn encode_error(error: &mut impl Writer, flow: &Flow) {
    let Some(code) = ERRNO.name(flow.tcp.error).filter(|_| flow.tcp.error != 0) else { return };
    error.text(key!("code"), code);
    let number = i32::try_from(flow.tcp.error).unwrap_or(0);
    error.text(key!("message"), Errno::from_raw(number).desc());
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

/// `asked` (the process asked for it itself), `inherited` (an ancestor did) or `host` (another
/// process of the host did).
fn source_name(domain: Option<&Domain>) -> Option<&'static str> {
    domain.map(|domain| match domain.source {
        Source::Asked => "asked",
        Source::Inherited => "inherited",
        Source::Host => "host",
    })
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

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
