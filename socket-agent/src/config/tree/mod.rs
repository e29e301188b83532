//! YAML as nodes that know where they were written.

mod nest;
mod parse;

pub(super) use nest::{nest, split_key};
pub(super) use parse::parse;

use super::place::Place;

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) value: Value,
}

/// Scalars stay text: what they mean depends on the option they are given to.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a mapping; keys of a mapping are distinct.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Place,
    pub(super) node: Node,
}

impl Node {
    /// The entry of this key, if this is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            Value::Null | Value::Scalar(_) | Value::List(_) => None,
        }
    }

    /// Takes the entry of this key out, if this is a mapping that has it.
    pub(super) fn remove(&mut self, key: &str) -> Option<Entry> {
        match &mut self.value {
            Value::Map(entries) => {
                let index = entries.iter().position(|entry| entry.key == key)?;
                Some(entries.remove(index))
            }
            Value::Null | Value::Scalar(_) | Value::List(_) => None,
        }
    }

    /// What a reader of a message is told that was found.
    pub(super) fn describe(&self) -> String {
        match &self.value {
            Value::Null => "empty".to_owned(),
            Value::Scalar(text) => describe_text(text),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }
}

/// Numbers bare, everything else quoted and on one line, cut if long.
pub(super) fn describe_text(text: &str) -> String {
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
