//! Parts that both forms have.

use ecs::{ECS_VERSION, Writer, key};

use super::{Context, field::FieldWriter as _};
use crate::{
    normalise::{Data, Normal, Pair, PathRecord, Value},
    records::{Key, SecurityContext},
};

/// Where a document comes from - this host, or the one that a log names - and whose it is.
pub(super) fn origin(json: &mut impl Writer, normal: &Normal<'_>, context: &Context<'_>) {
    if let Some(metadata) = context.metadata {
        return metadata.encode_origin(json);
    }
    if let Some(node) = normal.event.records.iter().find_map(|record| record.node()) {
        json.group(key!("host"), |json| json.text(key!("name"), &String::from_utf8_lossy(node)));
    }
    json.group(key!("ecs"), |json| json.text(key!("version"), ECS_VERSION));
}

/// Writes the two names of a pair.
pub(super) fn pair(json: &mut impl Writer, pair: &Pair<'_>) {
    json.maybe(key!("primary"), pair.primary.as_deref());
    json.maybe(key!("secondary"), pair.secondary.as_deref());
}

/// A security label in its parts.
pub(super) fn label(json: &mut impl Writer, text: &str) {
    for (part, value) in SecurityContext::parse(text).parts() {
        json.field(Key::OTHER, part.as_bytes(), value.as_bytes());
    }
}

/// Those fields by name that are wanted.
pub(super) fn data(json: &mut impl Writer, data: &Data<'_>, wanted: impl Fn(Key) -> bool) {
    for (key, name, value) in data.iter().filter(|(key, ..)| wanted(*key)) {
        match value {
            Value::One(text) => json.field_text(key, name.as_bytes(), text),
            Value::Many(texts) => json.field_list(key, name.as_bytes(), texts),
        }
    }
}

/// A PATH record as it is.
pub(super) fn path(json: &mut impl Writer, record: PathRecord<'_>) {
    for field in record.0.fields().filter(|field| !field.is_absent()) {
        if field.id == Key::OBJ {
            for (part, value) in SecurityContext::parse(&field.text()).parts() {
                json.field(Key::OTHER, format!("obj_{part}").as_bytes(), value.as_bytes());
            }
        } else {
            match field.known_text() {
                Some(text) => json.field_text(field.id, field.key, text),
                None => json.field(field.id, field.key, field.value),
            }
        }
    }
}
