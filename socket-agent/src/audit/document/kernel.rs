//! The form of the metricset that this dataset began as: `audit.kernel.*`.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;

use super::{
    Context, Options,
    ecs::{Host, host},
    parts::{PairPart, PathPart, Text, write_value},
    raw_messages, to_json,
};
use crate::{
    audit::normalise::{Entity, Normal},
    event::ECS_VERSION,
};

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: Text<&'a dyn std::fmt::Display>,
    audit: Audit<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    beat: Option<Beat<'a>>,
    metricset: Metricset,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<Host<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a RawValue>,
    ecs: Ecs,
}

#[derive(Serialize)]
struct Audit<'a> {
    kernel: Kernel<'a>,
}

#[derive(Serialize)]
struct Kernel<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    actor: Actor<'a>,
    category: &'static str,
    data: Data<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    how: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    paths: Vec<PathPart<'a>>,
    record_type: &'a str,
    result: &'static str,
    sequence: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    #[serde(skip_serializing_if = "Socket::is_empty")]
    socket: Socket<'a>,
    thing: Thing<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [std::borrow::Cow<'a, str>],
}

#[derive(Serialize)]
struct Actor<'a> {
    attrs: Attributes<'a>,
    #[serde(flatten)]
    name: PairPart<'a>,
}

#[derive(Serialize)]
struct Thing<'a> {
    #[serde(flatten)]
    name: PairPart<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'static str>,
}

#[derive(Serialize)]
struct Socket<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    addr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
}

impl Socket<'_> {
    fn is_empty(&self) -> bool {
        self.family.is_none()
    }
}

#[derive(Serialize)]
struct Beat<'a> {
    hostname: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct Metricset {
    module: &'static str,
    name: &'static str,
}

#[derive(Serialize)]
struct Ecs {
    version: &'static str,
}

/// Users and groups by their names, else their numbers.
struct Attributes<'a>(&'a Normal<'a>);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, entity) in self.0.ids.iter() {
            if let Some(label) = Entity::label(entity) {
                map.serialize_entry(key, &label)?;
            }
        }
        map.end()
    }
}

/// All other fields: here also those of the process.
struct Data<'a>(&'a Normal<'a>);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let process = &self.0.process;
        for (key, number) in [("pid", process.pid), ("ppid", process.parent_pid)] {
            if let Some(number) = number {
                map.serialize_entry(key, &Text(number))?;
            }
        }
        for (key, text) in [
            ("comm", &process.name),
            ("exe", &process.executable),
            ("cwd", &process.working_directory),
            ("proctitle", &process.title),
        ] {
            if let Some(text) = text {
                map.serialize_entry(key, text)?;
            }
        }
        for (index, argument) in process.args.iter().enumerate() {
            // Of a start, these are the program's and not the call's.
            map.serialize_entry(&Text(format_args!("arg{index}")), argument)?;
        }
        for (key, value) in self.0.data.iter() {
            write_value(&mut map, key, value)?;
        }
        map.end()
    }
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
    let warnings = if options.include_warnings { &normal.warnings[..] } else { &[] };
    let hostname = context.metadata.map(|metadata| &*metadata.hostname);
    let data = &normal.data;
    let document = Document {
        timestamp: Text(&timestamp),
        audit: Audit {
            kernel: Kernel {
                action: normal.action,
                actor: Actor { attrs: Attributes(normal), name: PairPart::of(&normal.actor) },
                category: normal.kind.category(),
                data: Data(normal),
                how: normal.how.as_deref(),
                key: (!normal.tags.is_empty()).then(|| normal.tags.join(",")),
                paths: normal.paths.iter().copied().map(PathPart).collect(),
                record_type: &kind,
                result: normal.outcome.result(),
                sequence: normal.event.id.sequence,
                session: normal.session.as_deref(),
                socket: Socket {
                    family: data.get("socket_family"),
                    addr: data.get("socket_addr"),
                    port: data.get("socket_port"),
                    path: data.get("socket_path"),
                },
                thing: Thing { name: PairPart::of(&normal.object.name), what: normal.object.what },
                messages: if with_raw { raw_messages(normal.event) } else { Vec::new() },
                warnings,
            },
        },
        beat: hostname.map(|name| Beat { hostname: name, name }),
        metricset: Metricset { module: "audit", name: "kernel" },
        kind: "metricsets",
        host: host(normal, context),
        agent: context.metadata.map(|metadata| &*metadata.agent),
        ecs: Ecs { version: ECS_VERSION },
    };
    to_json(&document, buffer)
}
