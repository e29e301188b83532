//! The form of the metricset that this dataset began as: `audit.kernel.*`.

use ecs::{Writer, key};

use super::{
    Context, Options,
    field::FieldWriter as _,
    parts::{data, origin, pair, path},
    raw_messages,
};
use crate::{
    normalise::Normal,
    records::{Key, KeySet},
};

pub(super) fn encode(
    json: &mut impl Writer,
    normal: &Normal<'_>,
    context: &Context<'_>,
    options: Options,
) {
    json.ascii(key!("@timestamp"), normal.event.id.stamp.time().millis_ascii());
    json.group(key!("audit"), |json| {
        json.group(key!("kernel"), |json| kernel(json, normal, options));
    });
    if let Some(metadata) = context.metadata {
        json.group(key!("beat"), |json| {
            json.text(key!("hostname"), &metadata.hostname);
            json.text(key!("name"), &metadata.hostname);
        });
    }
    json.group(key!("metricset"), |json| {
        json.text(key!("module"), "audit");
        json.text(key!("name"), "kernel");
    });
    json.text(key!("type"), "metricsets");
    origin(json, normal, context);
}

fn kernel(json: &mut impl Writer, normal: &Normal<'_>, options: Options) {
    json.maybe(key!("action"), normal.action);
    json.always(key!("actor"), |json| {
        // Users and groups by their names, else their numbers.
        json.always(key!("attrs"), |json| {
            for (key, entity) in normal.ids.iter() {
                if let Some(label) = entity.name.as_deref().or(entity.id.as_deref()) {
                    json.field(key, b"", label.as_bytes());
                }
            }
        });
        pair(json, &normal.actor);
    });
    json.text(key!("category"), normal.kind.category());
    json.always(key!("data"), |json| {
        process(json, normal);
        data(json, &normal.data, |key| !PROCESS.has(key));
    });
    json.maybe(key!("how"), normal.how.as_deref());
    json.list_if_any(key!("incomplete"), &normal.incomplete);
    if !normal.tags.is_empty() {
        let tags: Vec<&str> = normal.tags.iter().map(AsRef::as_ref).collect();
        json.text(key!("key"), &tags.join(","));
    }
    json.objects(key!("paths"), normal.paths.iter().copied(), path);
    json.text(key!("record_type"), &normal.kind.lower());
    json.text(key!("result"), normal.outcome.result());
    json.number(key!("sequence"), normal.event.id.sequence.into());
    json.maybe(key!("session"), normal.session.as_deref());
    json.group(key!("socket"), |json| {
        let data = &normal.data;
        json.maybe(key!("family"), data.get("socket_family"));
        json.maybe(key!("addr"), data.get("socket_addr"));
        json.maybe(key!("port"), data.get("socket_port"));
        json.maybe(key!("path"), data.get("socket_path"));
    });
    json.always(key!("thing"), |json| {
        pair(json, &normal.object.name);
        json.maybe(key!("what"), normal.object.what);
    });
    if options.include_raw_message || options.include_warnings {
        json.list_if_any(key!("messages"), &raw_messages(normal.event));
    }
    if options.include_warnings {
        json.list_if_any(key!("warnings"), &normal.warnings);
    }
}

/// Fields that are a process's.
static PROCESS: KeySet =
    KeySet::of(&[Key::PID, Key::PPID, Key::COMM, Key::EXE, Key::CWD, Key::PROCTITLE]);

/// Here these are among all other fields. What a program says in a field of the same name comes
/// behind it, in a list.
fn process(json: &mut impl Writer, normal: &Normal<'_>) {
    let process = &normal.process;
    let number = |number: Option<u32>| number.map(|number| number.to_string());
    let (pid, ppid) = (number(process.pid), number(process.parent_pid));
    for (key, own) in [
        (Key::PID, pid.as_deref()),
        (Key::PPID, ppid.as_deref()),
        (Key::COMM, process.name.as_deref()),
        (Key::EXE, process.executable.as_deref()),
        (Key::CWD, process.working_directory.as_deref()),
        (Key::PROCTITLE, process.title.as_deref()),
    ] {
        let others = normal.data.iter().find(|(other, ..)| *other == key);
        let others = others.map(|(.., value)| value.as_slice()).unwrap_or_default();
        match own {
            Some(own) if others.is_empty() => json.field_text(key, b"", own),
            Some(own) => {
                let others = others.iter().map(AsRef::as_ref);
                json.field_list(key, b"", &std::iter::once(own).chain(others).collect::<Vec<_>>());
            }
            // Such a field has lost its place to one of this name, so there is one.
            None => {}
        }
    }
    for (index, argument) in process.args.values.iter().enumerate() {
        // Of a start, these are the program's and not the call's.
        json.field(Key::OTHER, format!("arg{index}").as_bytes(), argument.as_bytes());
    }
}
