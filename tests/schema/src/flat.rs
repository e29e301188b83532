//! Makes the list of fields from the whole schema in its flat form, `ecs_flat.yml`.
//!
//! That file is machine-written YAML of one form, so lines and their indentation are enough.

use std::fmt::Write;

/// Field sets that documents use.
const SETS: [&str; 21] = [
    "@timestamp",
    "agent",
    "client",
    "container",
    "destination",
    "ecs",
    "error",
    "event",
    "file",
    "group",
    "host",
    "labels",
    "message",
    "network",
    "orchestrator",
    "process",
    "related",
    "server",
    "service",
    "source",
    "tags",
];
/// The `user` set is used too, but not all that it says of other users.
const USER: [&str; 14] = [
    "user.domain",
    "user.effective.group.id",
    "user.effective.group.name",
    "user.effective.id",
    "user.effective.name",
    "user.email",
    "user.full_name",
    "user.group.id",
    "user.group.name",
    "user.id",
    "user.name",
    "user.roles",
    "user.target.id",
    "user.target.name",
];
/// Sets that others embed and documents do not use.
const EMBEDDED: [&str; 18] = [
    "as",
    "attested_groups",
    "attested_user",
    "code_signature",
    "elf",
    "entry_leader",
    "entry_meta",
    "geo",
    "group_leader",
    "hash",
    "macho",
    "origin",
    "pe",
    "previous",
    "responsible",
    "risk",
    "session_leader",
    "x509",
];

/// One field of the flat schema, as far as it is of use.
#[derive(Default)]
struct Entry {
    name: String,
    kind: String,
    array: bool,
    required: bool,
    values: Vec<String>,
    /// For each allowed value: the event types that are expected with it.
    event_types: Vec<Vec<String>>,
}

/// The list of fields, with the version that it is of.
pub(super) fn list(flat: &str, version: &str) -> String {
    let mut text = format!(
        "# Elastic Common Schema {version}: the fields of the sets in use, made from ecs_flat.yml.\n\
         # name, type, array, required, values\n"
    );
    for entry in entries(flat).iter().filter(|entry| is_used(&entry.name)) {
        let flag = |set, name| if set { name } else { "-" };
        let (array, required) = (flag(entry.array, "array"), flag(entry.required, "required"));
        let Entry { name, kind, .. } = entry;
        let _ = writeln!(text, "{name}\t{kind}\t{array}\t{required}\t{}", join(&entry.values));
        for (value, types) in entry.values.iter().zip(&entry.event_types) {
            if !types.is_empty() {
                let _ = writeln!(text, "{name}={value}\t{}", join(types));
            }
        }
    }
    text
}

fn join(values: &[String]) -> String {
    if values.is_empty() { "-".to_owned() } else { values.join(",") }
}

fn is_used(name: &str) -> bool {
    let mut parts = name.split('.');
    let set = parts.next().unwrap_or_default();
    let in_set = SETS.contains(&set) && !name.contains(".user.") && !name.starts_with("process.io");
    (in_set && !parts.any(|part| EMBEDDED.contains(&part))) || USER.contains(&name)
}

fn entries(flat: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    // The key at an indentation of two that the line belongs to.
    let mut key = "";
    // Event types of the allowed value that is being read; its name comes after them.
    let mut types = Vec::new();
    for line in flat.lines() {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        if indent == 0 && content.ends_with(':') {
            let name = content.trim_end_matches(':').trim_matches('\'').to_owned();
            entries.push(Entry { name, ..Entry::default() });
            key = "";
            continue;
        }
        let Some(entry) = entries.last_mut() else { continue };
        if indent == 2 && !content.starts_with("- ") {
            let Some((name, value)) = content.split_once(':') else { continue };
            key = name;
            match name {
                "type" => entry.kind = value.trim().to_owned(),
                "required" => entry.required = value.trim() == "true",
                _ => {}
            }
            continue;
        }
        match (key, indent, content) {
            ("normalize", 2, "- array") => entry.array = true,
            ("expected_values", 2, item) => {
                entry.values.extend(item.strip_prefix("- ").map(str::to_owned));
            }
            ("allowed_values", 4, item) => {
                if let Some(name) = item.strip_prefix("name: ") {
                    entry.values.push(name.to_owned());
                    entry.event_types.push(std::mem::take(&mut types));
                } else if let Some(kind) = item.strip_prefix("- ") {
                    types.push(kind.to_owned());
                }
            }
            _ => {}
        }
    }
    entries
}
