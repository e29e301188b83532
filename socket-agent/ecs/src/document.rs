//! A document that can be read and changed before it is written.

use std::{borrow::Cow, fmt};

use serde_json::value::RawValue;

use crate::{Encode, FieldName, Key, Object, Value, Writer, quoted};

/// Prefix of a string without a name.
const QUOTE: Key = &FieldName::new("\"");

/// A document. Fields are named by dotted paths, as `source.ip`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document(Object);

/// Why a field cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{parent} is no object, so that {path} cannot be set; remove or rename {parent} first")]
pub struct NotAnObject {
    /// The field that was to be set.
    pub path: String,
    /// Path of the parent whose value is no object.
    pub parent: String,
}

// === impl Document ===

impl Document {
    /// The document of an event.
    pub fn of(event: &impl Encode) -> Self {
        let mut document = Self::default();
        event.encode(&mut document);
        document
    }

    /// Parses a document.
    ///
    /// # Errors
    ///
    /// The text is no JSON object.
    pub fn parse(json: &[u8]) -> serde_json::Result<Self> {
        match serde_json::from_slice(json)? {
            Value::Object(object) => Ok(Self(object)),
            _ => Err(serde::de::Error::custom("a document is an object")),
        }
    }

    /// The value of a field.
    pub fn get(&mut self, path: &str) -> Option<&Value> {
        self.find(path).map(|value| &*value)
    }

    /// The value of a field, to be changed. Takes the document mutably, since parts that were serialised
    /// before are parsed on the way.
    pub fn find(&mut self, path: &str) -> Option<&mut Value> {
        let mut parts = path.split('.');
        let mut value = self.0.get_mut(parts.next()?)?.expand();
        for part in parts {
            let Value::Object(object) = value else { return None };
            value = object.get_mut(part)?.expand();
        }
        Some(value)
    }

    /// Sets a field, with the objects around it; the old value, if there was one.
    ///
    /// # Errors
    ///
    /// A field around it is no object.
    pub fn put(&mut self, path: &str, value: Value) -> Result<Option<Value>, NotAnObject> {
        let (parents, name) = path.rsplit_once('.').unwrap_or(("", path));
        let mut object = &mut self.0;
        let mut end = 0;
        for part in parents.split('.').filter(|part| !part.is_empty()) {
            end += part.len() + usize::from(end > 0);
            if object.get(part).is_none_or(|value| *value == Value::Null) {
                object.insert(part.to_owned(), Value::Object(Object::default()));
            }
            match object.get_mut(part).map(Value::expand) {
                Some(Value::Object(inner)) => object = inner,
                _ => {
                    let parent = parents.get(..end).unwrap_or(parents).to_owned();
                    return Err(NotAnObject { path: path.to_owned(), parent });
                }
            }
        }
        Ok(object.insert(name.to_owned(), value))
    }

    /// Takes a field out. Objects around it stay, also when they become empty.
    pub fn remove(&mut self, path: &str) -> Option<Value> {
        let Some((parents, name)) = path.rsplit_once('.') else { return self.0.remove(path) };
        match self.find(parents)? {
            Value::Object(object) => object.remove(name),
            _ => None,
        }
    }

    /// The fields at the top.
    pub fn root(&mut self) -> &mut Object {
        &mut self.0
    }

    /// Appends the document, one line of JSON without its line feed, to a buffer.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_object(&self.0, out);
    }

    fn push(&mut self, name: impl Into<Cow<'static, str>>, value: Value) {
        self.0.0.push((name.into(), value));
    }

    fn nested(&mut self, fields: impl FnOnce(&mut Self)) -> Object {
        let mut inner = Self::default();
        fields(&mut inner);
        inner.0
    }
}

impl Writer for Document {
    fn text(&mut self, key: Key, value: &str) {
        self.push(key.as_str(), value.into());
    }

    fn display(&mut self, key: Key, value: impl fmt::Display) {
        self.push(key.as_str(), value.to_string().into());
    }

    fn number(&mut self, key: Key, value: u64) {
        self.push(key.as_str(), value.into());
    }

    fn flag(&mut self, key: Key, value: bool) {
        self.push(key.as_str(), value.into());
    }

    fn raw(&mut self, key: Key, json: &RawValue) {
        self.push(key.as_str(), Value::Raw(json.to_owned()));
    }

    fn list<T: AsRef<str>>(&mut self, key: Key, values: impl IntoIterator<Item = T>) {
        let values = values.into_iter().map(|value| value.as_ref().into()).collect();
        self.push(key.as_str(), Value::List(values));
    }

    fn list_displayed<T: fmt::Display>(&mut self, key: Key, values: impl IntoIterator<Item = T>) {
        let values = values.into_iter().map(|value| value.to_string().into()).collect();
        self.push(key.as_str(), Value::List(values));
    }

    fn group(&mut self, key: Key, fields: impl FnOnce(&mut Self)) {
        let object = self.nested(fields);
        if !object.is_empty() {
            self.push(key.as_str(), Value::Object(object));
        }
    }

    fn always(&mut self, key: Key, fields: impl FnOnce(&mut Self)) {
        let object = self.nested(fields);
        self.push(key.as_str(), Value::Object(object));
    }

    fn objects<T>(
        &mut self,
        key: Key,
        values: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) {
        let mut list = Vec::new();
        for value in values {
            list.push(Value::Object(self.nested(|inner| each(inner, value))));
        }
        if !list.is_empty() {
            self.push(key.as_str(), Value::List(list));
        }
    }

    fn other_text(&mut self, name: &[u8], value: &[u8]) {
        let value = String::from_utf8_lossy(value).into_owned();
        self.push(String::from_utf8_lossy(name).into_owned(), value.into());
    }

    fn other_list<T: AsRef<str>>(&mut self, name: &[u8], values: &[T]) {
        let values = values.iter().map(|value| value.as_ref().into()).collect();
        self.push(String::from_utf8_lossy(name).into_owned(), Value::List(values));
    }
}

impl Value {
    /// Appends the value as JSON to a buffer.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_value(self, out);
    }
}

fn write_object(object: &Object, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (name, value)) in object.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        quoted::append(out, QUOTE, name.as_bytes());
        out.push(b':');
        write_value(value, out);
    }
    out.push(b'}');
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Flag(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Value::Unsigned(number) => {
            out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes());
        }
        Value::Signed(number) => {
            out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes());
        }
        // JSON has no infinity; what no parser gives becomes null, as with other serialisers.
        Value::Float(number) => match serde_json::Number::from_f64(*number) {
            Some(number) => out.extend_from_slice(number.to_string().as_bytes()),
            None => out.extend_from_slice(b"null"),
        },
        Value::Text(text) => quoted::append(out, QUOTE, text.as_bytes()),
        Value::List(values) => {
            out.push(b'[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(value, out);
            }
            out.push(b']');
        }
        Value::Object(object) => write_object(object, out),
        Value::Raw(json) => out.extend_from_slice(json.get().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{key, write_json};

    /// An event with a field of each kind.
    struct Everything;

    impl Encode for Everything {
        fn encode<W: Writer>(&self, writer: &mut W) {
            let raw = RawValue::from_string(r#"{"name":"h","ip":["10.0.0.1"],"x":-1.5}"#.into());
            writer.text(key!("text"), "a\"b\n");
            writer.ascii(key!("ascii"), *b"ab");
            writer.bytes(key!("bytes"), b"\xc3\xa9\xff");
            writer.display(key!("shown"), 7);
            writer.number(key!("number"), u64::MAX);
            writer.flag(key!("flag"), false);
            writer.raw(key!("host"), &raw.unwrap());
            writer.list(key!("list"), ["a", "b"]);
            writer.list_displayed(key!("numbers"), [1, 2]);
            writer.list_if_any::<&str>(key!("no_list"), &[]);
            writer.group(key!("group"), |group| {
                group.maybe(key!("none"), None);
                group.group(key!("inner"), |inner| inner.text(key!("x"), "y"));
            });
            writer.group(key!("empty"), |_| {});
            writer.always(key!("always"), |_| {});
            writer.objects(key!("objects"), [1, 2], |object, n| object.number(key!("n"), n));
            writer.objects(key!("no_objects"), [0_u64; 0], |object, n| object.number(key!("n"), n));
            writer.other_text(b"other-\xff", b"v");
            writer.other_list(b"others", &["w"]);
        }
    }

    #[test]
    fn both_writers_write_the_same() {
        let mut json = Vec::new();
        write_json(&Everything, &mut json);
        let mut tree = Vec::new();
        Document::of(&Everything).write(&mut tree);
        assert_eq!(String::from_utf8(json.clone()).unwrap(), String::from_utf8(tree).unwrap());
        // And what is read back is the same again.
        let mut again = Vec::new();
        Document::parse(&json).unwrap().write(&mut again);
        assert_eq!(json, again);
        serde_json::from_slice::<serde_json::Value>(&json).unwrap();
    }

    #[test]
    fn fields_are_read_and_changed_by_path() {
        let mut document = Document::of(&Everything);
        assert_eq!(document.get("group.inner.x"), Some(&"y".into()));
        assert_eq!(document.get("host.name"), Some(&"h".into()), "parsed when it is needed");
        assert_eq!(document.get("host.name.first"), None);
        assert_eq!(document.get("nothing.at.all"), None);

        assert_eq!(document.put("host.name", "other".into()), Ok(Some("h".into())));
        assert_eq!(document.put("new.deep.field", 7_u64.into()), Ok(None));
        assert_eq!(document.get("new.deep.field"), Some(&Value::Unsigned(7)));
        let error = document.put("group.inner.x.y", 1_u64.into()).unwrap_err();
        assert_eq!(
            (error.parent.as_str(), error.path.as_str()),
            ("group.inner.x", "group.inner.x.y")
        );
        assert!(error.to_string().contains("remove or rename group.inner.x first"), "{error}");

        assert_eq!(
            document.remove("group.inner"),
            Some({
                let mut inner = Object::default();
                inner.insert("x", "y".into());
                Value::Object(inner)
            })
        );
        assert_eq!(document.remove("group.inner"), None);
        let mut text = Vec::new();
        document.write(&mut text);
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(value["host"]["name"], "other");
        assert_eq!(value["new"]["deep"]["field"], 7);
        assert_eq!(value["host"]["x"], -1.5);
    }
}
