//! YAML as nodes that know where they were written.

mod merge;
mod nest;
mod parse;

pub use merge::merge;
pub use nest::{nest, split_key};
pub use parse::parse;

use super::location::Location;

/// A value with its location.
#[derive(Clone, Debug)]
pub struct Node {
    /// Location of the value.
    pub at: Location,
    /// The value.
    pub value: Value,
    /// Whether it has an anchor, so that other places can repeat it.
    pub anchored: bool,
}

/// Scalars stay text: what they mean depends on the option they are given to.
#[derive(Clone, Debug)]
pub enum Value {
    /// No value.
    Null,
    /// A text, number or truth value.
    Scalar(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping.
    Map(Vec<Entry>),
}

/// One key of a mapping; keys of a mapping are distinct.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Location of the key.
    pub at: Location,
    /// The value.
    pub node: Node,
    /// Whether it came by a merge key (`<<`): keys that a mapping has itself win over it.
    pub merged: bool,
}

impl Node {
    /// A value at a location.
    pub fn new(at: Location, value: Value) -> Self {
        Self { at, value, anchored: false }
    }

    /// The entry of this key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            Value::Null | Value::Scalar(_) | Value::List(_) => None,
        }
    }

    /// The node at the end of a dotted path, in which numbers count the items of lists from 0.
    pub fn find(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, |node, part| match &node.value {
            Value::List(items) => items.get(part.parse::<usize>().ok()?),
            Value::Map(_) => Some(&node.get(part)?.node),
            Value::Null | Value::Scalar(_) => None,
        })
    }

    /// Whether two values are the same, wherever they were written.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Null, Value::Null) => true,
            (Value::Scalar(one), Value::Scalar(two)) => one == two,
            (Value::List(one), Value::List(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.is_same(two))
            }
            (Value::Map(one), Value::Map(_)) => {
                let same = |entry: &Entry| {
                    other.get(&entry.key).is_some_and(|it| entry.node.is_same(&it.node))
                };
                matches!(&other.value, Value::Map(two) if two.len() == one.len())
                    && one.iter().all(same)
            }
            _ => false,
        }
    }

    /// Whether this or anything below it is `true` for `is`.
    pub fn any(&self, is: &dyn Fn(&Node) -> bool) -> bool {
        is(self)
            || match &self.value {
                Value::List(items) => items.iter().any(|item| item.any(is)),
                Value::Map(entries) => entries.iter().any(|entry| entry.node.any(is)),
                Value::Null | Value::Scalar(_) => false,
            }
    }

    /// Takes the entry of this key out, if this is a mapping that has it.
    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        match &mut self.value {
            Value::Map(entries) => {
                let index = entries.iter().position(|entry| entry.key == key)?;
                Some(entries.remove(index))
            }
            Value::Null | Value::Scalar(_) | Value::List(_) => None,
        }
    }

    /// What a reader of a message is told that was found.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Null => "empty".to_owned(),
            Value::Scalar(text) => describe_text(text),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }
}

impl Entry {
    /// A key with its value.
    pub fn new(key: impl Into<String>, at: Location, node: Node) -> Self {
        Self { key: key.into(), at, node, merged: false }
    }
}

/// Numbers bare, everything else quoted and on one line, cut if long.
pub fn describe_text(text: &str) -> String {
    const LONGEST: usize = 80;
    if text.parse::<f64>().is_ok() && !text.is_empty() {
        return text.to_owned();
    }
    if text.chars().count() > LONGEST {
        let start: String = text.chars().take(LONGEST).collect();
        return format!("{start:?}...");
    }
    format!("{text:?}")
}
