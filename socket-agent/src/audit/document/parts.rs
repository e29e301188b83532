//! Parts that both forms have.

use super::json::{Json, key};
use crate::audit::{
    normalise::{Data, Pair, PathRecord, Value},
    records::{Key, SecurityContext},
};

/// Two names.
pub(super) fn pair(json: &mut Json<'_>, pair: &Pair<'_>) {
    json.maybe(key!("primary"), pair.primary.as_deref());
    json.maybe(key!("secondary"), pair.secondary.as_deref());
}

/// A security label in its parts.
pub(super) fn label(json: &mut Json<'_>, text: &str) {
    for (part, value) in SecurityContext::parse(text).parts() {
        json.field(Key::OTHER, part.as_bytes(), value.as_bytes());
    }
}

/// Fields by name.
pub(super) fn data(json: &mut Json<'_>, data: &Data<'_>) {
    for (key, name, value) in data.iter() {
        match value {
            Value::One(text) => json.field_text(key, name.as_bytes(), text),
            Value::Many(texts) => json.field_list(key, name.as_bytes(), texts),
        }
    }
}

/// A PATH record as it is.
pub(super) fn path(json: &mut Json<'_>, record: PathRecord<'_>) {
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
