//! From the tree to settings, by the tables of the schema.

mod auditd;
mod logging;
mod modules;
mod output;
mod table;

pub(super) use modules::{MODULES, has_socket};

use std::path::Path;

use super::{
    expand::{Environment, expand},
    place::{Place, Problem},
    schema,
    settings::Config,
    suggest,
    tree::{Entry, Node, Value},
};

/// Reads a whole tree, and collects what is to be said about it.
pub(super) struct Reader<'a> {
    environment: Environment<'a>,
    /// The text of the file.
    source: &'a str,
    /// Where other files are looked for.
    folder: &'a Path,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(environment: Environment<'a>, source: &'a str, folder: &'a Path) -> Self {
        Self { environment, source, folder, problems: Vec::new(), warnings: Vec::new() }
    }

    /// Reads the tree of a file; what it returns is worth something only without problems.
    pub(super) fn root(&mut self, root: &Node) -> Config {
        let mut config = Config { socket: None, audit: None, ..Config::default() };
        let Some(entries) = self.mapping("the file", &root.at, root) else { return config };
        for entry in entries {
            match entry.key.as_str() {
                MODULES => (config.socket, config.audit) = self.modules(&entry.node),
                "output" => config.output = self.output(entry),
                "logging" => config.metrics = self.logging(entry),
                "auditbeat" => self.auditbeat(entry),
                known if schema::ROOT.contains(&known) => self.not_used(known, &entry.at),
                _ => self.unknown_root(entry),
            }
        }
        if config.socket.is_none() && config.audit.is_none() && self.problems.is_empty() {
            self.problem(
                &root.at,
                "no enabled module has a dataset of this version; write modules: [{module: system, \
                 datasets: [socket]}], or module: auditd",
            );
        }
        config
    }

    /// What is left below `auditbeat` when its modules are taken out.
    fn auditbeat(&mut self, entry: &Entry) {
        let entries = self.mapping("auditbeat", &entry.at, &entry.node).unwrap_or_default();
        for entry in entries {
            let key = format!("auditbeat.{}", entry.key);
            if schema::AUDITBEAT.contains(&key.as_str()) {
                self.not_used(&key, &entry.at);
            } else {
                let known = schema::AUDITBEAT.iter().copied().chain(["auditbeat.modules"]);
                self.unknown(&key, entry, known);
            }
        }
    }

    fn unknown_root(&mut self, entry: &Entry) {
        if entry.key == "socket" {
            let reason = "socket.* has no meaning here; write it into a module, below datasets";
            return self.problem(&entry.at, reason);
        }
        let known = schema::ROOT.iter().copied().chain([MODULES, "auditbeat", "logging", "output"]);
        self.unknown(&entry.key, entry, known);
    }

    /// Entries of a mapping; nothing at all counts as an empty one.
    fn mapping<'n>(&mut self, key: &str, at: &Place, node: &'n Node) -> Option<&'n [Entry]> {
        match &node.value {
            Value::Map(entries) => Some(entries),
            Value::Null => Some(&[]),
            Value::Scalar(_) | Value::List(_) => {
                let at = if node.at.line_and_column().is_some() { &node.at } else { at };
                self.problem(at, format!("{key} is {}; allowed: a mapping", node.describe()));
                None
            }
        }
    }

    /// Text with its environment variables replaced; `None` after a problem.
    fn text(&mut self, key: &str, at: &Place, text: &str) -> Option<String> {
        match expand(text, self.environment) {
            Ok(text) => Some(text),
            Err(reason) => {
                self.problem(at, format!("{key}: {reason}"));
                None
            }
        }
    }

    fn problem(&mut self, at: &Place, message: impl Into<String>) {
        self.problems.push(Problem::new(at, message));
    }

    fn warn(&mut self, at: &Place, message: impl Into<String>) {
        self.warnings.push(Problem::new(at, message));
    }

    fn not_used(&mut self, key: &str, at: &Place) {
        self.warn(at, format!("{key} is not used by this version"));
    }

    /// Reports a key that nobody knows, with all of its parts where it has but one below it.
    fn unknown<'k>(&mut self, key: &str, entry: &Entry, known: impl Iterator<Item = &'k str>) {
        let mut whole = key.to_owned();
        let mut node = &entry.node;
        while let Value::Map(entries) = &node.value
            && let [only] = entries.as_slice()
            && only.at == entry.at
        {
            whole = format!("{whole}.{}", only.key);
            node = &only.node;
        }
        let known: Vec<&str> = known.collect();
        let hint = suggest::key_hint([&whole, key], &known);
        self.problem(&entry.at, format!("unknown key {whole}{hint}"));
    }
}
