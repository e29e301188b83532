//! Parts that both forms have.

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::audit::{
    normalise::{Data, Object, Pair, PathRecord, Value},
    records::SecurityContext,
};

/// Writes a value's display form as a JSON string.
pub(super) struct Text<T>(pub(super) T);

impl<T: std::fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[derive(Serialize)]
pub(super) struct PairPart<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) primary: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secondary: Option<&'a str>,
}

impl<'a> PairPart<'a> {
    pub(super) fn of(pair: &'a Pair<'_>) -> Self {
        Self { primary: pair.primary.as_deref(), secondary: pair.secondary.as_deref() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.primary.is_none() && self.secondary.is_none()
    }
}

#[derive(Serialize)]
pub(super) struct ObjectPart<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    what: Option<&'static str>,
    #[serde(flatten)]
    name: PairPart<'a>,
}

impl<'a> ObjectPart<'a> {
    pub(super) fn of(object: &'a Object<'_>) -> Self {
        Self { what: object.what, name: PairPart::of(&object.name) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.what.is_none() && self.name.is_empty()
    }
}

/// A security label in its parts.
#[derive(Serialize)]
pub(super) struct Label<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'a str>,
}

impl<'a> Label<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let SecurityContext { user, role, domain, level, category } = SecurityContext::parse(text);
        Self { user, role, domain, level, category }
    }
}

/// Fields by name.
pub(super) struct DataPart<'a, 'b>(pub(super) &'a Data<'b>);

impl Serialize for DataPart<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.iter().len()))?;
        for (key, value) in self.0.iter() {
            write_value(&mut map, key, value)?;
        }
        map.end()
    }
}

pub(super) fn write_value<M: SerializeMap>(
    map: &mut M,
    key: &str,
    value: &Value<'_>,
) -> Result<(), M::Error> {
    match value {
        Value::One(text) => map.serialize_entry(key, text.as_ref()),
        Value::Many(texts) => map.serialize_entry(key, texts),
    }
}

/// A PATH record as it is.
pub(super) struct PathPart<'a>(pub(super) PathRecord<'a>);

impl Serialize for PathPart<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for field in self.0.0.fields().filter(|field| !field.is_absent()) {
            let text = field.text();
            if field.key == b"obj" {
                for (part, value) in SecurityContext::parse(&text).parts() {
                    map.serialize_entry(&Text(format_args!("obj_{part}")), value)?;
                }
            } else {
                map.serialize_entry(&field.name(), &text)?;
            }
        }
        map.end()
    }
}
