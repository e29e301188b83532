//! Checks documents against the Elastic Common Schema.
//!
//! The facts of the schema that matter here, of the field sets that documents use, are kept in
//! `data/ecs_fields.tsv`. A test compares them with the whole schema where that is at hand.

mod kind;

#[cfg(test)]
mod flat;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde_json::Value;

use kind::Kind;

/// The list that [`Schema::load`] reads.
const FIELDS: &str = include_str!("../../data/ecs_fields.tsv");

/// Fields outside the schema that documents have all the same, for those who know Beats.
pub const EXTRA_FIELDS: [&str; 8] = [
    "agent.hostname",
    "destination.path",
    "host.containerized",
    "host.os.codename",
    "kubernetes.pod.uid",
    "process.created",
    "source.path",
    "type",
];

/// Values outside the schema, for those who know Beats: a socket that waits for whoever comes.
const EXTRA_VALUES: [(&str, &str); 1] = [("network.direction", "listening")];

/// What may stand below these is not in the schema's hands.
const FREE_PREFIXES: [&str; 13] = [
    "@metadata.",
    "audit.kernel.",
    "auditd.",
    "beat.",
    "file.selinux.",
    "flow.",
    "metricset.",
    "system.audit.",
    "user.audit.",
    "user.filesystem.",
    "user.old-auid.",
    "user.saved.",
    "user.selinux.",
];

/// What every document of a TCP flow has whose process was found on a host that knows its
/// distribution: the fields that users of Auditbeat's socket dataset know.
pub const FLOW_FIELDS: [&str; 69] = [
    "@metadata.beat",
    "@metadata.type",
    "@metadata.version",
    "@timestamp",
    "agent.ephemeral_id",
    "agent.hostname",
    "agent.id",
    "agent.type",
    "agent.version",
    "client.bytes",
    "client.ip",
    "client.packets",
    "client.port",
    "destination.bytes",
    "destination.ip",
    "destination.packets",
    "destination.port",
    "ecs.version",
    "event.action",
    "event.category",
    "event.dataset",
    "event.duration",
    "event.end",
    "event.kind",
    "event.module",
    "event.start",
    "flow.complete",
    "flow.final",
    "group.id",
    "group.name",
    "host.architecture",
    "host.containerized",
    "host.hostname",
    "host.id",
    "host.name",
    "host.os.codename",
    "host.os.family",
    "host.os.kernel",
    "host.os.name",
    "host.os.platform",
    "host.os.version",
    "network.bytes",
    "network.community_id",
    "network.direction",
    "network.packets",
    "network.transport",
    "network.type",
    "process.args",
    "process.created",
    "process.executable",
    "process.name",
    "process.pid",
    "server.bytes",
    "server.ip",
    "server.packets",
    "server.port",
    "service.type",
    "source.bytes",
    "source.ip",
    "source.packets",
    "source.port",
    "system.audit.socket.egid",
    "system.audit.socket.euid",
    "system.audit.socket.gid",
    "system.audit.socket.internal_version",
    "system.audit.socket.kernel_sock_address",
    "system.audit.socket.uid",
    "user.id",
    "user.name",
];

/// A field of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    kind: Kind,
    array: bool,
    required: bool,
    /// The values it may have; empty if any.
    values: Vec<String>,
}

/// The schema, as far as documents use it.
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    fields: BTreeMap<String, Field>,
    /// By `event.category`: the values of `event.type` that go with it.
    event_types: BTreeMap<String, Vec<String>>,
}

impl Schema {
    /// The schema that the project keeps.
    ///
    /// # Errors
    ///
    /// A damaged list.
    pub fn load() -> anyhow::Result<Self> {
        Self::parse(FIELDS)
    }

    /// Reads a list of fields: name, type, `array` or `-`, `required` or `-`, and values separated
    /// by commas or `-`, with tabs between. A line with `event.category=` before a name instead
    /// gives the event types of that category. `#` begins a comment.
    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut schema = Self { fields: BTreeMap::new(), event_types: BTreeMap::new() };
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            schema.parse_line(line).with_context(|| format!("ecs_fields.tsv:{}", number + 1))?;
        }
        Ok(schema)
    }

    fn parse_line(&mut self, line: &str) -> anyhow::Result<()> {
        let columns: Vec<_> = line.split('\t').collect();
        let list = |text: &str| match text {
            "-" => Vec::new(),
            values => values.split(',').map(str::to_owned).collect(),
        };
        match columns[..] {
            [name, kind, array, required, values] => {
                let kind = Kind::parse(kind).with_context(|| format!("unknown type {kind}"))?;
                let (array, required) = (array == "array", required == "required");
                let field = Field { kind, array, required, values: list(values) };
                self.fields.insert(name.to_owned(), field);
            }
            [category, types] if category.starts_with("event.category=") => {
                let name = category.trim_start_matches("event.category=");
                self.event_types.insert(name.to_owned(), list(types));
            }
            _ => bail!("{} columns", columns.len()),
        }
        Ok(())
    }

    /// What is wrong with a document, one line each; empty if it follows the schema.
    pub fn problems(&self, document: &Value) -> Vec<String> {
        let mut problems = Vec::new();
        self.walk("", document, &mut problems);
        for (name, field) in &self.fields {
            if field.required && lookup(document, name).is_none() {
                problems.push(format!("{name}: required, but missing"));
            }
        }
        self.check_event_types(document, &mut problems);
        problems
    }

    fn walk(&self, path: &str, value: &Value, problems: &mut Vec<String>) {
        if FREE_PREFIXES.iter().any(|prefix| path.starts_with(prefix))
            || EXTRA_FIELDS.contains(&path)
        {
            return;
        }
        if let Some(field) = self.fields.get(path) {
            field.check(path, value, problems);
            // `process.parent` and the like are fields and hold fields.
            if !field.kind.is_object() {
                return;
            }
        }
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    let dot = if path.is_empty() { "" } else { "." };
                    self.walk(&format!("{path}{dot}{name}"), value, problems);
                }
            }
            _ if self.fields.contains_key(path) => {}
            _ if path.is_empty() => problems.push(format!("not an object: {value}")),
            value => problems.push(format!("{path}: not in the schema: {value}")),
        }
    }

    /// An event of several categories has types of each.
    fn check_event_types(&self, document: &Value, problems: &mut Vec<String>) {
        let categories = texts(document, "event.category");
        let expected: Vec<_> =
            categories.iter().filter_map(|name| self.event_types.get(*name)).flatten().collect();
        if expected.is_empty() {
            return;
        }
        for kind in texts(document, "event.type") {
            if !expected.iter().any(|name| *name == kind) {
                let categories = categories.join(", ");
                problems.push(format!("event.type: {kind} does not go with {categories}"));
            }
        }
    }
}

impl Field {
    fn check(&self, path: &str, value: &Value, problems: &mut Vec<String>) {
        match value {
            Value::Array(values) if self.array => {
                if values.is_empty() {
                    problems.push(format!("{path}: an empty array"));
                }
                values.iter().for_each(|value| self.check_one(path, value, problems));
            }
            Value::Array(_) => problems.push(format!("{path}: one value, not an array: {value}")),
            _ if self.array => problems.push(format!("{path}: must be an array: {value}")),
            value => self.check_one(path, value, problems),
        }
    }

    fn check_one(&self, path: &str, value: &Value, problems: &mut Vec<String>) {
        if !self.kind.admits(value) {
            problems.push(format!("{path}: not of type {}: {value}", self.kind.name()));
        }
        let known = |text: &str| self.values.iter().any(|known| known == text);
        let extra = |text: &str| EXTRA_VALUES.contains(&(path, text));
        if !self.values.is_empty() && !value.as_str().is_some_and(|text| known(text) || extra(text))
        {
            problems.push(format!("{path}: {value} is not one of {}", self.values.join(", ")));
        }
    }
}

/// The fields of a list that a document lacks.
pub fn missing<'a>(document: &Value, fields: &[&'a str]) -> Vec<&'a str> {
    fields.iter().copied().filter(|field| lookup(document, field).is_none()).collect()
}

/// The value of a field, by its name with dots.
pub fn lookup<'a>(document: &'a Value, field: &str) -> Option<&'a Value> {
    field.split('.').try_fold(document, |value, name| value.get(name))
}

fn texts<'a>(document: &'a Value, field: &str) -> Vec<&'a str> {
    match lookup(document, field) {
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        Some(value) => value.as_str().into_iter().collect(),
        None => Vec::new(),
    }
}
