//! What references in values stand for: other settings first, then environment variables.

use std::cell::RefCell;

use super::{
    expand::{expand, only_name},
    tree::{Node, Value},
};

/// Looks up an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Settings that are references to settings are followed this far.
const LONGEST: usize = 8;

/// Values of a tree with their references replaced.
pub struct Values<'a> {
    root: &'a Node,
    /// Settings that are known before the tree is read, which win over it.
    known: &'a [(&'static str, String)],
    environment: Environment<'a>,
    /// Settings whose references are being replaced, the outermost first.
    following: RefCell<Vec<String>>,
}

impl<'a> Values<'a> {
    /// Values of the tree below `root`.
    pub fn new(
        root: &'a Node,
        known: &'a [(&'static str, String)],
        environment: Environment<'a>,
    ) -> Self {
        Self { root, known, environment, following: RefCell::default() }
    }

    /// Replaces the references in `text`; the error is a reason with its remedy.
    pub fn text(&self, text: &str) -> Result<String, String> {
        expand(text, &|name| self.lookup(name))
    }

    /// The list or mapping that a value stands for which is one reference and nothing else; `None`
    /// if it stands for something else.
    pub fn whole(&self, node: &Node) -> Option<&'a Node> {
        let mut found: Option<&'a Node> = None;
        for _ in 0..LONGEST {
            let Value::Scalar(text) = &found.map_or(node, |found| found).value else {
                return found;
            };
            found = Some(self.root.find(only_name(text)?)?);
        }
        None
    }

    /// Texts of a list; one alone may stand without a list. A value that comes from elsewhere may be
    /// a list in one text: `a, b` or `[a, b]`.
    pub fn parts(&self, text: &str) -> Result<Vec<String>, String> {
        let expanded = self.text(text)?;
        Ok(if text.contains("${") { split(&expanded) } else { vec![expanded] })
    }

    fn lookup(&self, name: &str) -> Result<Option<String>, String> {
        if let Some((_, value)) = self.known.iter().find(|(known, _)| *known == name) {
            return Ok(Some(value.clone()));
        }
        let text = match self.root.find(name) {
            None | Some(Node { value: Value::Null, .. }) => return Ok((self.environment)(name)),
            Some(Node { value: Value::Scalar(text), .. }) => text,
            Some(node) => {
                return Err(format!("{name} is {}; a text can hold a value only", node.describe()));
            }
        };
        if self.following.borrow().iter().any(|outer| outer == name) {
            // A setting may bear the name of the variable that it takes its value from.
            let reason = || format!("the setting {name} refers to itself; write its value out");
            return (self.environment)(name).ok_or_else(reason).map(Some);
        }
        self.following.borrow_mut().push(name.to_owned());
        let value = self.text(text);
        self.following.borrow_mut().pop();
        value.map(Some)
    }
}

/// Parts of a list that was written into one text.
fn split(text: &str) -> Vec<String> {
    let text = text.trim();
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if inner.is_none() && !text.contains(',') {
        return vec![text.to_owned()];
    }
    let parts = inner.unwrap_or(text).split(',').map(|part| part.trim().trim_matches(['"', '\'']));
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        location::Location,
        tree::{nest, parse},
    };

    const TREE: &str = "\
a.b: inner
own: ${a.b} and ${NAME}
NAME: ${NAME}
loop: ${pool}
pool: ${loop}
list: [x, '${a.b}']
same: ${list}
path.config: relative
empty:
";

    #[test]
    fn settings_come_before_variables() {
        let mut problems = Vec::new();
        let tree = parse(TREE, &Location::whole("t"), &mut problems).unwrap();
        let tree = nest(tree, &mut problems);
        let known = [("path.config", "/known".to_owned())];
        let environment = |name: &str| match name {
            "NAME" | "empty" | "a.b" => Some(format!("variable {name}")),
            "LIST" => Some("[ 'p' , q,, \"r\"]".to_owned()),
            "COMMAS" => Some("p, q".to_owned()),
            _ => None,
        };
        let values = Values::new(&tree, &known, &environment);
        for (text, expected) in [
            ("${a.b}", "inner"),
            ("<${own}>", "<inner and variable NAME>"),
            ("${path.config}/x", "/known/x"),
            ("${empty}", "variable empty"),
            ("${list.1}", "inner"),
            ("${a.c:default}", "default"),
        ] {
            assert_eq!(values.text(text).as_deref(), Ok(expected), "{text}");
        }
        for (text, expected) in [
            ("${loop}", "the setting loop refers to itself; write its value out"),
            ("${list}", "list is a list; a text can hold a value only"),
            ("${a}/x", "a is a mapping; a text can hold a value only"),
            ("${a.c}", "there is no setting a.c; set it or write ${a.c:default}"),
        ] {
            assert_eq!(values.text(text), Err(expected.to_owned()), "{text}");
        }
        let scalar = |text: &str| Node::new(Location::whole("t"), Value::Scalar(text.to_owned()));
        let whole = values.whole(&scalar("${same}")).unwrap();
        assert!(matches!(&whole.value, Value::List(items) if items.len() == 2));
        assert!(values.whole(&scalar("${a.b}")).is_none());
        assert!(values.whole(&scalar("${loop}")).is_none());
        for (text, expected) in [
            ("${LIST}", &["p", "q", "r"] as &[_]),
            ("${COMMAS}", &["p", "q"]),
            ("${NO:a,b}", &["a", "b"]),
            ("a, b", &["a, b"]),
            ("${a.b}", &["inner"]),
        ] {
            assert_eq!(values.parts(text).unwrap(), expected, "{text}");
        }
    }
}
