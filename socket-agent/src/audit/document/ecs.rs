//! The form of today. Names and meaning are those of ECS, except `auditd.*` and where noted.

use std::net::IpAddr;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    Context, Options,
    parts::{DataPart, Label, ObjectPart, PairPart, PathPart, Text},
    raw_messages, to_json,
    user::{self, Named, UserPart},
};
use crate::{
    audit::normalise::{self, Normal},
    event::ECS_VERSION,
};

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: Text<&'a dyn std::fmt::Display>,
    #[serde(rename = "@metadata", skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
    event: Event<'a>,
    auditd: Auditd<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserPart<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<Process<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<File<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Endpoint<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<Endpoint<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<Network>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<Container<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    related: Option<Related<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'a [std::borrow::Cow<'a, str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorPart>,
    service: Service,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<Host<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a RawValue>,
    ecs: Ecs,
}

#[derive(Serialize)]
struct Event<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    category: &'a [&'static str],
    #[serde(rename = "type")]
    types: &'a [&'static str],
    outcome: &'static str,
    module: &'static str,
    dataset: &'static str,
    sequence: u32,
    /// The records, one a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    original: Option<String>,
}

#[derive(Serialize)]
struct Auditd<'a> {
    message_type: &'a str,
    sequence: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    result: &'static str,
    summary: Summary<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    paths: Vec<PathPart<'a>>,
    data: DataPart<'a, 'a>,
}

#[derive(Serialize)]
struct Summary<'a> {
    #[serde(skip_serializing_if = "PairPart::is_empty")]
    actor: PairPart<'a>,
    #[serde(skip_serializing_if = "ObjectPart::is_empty")]
    object: ObjectPart<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    how: Option<&'a str>,
}

#[derive(Serialize)]
struct Process<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Parent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    executable: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_directory: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    args: &'a [std::borrow::Cow<'a, str>],
}

#[derive(Serialize)]
struct Parent {
    pid: u32,
}

#[derive(Serialize)]
struct File<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inode: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    /// Not in ECS.
    #[serde(skip_serializing_if = "Option::is_none")]
    selinux: Option<Label<'a>>,
}

#[derive(Serialize)]
struct Endpoint<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<&'a str>,
    /// Of a unix socket; not in ECS.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
}

#[derive(Serialize)]
struct Network {
    direction: &'static str,
}

#[derive(Serialize)]
struct Container<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime: Option<&'static str>,
}

#[derive(Serialize)]
struct Related<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    user: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ip: Vec<IpAddr>,
}

#[derive(Serialize)]
struct ErrorPart {
    message: String,
}

#[derive(Serialize)]
struct Service {
    #[serde(rename = "type")]
    kind: &'static str,
}

/// This host, or the one that a log names.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Host<'a> {
    This(&'a RawValue),
    Named { name: std::borrow::Cow<'a, str> },
}

#[derive(Serialize)]
struct Ecs {
    version: &'static str,
}

pub(super) fn write(
    normal: &Normal<'_>,
    context: &Context<'_>,
    options: Options,
    buffer: &mut Vec<u8>,
) -> serde_json::Result<()> {
    let timestamp = normal.event.id.stamp.time().millis();
    let kind = normal.kind.lower();
    let with_raw = options.include_raw_message || options.include_warnings;
    let with_warnings = options.include_warnings && !normal.warnings.is_empty();
    let document = Document {
        timestamp: Text(&timestamp),
        metadata: context.metadata.map(|metadata| &*metadata.metadata),
        event: Event {
            kind: if normal.is_alert { "alert" } else { "event" },
            action: normal.action,
            category: &normal.categories,
            types: &normal.types,
            outcome: normal.outcome.outcome(),
            module: "auditd",
            dataset: "auditd",
            sequence: normal.event.id.sequence,
            original: with_raw.then(|| raw_messages(normal.event).join("\n")),
        },
        auditd: Auditd {
            message_type: &kind,
            sequence: normal.event.id.sequence,
            session: normal.session.as_deref(),
            result: normal.outcome.result(),
            summary: Summary {
                actor: PairPart::of(&normal.actor),
                object: ObjectPart::of(&normal.object),
                how: normal.how.as_deref(),
            },
            paths: normal.paths.iter().copied().map(PathPart).collect(),
            data: DataPart(&normal.data),
        },
        user: UserPart::of(normal),
        group: user::group(normal),
        process: process(normal, context),
        file: normal.file.as_ref().map(file),
        source: normal.source.as_ref().map(endpoint),
        destination: normal.destination.as_ref().map(endpoint),
        network: normal.direction.map(|direction| Network { direction }),
        container: context
            .container
            .map(|container| Container { id: &container.id, runtime: container.runtime }),
        related: related(normal),
        tags: &normal.tags,
        error: with_warnings.then(|| ErrorPart { message: normal.warnings.join("; ") }),
        service: Service { kind: "auditd" },
        host: host(normal, context),
        agent: context.metadata.map(|metadata| &*metadata.agent),
        ecs: Ecs { version: ECS_VERSION },
    };
    to_json(&document, buffer)
}

pub(super) fn host<'a>(normal: &'a Normal<'_>, context: &Context<'a>) -> Option<Host<'a>> {
    let node = || {
        let name = normal.event.records.iter().find_map(|record| record.node())?;
        Some(Host::Named { name: String::from_utf8_lossy(name) })
    };
    context.metadata.map(|metadata| Host::This(&metadata.host)).or_else(node)
}

fn process<'a>(normal: &'a Normal<'_>, context: &Context<'a>) -> Option<Process<'a>> {
    let process = &normal.process;
    let part = Process {
        pid: process.pid,
        parent: process.parent_pid.map(|pid| Parent { pid }),
        entity_id: context.entity_id,
        name: process.name.as_deref(),
        executable: process.executable.as_deref(),
        title: process.title.as_deref(),
        working_directory: process.working_directory.as_deref(),
        args: &process.args,
    };
    (*process != normalise::Process::default()).then_some(part)
}

fn file<'a>(file: &'a normalise::File<'_>) -> File<'a> {
    let kind = file.mode.and_then(|mode| mode.file_type());
    File {
        path: file.path.as_deref(),
        kind: kind.map(|kind| if kind == "directory" { "dir" } else { kind }),
        device: file.device.as_deref(),
        inode: file.inode.as_deref(),
        mode: file.mode.map(|mode| mode.permissions()),
        uid: file.owner.id.as_deref(),
        gid: file.group.id.as_deref(),
        owner: file.owner.name.as_deref(),
        group: file.group.name.as_deref(),
        selinux: file.label.as_deref().map(Label::of),
    }
}

fn endpoint<'a>(end: &'a normalise::Endpoint<'_>) -> Endpoint<'a> {
    Endpoint {
        ip: end.ip,
        port: end.port,
        domain: end.domain.as_deref(),
        path: end.path.as_deref(),
    }
}

fn related<'a>(normal: &'a Normal<'_>) -> Option<Related<'a>> {
    let user = user::related(normal);
    let ends = [&normal.source, &normal.destination];
    let ip: Vec<_> = ends.into_iter().flatten().filter_map(|end| end.ip).collect();
    (!user.is_empty() || !ip.is_empty()).then_some(Related { user, ip })
}
