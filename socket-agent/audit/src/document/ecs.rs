//! The form of today. Names and meaning are those of ECS, except `auditd.*` and where noted.

use ecs::{Writer, key};

use super::{
    Context, Options,
    parts::{data, label, origin, pair, path},
    raw_messages, user,
};
use crate::normalise::{Endpoint, File, Normal};

pub(super) fn encode(
    json: &mut impl Writer,
    normal: &Normal<'_>,
    context: &Context<'_>,
    options: Options,
) {
    json.ascii(key!("@timestamp"), normal.event.id.stamp.time().millis_ascii());
    if let Some(metadata) = context.metadata {
        json.raw(key!("@metadata"), &metadata.metadata);
    }
    json.group(key!("event"), |json| event(json, normal, options));
    json.group(key!("auditd"), |json| auditd(json, normal));
    json.group(key!("user"), |json| user::user(json, normal));
    json.group(key!("group"), |json| user::group(json, normal));
    json.group(key!("process"), |json| process(json, normal, context));
    if let Some(of) = &normal.file {
        json.group(key!("file"), |json| file(json, of));
    }
    for (key, end) in [(key!("source"), &normal.source), (key!("destination"), &normal.destination)]
    {
        if let Some(end) = end {
            json.group(key, |json| endpoint(json, end));
        }
    }
    if let Some(direction) = normal.direction {
        json.group(key!("network"), |json| json.text(key!("direction"), direction));
    }
    if let Some(container) = context.container {
        container.encode(json);
    }
    json.group(key!("related"), |json| related(json, normal));
    json.list_if_any(key!("tags"), &normal.tags);
    if options.include_warnings && !normal.warnings.is_empty() {
        json.group(key!("error"), |json| {
            json.text(key!("message"), &normal.warnings.join("; "));
        });
    }
    json.group(key!("service"), |json| json.text(key!("type"), "auditd"));
    origin(json, normal, context);
}

fn event(json: &mut impl Writer, normal: &Normal<'_>, options: Options) {
    json.text(key!("kind"), if normal.is_alert { "alert" } else { "event" });
    json.maybe(key!("action"), normal.action);
    json.list(key!("category"), &normal.categories);
    json.list(key!("type"), &normal.types);
    json.text(key!("outcome"), normal.outcome.outcome());
    json.text(key!("module"), "auditd");
    json.text(key!("dataset"), "auditd");
    json.number(key!("sequence"), normal.event.id.sequence.into());
    if options.include_raw_message || options.include_warnings {
        // The records, one a line.
        json.text(key!("original"), &raw_messages(normal.event).join("\n"));
    }
}

fn auditd(json: &mut impl Writer, normal: &Normal<'_>) {
    json.text(key!("message_type"), &normal.kind.lower());
    json.number(key!("sequence"), normal.event.id.sequence.into());
    json.maybe(key!("session"), normal.session.as_deref());
    json.text(key!("result"), normal.outcome.result());
    json.list_if_any(key!("incomplete"), &normal.incomplete);
    json.always(key!("summary"), |json| {
        json.group(key!("actor"), |json| pair(json, &normal.actor));
        json.group(key!("object"), |json| {
            json.maybe(key!("type"), normal.object.what);
            pair(json, &normal.object.name);
        });
        json.maybe(key!("how"), normal.how.as_deref());
    });
    json.objects(key!("paths"), normal.paths.iter().copied(), path);
    json.always(key!("data"), |json| data(json, &normal.data, |_| true));
}

fn process(json: &mut impl Writer, normal: &Normal<'_>, context: &Context<'_>) {
    let process = &normal.process;
    if let Some(pid) = process.pid {
        json.number(key!("pid"), pid.into());
    }
    if let Some(pid) = process.parent_pid {
        json.group(key!("parent"), |json| json.number(key!("pid"), pid.into()));
    }
    json.maybe(key!("entity_id"), context.entity_id);
    json.maybe(key!("name"), process.name.as_deref());
    json.maybe(key!("executable"), process.executable.as_deref());
    json.maybe(key!("title"), process.title.as_deref());
    json.maybe(key!("working_directory"), process.working_directory.as_deref());
    json.list_if_any(key!("args"), &process.args.values);
}

fn file(json: &mut impl Writer, file: &File<'_>) {
    json.maybe(key!("path"), file.path.as_deref());
    let kind = file.mode.and_then(|mode| mode.file_type());
    json.maybe(key!("type"), kind.map(|kind| if kind == "directory" { "dir" } else { kind }));
    json.maybe(key!("device"), file.device.as_deref());
    json.maybe(key!("inode"), file.inode.as_deref());
    if let Some(mode) = file.mode {
        json.ascii(key!("mode"), mode.permissions());
    }
    json.maybe(key!("uid"), file.owner.id.as_deref());
    json.maybe(key!("gid"), file.group.id.as_deref());
    json.maybe(key!("owner"), file.owner.name.as_deref());
    json.maybe(key!("group"), file.group.name.as_deref());
    if let Some(text) = &file.label {
        // Not in ECS.
        json.group(key!("selinux"), |json| label(json, text));
    }
}

fn endpoint(json: &mut impl Writer, end: &Endpoint<'_>) {
    if let Some(ip) = end.ip {
        json.display(key!("ip"), ip);
    }
    if let Some(port) = end.port {
        json.number(key!("port"), port.into());
    }
    json.maybe(key!("domain"), end.domain.as_deref());
    // Of a unix socket; not in ECS.
    json.maybe(key!("path"), end.path.as_deref());
}

fn related(json: &mut impl Writer, normal: &Normal<'_>) {
    user::related(json, normal);
    let ends = [&normal.source, &normal.destination].into_iter().flatten();
    let ips: Vec<_> = ends.filter_map(|end| end.ip).map(|ip| ip.to_string()).collect();
    json.list_if_any(key!("ip"), &ips);
}
