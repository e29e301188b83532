//! Several files as one, as Beats merges them.

use super::{Node, Value};

/// Lays `over` upon `base`: mappings are united, lists item by item, other values replaced. What is
/// left empty above leaves what is below.
pub fn merge(base: &mut Node, over: Node) {
    match (&mut base.value, over.value) {
        (_, Value::Null) => {}
        (Value::Map(entries), Value::Map(more)) => {
            for entry in more {
                match entries.iter_mut().find(|present| present.key == entry.key) {
                    Some(present) => {
                        if !matches!(entry.node.value, Value::Null) {
                            present.at = entry.at;
                        }
                        merge(&mut present.node, entry.node);
                    }
                    None => entries.push(entry),
                }
            }
        }
        (Value::List(items), Value::List(more)) => {
            let mut more = more.into_iter();
            for (item, over) in items.iter_mut().zip(&mut more) {
                merge(item, over);
            }
            items.extend(more);
        }
        (_, value) => *base = Node { at: over.at, value, anchored: over.anchored },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        location::Location,
        tree::{nest, parse},
    };

    fn tree(name: &str, text: &str) -> Node {
        let mut problems = Vec::new();
        let tree = parse(text, &Location::whole(name), &mut problems).unwrap();
        let tree = nest(tree, &mut problems);
        assert_eq!(problems, []);
        tree
    }

    #[test]
    fn later_files_lie_above() {
        let mut merged = tree("one", "a: {b: 1, c: 2}\nlist: [{x: 1, y: 1}, 2, 3]\nkept: {k: v}\n");
        merge(&mut merged, tree("two", "a.c: 3\nlist: [{x: 5}, 6]\nkept:\nmore: [m]\n"));
        merge(&mut merged, tree("three", "a: {d: 4}\nlist: [{}, {}, {}, 7]\nmore: n\n"));
        let expected = tree(
            "all",
            "a: {b: 1, c: 3, d: 4}\nlist: [{x: 5, y: 1}, {}, {}, 7]\nkept: {k: v}\nmore: n\n",
        );
        assert!(merged.is_same(&expected), "{merged:#?}");
        assert_eq!(merged.find("a.c").unwrap().at.to_string(), "two:1:6");
        assert_eq!(merged.find("list.0.y").unwrap().at.to_string(), "one:2:18");
        assert_eq!(merged.get("kept").unwrap().at.to_string(), "one:3:1");
    }
}
