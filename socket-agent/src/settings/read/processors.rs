//! `processors`: what documents go through.

use super::AgentReader;
use config::{
    location::Location,
    suggest,
    tree::{Entry, Node, Value},
};
use processors::{Configured, PROCESSORS};

/// Keys beside options that every processor of Beats has, and that this version does not know.
const CONDITION: &str = "when";

/// Processors of Beats that do not run yet.
const OTHERS: &[&str] = &[
    "add_cloud_metadata",
    "add_cloudfoundry_metadata",
    "add_docker_metadata",
    "add_fields",
    "add_formatted_index",
    "add_host_metadata",
    "add_id",
    "add_kubernetes_metadata",
    "add_labels",
    "add_locale",
    "add_network_direction",
    "add_nomad_metadata",
    "add_observer_metadata",
    "add_process_metadata",
    "add_session_metadata",
    "append",
    "cache",
    "community_id",
    "convert",
    "copy_fields",
    "decode_base64_field",
    "decode_csv_fields",
    "decode_duration",
    "decode_json_fields",
    "decode_xml",
    "decode_xml_wineventlog",
    "decompress_gzip_field",
    "detect_mime_type",
    "dissect",
    "dns",
    "drop_event",
    "extract_array",
    "fingerprint",
    "if",
    "include_fields",
    "move_fields",
    "rate_limit",
    "registered_domain",
    "rename",
    "replace",
    "script",
    "syslog",
    "timestamp",
    "translate_ldap_attribute",
    "translate_sid",
    "truncate_fields",
    "urldecode",
];

impl AgentReader<'_> {
    /// `processors` at the top level.
    pub(super) fn processors(&mut self, node: &Node) -> Vec<Configured> {
        let items = self.processor_items(node);
        let mut configured = Vec::new();
        for entry in &items {
            let Some(processor) = processors::named(&entry.key) else {
                self.other_processor(entry);
                continue;
            };
            if let Some(condition) = entry.node.get(CONDITION) {
                let what = format!("processor {} with a condition", entry.key);
                self.inactive(&what, &condition.at, "");
                continue;
            }
            configured.extend(processor.read(&mut self.reader, entry));
        }
        configured
    }

    /// `processors` of a module: none runs for one dataset alone.
    pub(super) fn module_processors(&mut self, node: &Node) {
        for entry in &self.processor_items(node) {
            let of = if processors::named(&entry.key).is_some() { " of a module" } else { "" };
            self.inactive(&format!("processor {}{of}", entry.key), &entry.at, "");
        }
    }

    /// A processor that is not there: it does not run yet, or its name is wrong.
    fn other_processor(&mut self, entry: &Entry) {
        if OTHERS.contains(&entry.key.as_str()) {
            return self.inactive(&format!("processor {}", entry.key), &entry.at, "");
        }
        let known = || PROCESSORS.iter().map(|processor| processor.name);
        let hint = suggest::value_hint(&entry.key, known().chain(OTHERS.iter().copied()));
        let names: Vec<&str> = known().collect();
        let reason =
            format!("there is no processor {}; allowed: {}{hint}", entry.key, names.join(", "));
        self.reader.problem(&entry.at, reason);
    }

    /// Each item of the list as a name with its options.
    fn processor_items(&mut self, node: &Node) -> Vec<Entry> {
        let node = self.reader.values.whole(node).unwrap_or(node);
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            Value::Null => &[],
            Value::Scalar(_) | Value::Map(_) => {
                let found = node.describe();
                let reason = format!("processors is {found}; allowed: a list of processors");
                self.reader.problem(&node.at, reason);
                &[]
            }
        };
        let mut entries = Vec::new();
        for item in items {
            match &item.value {
                Value::Map(map) => match map.as_slice() {
                    [only] => entries.push(only.clone()),
                    // `if` has `then` and `else` beside it.
                    [first, ..] if first.key == "if" => entries.push(first.clone()),
                    [_, second, ..] => self.not_a_processor(
                        &second.at,
                        "a processor has a second name; write each as an item of its own",
                    ),
                    [] => self.not_a_processor(&item.at, "a processor is an empty mapping"),
                },
                Value::Null | Value::Scalar(_) | Value::List(_) => {
                    let found = item.describe();
                    let reason = format!(
                        "a processor is {found}; allowed: a mapping that begins with its name"
                    );
                    self.reader.problem(&item.at, reason);
                }
            }
        }
        entries
    }

    fn not_a_processor(&mut self, at: &Location, reason: &str) {
        self.reader.problem(at, reason);
    }
}
