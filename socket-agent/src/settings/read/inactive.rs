//! Parts that are configured and that this version cannot run.

use super::AgentReader;
use config::{
    place::Place,
    rows::Why,
    tree::{Entry, Node, Value},
};

impl AgentReader<'_> {
    /// Ends the start, or warns where the user allows it: somebody counts on this part. `instead`
    /// says what happens then: it begins with a semicolon, or is empty.
    pub(super) fn inactive(&mut self, what: &str, at: &Place, instead: &'static str) {
        if self.reader.idle {
            return;
        }
        if self.strict {
            let reason = format!(
                "{what} is configured, and this version cannot run it; remove it, or start with \
                 --allow-inactive (in the file: strict: false)"
            );
            self.reader.problem(at, reason);
        } else {
            self.reader.nothing_follows(what, at, Why::NotYet(instead));
        }
    }

    /// `processors`, at the top level or in a module.
    pub(super) fn processors(&mut self, node: &Node) {
        let node = self.reader.values.whole(node).unwrap_or(node);
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            Value::Null => &[],
            Value::Scalar(_) | Value::Map(_) => {
                let found = node.describe();
                let reason = format!("processors is {found}; allowed: a list of processors");
                return self.reader.problem(&node.at, reason);
            }
        };
        for item in items {
            let name = match &item.value {
                Value::Map(entries) => entries.first().map(|entry| entry.key.as_str()),
                Value::Null | Value::Scalar(_) | Value::List(_) => None,
            };
            match name {
                Some(name) => self.inactive(&format!("processor {name}"), &item.at, ""),
                None => {
                    let found = item.describe();
                    let reason = format!(
                        "a processor is {found}; allowed: a mapping that begins with its name"
                    );
                    self.reader.problem(&item.at, reason);
                }
            }
        }
    }

    /// `cloud.id` stands for an output.
    pub(super) fn cloud(&mut self, entry: &Entry) {
        if let Some(id) = entry.node.get("id").filter(|id| !matches!(id.node.value, Value::Null)) {
            self.inactive("cloud.id (which means output.elasticsearch)", &id.at, "");
        }
    }
}
