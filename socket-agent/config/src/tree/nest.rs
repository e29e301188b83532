//! `socket.hooks: auto` and `socket: {hooks: auto}` are the same: the first becomes the second.
//!
//! What a mapping has itself wins over what it has by a merge key, in either form.

use super::{Entry, Node, Value, parse::duplicate};
use crate::location::Problem;

/// Splits the dotted keys of a tree. A key that is set in both forms is a problem.
pub fn nest(node: Node, problems: &mut Vec<Problem>) -> Node {
    nest_below(node, "", problems)
}

fn nest_below(node: Node, path: &str, problems: &mut Vec<Problem>) -> Node {
    let Node { at, value, anchored } = node;
    let value = match value {
        Value::Map(entries) => {
            let mut nested = Vec::new();
            for entry in entries {
                match split_key(&entry.key) {
                    Ok(parts) => insert(&mut nested, &parts, entry.clone(), path, problems),
                    Err(reason) => problems.push(Problem::new(&entry.at, reason)),
                }
            }
            Value::Map(nested)
        }
        Value::List(items) => {
            Value::List(items.into_iter().map(|item| nest_below(item, "", problems)).collect())
        }
        value @ (Value::Null | Value::Scalar(_)) => value,
    };
    Node { at, value, anchored }
}

/// Parts of a dotted key; the error is a reason with its remedy.
pub fn split_key(key: &str) -> Result<Vec<&str>, String> {
    let parts: Vec<&str> = key.split('.').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(format!("the key {key:?} has an empty part; write parts with one dot between"));
    }
    Ok(parts)
}

fn insert(
    into: &mut Vec<Entry>,
    parts: &[&str],
    mut entry: Entry,
    path: &str,
    problems: &mut Vec<Problem>,
) {
    let Some((head, tail)) = parts.split_first() else { return };
    let path = if path.is_empty() { (*head).to_owned() } else { format!("{path}.{head}") };
    let existing = into.iter_mut().find(|present| present.key == *head);
    if tail.is_empty() {
        (*head).clone_into(&mut entry.key);
        entry.node = nest_below(entry.node, &path, problems);
        match existing {
            Some(present) => unite(present, entry, &path, problems),
            None => into.push(entry),
        }
        return;
    }
    match existing {
        Some(Entry { node: Node { value: Value::Map(inner), .. }, .. }) => {
            insert(inner, tail, entry, &path, problems);
        }
        Some(_) if entry.merged => {}
        Some(present) => problems.push(duplicate(&path, &entry.at, &present.at)),
        None => {
            let (at, merged) = (entry.at.clone(), entry.merged);
            let mut inner = Vec::new();
            insert(&mut inner, tail, entry, &path, problems);
            let node = Node::new(at.clone(), Value::Map(inner));
            into.push(Entry { merged, ..Entry::new(*head, at, node) });
        }
    }
}

/// Adds the keys of a second mapping to the first. Anything else cannot be united, and need not be
/// if it is the same or came by a merge key.
fn unite(present: &mut Entry, second: Entry, path: &str, problems: &mut Vec<Problem>) {
    let at = second.at.clone();
    let settled = second.merged || present.node.is_same(&second.node);
    match (&mut present.node.value, second.node.value) {
        (Value::Map(first), Value::Map(more)) => {
            for entry in more {
                let path = format!("{path}.{}", entry.key);
                let entry = Entry { merged: entry.merged || second.merged, ..entry };
                match first.iter_mut().find(|known| known.key == entry.key) {
                    Some(known) => unite(known, entry, &path, problems),
                    None => first.push(entry),
                }
            }
        }
        _ if settled => {}
        _ => problems.push(duplicate(path, &at, &present.at)),
    }
}
