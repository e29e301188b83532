//! Parts that are configured and that this version cannot run.

use super::AgentReader;
use config::{
    location::Location,
    rows::Why,
    tree::{Entry, Value},
};

impl AgentReader<'_> {
    /// Ends the start, or warns where the user allows it: somebody counts on this part. `instead`
    /// says what happens then: it begins with a semicolon, or is empty.
    pub(super) fn inactive(&mut self, what: &str, at: &Location, instead: &'static str) {
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

    /// `cloud.id` stands for an output.
    pub(super) fn cloud(&mut self, entry: &Entry) {
        if let Some(id) = entry.node.get("id").filter(|id| !matches!(id.node.value, Value::Null)) {
            self.inactive("cloud.id (which means output.elasticsearch)", &id.at, "");
        }
    }
}
