//! The tree of a flow document. Names and meaning are those of ECS except where noted.

use std::{fmt, net::IpAddr};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Writes a value's display form as a JSON string.
pub(super) struct Text<T>(pub(super) T);

#[derive(Serialize)]
pub(super) struct Document<'a> {
    /// When the record was made, like Beats.
    #[serde(rename = "@timestamp")]
    pub(super) timestamp: Text<&'a dyn fmt::Display>,
    #[serde(rename = "@metadata")]
    pub(super) metadata: &'a RawValue,
    pub(super) event: Event<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Error<'a>>,
    pub(super) flow: Flow,
    pub(super) network: Network<'a>,
    pub(super) source: Endpoint<'a>,
    pub(super) destination: Endpoint<'a>,
    pub(super) client: Endpoint<'a>,
    pub(super) server: Endpoint<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) process: Option<Process<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) container: Option<Container<'a>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) pod: Option<InPod<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<Named<'a>>,
    pub(super) related: Related<'a>,
    pub(super) system: System<'a>,
    pub(super) service: &'a RawValue,
    pub(super) host: &'a RawValue,
    pub(super) agent: &'a RawValue,
    pub(super) ecs: &'a RawValue,
}

/// The errno that a connect failed with, or that ended a connection.
#[derive(Serialize)]
pub(super) struct Error<'a> {
    /// Its name, such as `ECONNREFUSED`.
    pub(super) code: &'a str,
    /// In words.
    pub(super) message: &'a str,
}

#[derive(Serialize)]
pub(super) struct Event<'a> {
    pub(super) kind: &'static str,
    pub(super) action: &'static str,
    pub(super) category: [&'static str; 1],
    #[serde(rename = "type")]
    pub(super) types: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<&'static str>,
    pub(super) module: &'static str,
    pub(super) dataset: &'static str,
    pub(super) start: Text<&'a dyn fmt::Display>,
    pub(super) end: Text<&'a dyn fmt::Display>,
    /// Nanoseconds.
    pub(super) duration: u64,
}

/// Not in ECS: `flow`.
#[derive(Serialize)]
pub(super) struct Flow {
    /// The same in all records of a flow; unique together with `agent.ephemeral_id`.
    pub(super) id: Text<Hex>,
    /// What this record counts is counted in no other: always so in this version.
    #[serde(rename = "final")]
    pub(super) is_final: bool,
    /// The handshake, from connect or accept on, lies in this record. Never so for UDP.
    pub(super) complete: bool,
}

#[derive(Serialize)]
pub(super) struct Network<'a> {
    pub(super) direction: &'static str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) transport: &'static str,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) community_id: Text<&'a dyn fmt::Display>,
}

#[derive(Clone, Copy, Serialize)]
pub(super) struct Endpoint<'a> {
    pub(super) ip: IpAddr,
    pub(super) port: u16,
    /// The name that the address was asked for by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) domain: Option<&'a str>,
    /// Sent by this end.
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

#[derive(Serialize)]
pub(super) struct Process<'a> {
    pub(super) pid: u32,
    pub(super) name: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) args: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) executable: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) working_directory: Option<&'a str>,
    pub(super) start: Text<&'a dyn fmt::Display>,
    /// As `start`; not in ECS, but in the documents of Beats.
    pub(super) created: Text<&'a dyn fmt::Display>,
    pub(super) entity_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<Parent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thread: Option<Thread>,
}

impl<'a> Process<'a> {
    /// Of a process of the table; `thread` is 0 where none is known.
    pub(super) fn of(
        process: &'a crate::process::Process,
        thread: u32,
        created: &'a dyn fmt::Display,
    ) -> Self {
        let image = &process.image;
        Self {
            pid: process.pid,
            name: &image.name,
            args: &image.args,
            executable: image.executable.as_deref(),
            working_directory: image.working_directory.as_deref(),
            start: Text(created),
            created: Text(created),
            entity_id: &process.entity_id,
            parent: (process.parent_pid != 0).then_some(Parent { pid: process.parent_pid }),
            thread: (thread != 0).then_some(Thread { id: thread }),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Parent {
    pub(super) pid: u32,
}

#[derive(Serialize)]
pub(super) struct Thread {
    pub(super) id: u32,
}

#[derive(Serialize)]
pub(super) struct Container<'a> {
    pub(super) id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) runtime: Option<&'static str>,
}

/// The Kubernetes pod that a container belongs to, as ECS has it and as Beats have it.
#[derive(Serialize)]
pub(super) struct InPod<'a> {
    orchestrator: Orchestrator<'a>,
    kubernetes: Kubernetes<'a>,
}

#[derive(Serialize)]
struct Orchestrator<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    resource: Resource<'a>,
}

#[derive(Serialize)]
struct Resource<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
}

#[derive(Serialize)]
struct Kubernetes<'a> {
    pod: Pod<'a>,
}

#[derive(Serialize)]
struct Pod<'a> {
    uid: &'a str,
}

/// A user or a group.
#[derive(Serialize)]
pub(super) struct Named<'a> {
    pub(super) id: Text<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct Related<'a> {
    pub(super) ip: &'a [IpAddr],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) hosts: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<[&'a str; 1]>,
}

#[derive(Serialize)]
pub(super) struct System<'a> {
    pub(super) audit: Audit<'a>,
}

#[derive(Serialize)]
pub(super) struct Audit<'a> {
    pub(super) socket: Socket<'a>,
}

/// Not in ECS: `system.audit.socket`.
#[derive(Serialize)]
pub(super) struct Socket<'a> {
    /// Of the `struct sock`.
    pub(super) kernel_sock_address: Text<Address>,
    /// Of the form of this object.
    pub(super) internal_version: &'static str,
    /// Real user id of the owner; the other three as their names say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) euid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) egid: Option<u32>,
    /// How it began: `connect`, `accept`, `send`, `receive`, `existing` (the socket was open when
    /// the agent started) or `midway` (the socket's beginning was not seen).
    pub(super) began: &'static str,
    /// See [`Ended`](super::Ended).
    pub(super) ended: &'static str,
    /// How the owner was found: `first_io` (sent or received first), `opener` (called connect or
    /// accept), `listener` (owns the listening socket), `creator` (created or bound the socket),
    /// `holder` (had its descriptor at the agent's start) or `unknown`.
    pub(super) owner: &'static str,
    /// How the domain of each end was found; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) domain: Option<DomainSource>,
    pub(super) netns: Netns,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cgroup: Option<Cgroup<'a>>,
    /// The process had more or longer arguments than `process.args` shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) args_truncated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tcp: Option<Tcp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) udp: Option<Udp>,
}

/// `asked` (the process asked for it itself), `inherited` (an ancestor did) or `host` (another
/// process of the host did).
#[derive(Serialize)]
pub(super) struct DomainSource {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) local: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remote: Option<&'static str>,
}

#[derive(Serialize)]
pub(super) struct Netns {
    /// Inode number of the network namespace.
    pub(super) inode: u32,
}

#[derive(Serialize)]
pub(super) struct Cgroup<'a> {
    /// Cgroup v2 id; text, as it may need more bits than a double has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<Text<u64>>,
    /// Below the mount point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct Tcp {
    /// The state that it is in, or that it left to be closed; absent if not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<&'static str>,
    /// The socket's error, an errno.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<u32>,
    /// Retransmitted segments; absent if not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retransmits: Option<u32>,
    /// Smoothed round-trip time, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) srtt_us: Option<u32>,
    /// From SYN to established, nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) connect_ns: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct Udp {
    /// Datagrams that the socket has dropped.
    pub(super) drops: u32,
}

/// Displays as sixteen hexadecimal digits.
pub(super) struct Hex(pub(super) u64);

/// Displays as a kernel address.
pub(super) struct Address(pub(super) u64);

// === impl Container ===

impl<'a> Container<'a> {
    /// The container of a process, if it is in one.
    pub(super) fn of(process: Option<&'a crate::process::Process>) -> Option<Self> {
        let container = process?.container.as_deref()?;
        Some(Self { id: &container.id, runtime: container.runtime })
    }
}

// === impl InPod ===

impl<'a> InPod<'a> {
    /// The pod of a process, if it is in one.
    pub(super) fn of(process: Option<&'a crate::process::Process>) -> Option<Self> {
        let uid = process?.container.as_deref()?.pod_uid.as_deref()?;
        Some(Self {
            orchestrator: Orchestrator {
                kind: "kubernetes",
                resource: Resource { kind: "pod", id: uid },
            },
            kubernetes: Kubernetes { pod: Pod { uid } },
        })
    }
}

// === impl Text ===

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

// === impl Hex ===

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

// === impl Address ===

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#018x}", self.0)
    }
}
