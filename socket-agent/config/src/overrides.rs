//! `-E key=value`: changes to the tree of a file before it is read.

use super::{
    location::{Location, Problem},
    tree::{Entry, Node, Value, nest, parse, split_key},
};

/// Where a key leads, given as its parts: paths in the tree, several if it means several places.
pub type Routes<'a> = &'a dyn Fn(&Node, &[&str]) -> Vec<Vec<String>>;

/// One change, from the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    key: String,
    value: Given,
    location: Location,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Given {
    /// To be read as YAML.
    Yaml(String),
    /// To be taken as it is.
    Text(String),
    /// There was no `=`, or no key: reported with all other problems.
    Nothing,
}

impl Override {
    /// Reads the argument of `-E`. One that is not `key=value` is a problem when it is applied.
    pub fn from_argument(argument: &str) -> Self {
        let location = Location::whole(format!("-E {argument}"));
        match argument.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                Self { key: key.trim().to_owned(), value: Given::Yaml(value.to_owned()), location }
            }
            _ => Self { key: String::new(), value: Given::Nothing, location },
        }
    }

    /// What an option of its own stands for, such as `--hooks kprobe` for `socket.hooks`.
    pub fn from_option(option: &str, key: &str, value: &str) -> Self {
        Self {
            key: key.to_owned(),
            value: Given::Text(value.to_owned()),
            location: Location::whole(format!("{option} {value}")),
        }
    }

    /// Applies the change wherever its key leads. Tells whether it leads anywhere; a change that
    /// cannot be applied is reported as a problem, and leads somewhere.
    pub fn apply(&self, root: &mut Node, routes: Routes<'_>, problems: &mut Vec<Problem>) -> bool {
        let parts = split_key(&self.key).map_err(|reason| Problem::new(&self.location, reason));
        let (Some(value), Ok(parts)) = (self.value(problems), &parts) else {
            problems.extend(parts.err().filter(|_| self.value != Given::Nothing));
            return true;
        };
        let paths = routes(root, parts);
        for path in &paths {
            if let Err(reason) = set(root, path, Node::new(self.location.clone(), value.clone())) {
                problems.push(Problem::new(&self.location, reason));
            }
        }
        !paths.is_empty()
    }

    /// The first part of the key.
    pub fn first(&self) -> &str {
        self.key.split('.').next().unwrap_or_default()
    }

    /// Where the change is written, for messages.
    pub fn location(&self) -> &Location {
        &self.location
    }

    fn value(&self, problems: &mut Vec<Problem>) -> Option<Value> {
        match &self.value {
            Given::Nothing => {
                let reason = "not key=value; write for example -E socket.hooks=auto";
                problems.push(Problem::new(&self.location, reason));
                None
            }
            Given::Text(text) => Some(Value::Scalar(text.clone())),
            Given::Yaml(text) => {
                let mut found = Vec::new();
                let node = parse(text, &self.location, &mut found)
                    .map(|node| nest(relocate(node, &self.location), &mut found));
                // The argument is short enough to be its own location.
                let location = || self.location.clone();
                problems.extend(found.into_iter().map(|it| Problem { location: location(), ..it }));
                node.map(|node| node.value)
            }
        }
    }
}

/// The argument is the location of everything in it: a line number would say nothing.
fn relocate(node: Node, location: &Location) -> Node {
    let value = match node.value {
        Value::List(items) => {
            Value::List(items.into_iter().map(|item| relocate(item, location)).collect())
        }
        Value::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|entry| Entry {
                    at: location.clone(),
                    node: relocate(entry.node, location),
                    ..entry
                })
                .collect(),
        ),
        value @ (Value::Null | Value::Scalar(_)) => value,
    };
    Node::new(location.clone(), value)
}

/// Puts `value` where `path` leads; mappings are united, anything else is replaced.
fn set(node: &mut Node, path: &[String], value: Node) -> Result<(), String> {
    let Some((head, tail)) = path.split_first() else {
        return assign(node, value);
    };
    if matches!(node.value, Value::Null) {
        node.value = if head.parse::<usize>().is_ok() {
            Value::List(Vec::new())
        } else {
            Value::Map(Vec::new())
        };
    }
    let at = value.at.clone();
    let empty = Node::new(at.clone(), Value::Null);
    match &mut node.value {
        Value::Map(entries) => {
            let index = entries.iter().position(|entry| entry.key == *head).unwrap_or_else(|| {
                entries.push(Entry::new(head.as_str(), at.clone(), empty));
                entries.len() - 1
            });
            let entry = &mut entries[index];
            let maps = [&entry.node, &value].map(|node| matches!(node.value, Value::Map(_)));
            if tail.is_empty() && maps != [true, true] {
                entry.at = at;
            }
            set(&mut entry.node, tail, value)
        }
        Value::List(items) => {
            let length = items.len();
            match head.parse::<usize>() {
                Ok(index) if index < length => set(&mut items[index], tail, value),
                Ok(index) if index == length => {
                    items.push(empty);
                    set(&mut items[index], tail, value)
                }
                _ => Err(format!(
                    "{head:?} is no place in a list of {length}; allowed: 0 to {length}, the last \
                     of which adds one"
                )),
            }
        }
        Value::Scalar(_) | Value::Null => {
            Err(format!("{head:?} lies below {}, not in a mapping or a list", node.describe()))
        }
    }
}

fn assign(node: &mut Node, value: Node) -> Result<(), String> {
    match (&mut node.value, value.value) {
        (Value::Map(_), Value::Map(entries)) => {
            for entry in entries {
                set(node, &[entry.key], entry.node)?;
            }
            Ok(())
        }
        (_, replacement) => {
            *node = Node::new(value.at, replacement);
            Ok(())
        }
    }
}
