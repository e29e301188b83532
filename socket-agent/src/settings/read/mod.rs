//! From the tree to the settings of this agent, by the tables of the schema.

mod general;
mod inactive;
mod modules;
mod output;
mod processors;
mod system;

pub(super) use general::module_files;
pub(super) use modules::{MODULES, routes, take_modules};

use std::path::Path;

use super::{
    schema::{GENERAL_GROUPS, General},
    types::Config,
};
pub(super) use crate::datasets::Source;
use config::{rows::Reader, tree::Node};

/// Reads a whole tree.
pub(super) struct AgentReader<'a> {
    pub(super) reader: Reader<'a>,
    /// The files that the tree is from.
    pub(super) sources: &'a [Source],
    /// Where relative names of other files start: `path.config`.
    pub(super) folder: &'a Path,
    /// Files that `auditbeat.config.modules.path` was found to name.
    pub(super) module_files: usize,
    /// Whether a part that is configured and cannot run ends the start.
    pub(super) strict: bool,
}

impl AgentReader<'_> {
    /// Reads the tree; what it returns is worth something only without problems.
    pub(super) fn root(&mut self, root: &Node) -> Config {
        let mut config = Config { datasets: Vec::new(), ..Config::default() };
        let Some(entries) = self.reader.mapping("the file", &root.at, root) else { return config };
        let mut general = General::default();
        self.general(entries, &mut general);
        self.strict = general.strict;
        config.metrics = general.metrics.clone();
        config.reload = general.reload.clone();
        for entry in entries {
            match entry.key.as_str() {
                MODULES => config.datasets = self.modules(&entry.node),
                "output" => config.outputs = self.outputs(entry),
                "processors" => config.processors = self.processors(&entry.node),
                "cloud" => self.cloud(entry),
                _ => {}
            }
        }
        if config.datasets.is_empty() && self.reader.findings.problems.is_empty() {
            let reason = self.nothing_to_run(&general);
            self.reader.problem(&root.at, reason);
        }
        config
    }

    fn nothing_to_run(&self, general: &General) -> String {
        let files = match &general.module_files.path {
            Some(path) if !general.module_files.enabled => {
                format!(" (the files of {path} are not read: auditbeat.config.modules.enabled)")
            }
            Some(path) => format!(
                " ({} files of auditbeat.config.modules.path: {path} were read)",
                self.module_files
            ),
            None => String::new(),
        };
        format!(
            "no enabled module has a dataset of this version{files}; write modules: [{{module: \
             system, datasets: [socket]}}], or module: auditd"
        )
    }
}

/// Top-level keys that lead to options.
fn top_level() -> impl Iterator<Item = &'static str> {
    let settings = super::schema::GENERAL.iter().map(|row| row.key);
    let known = GENERAL_GROUPS.iter().flat_map(|group| match group.prefix {
        "" => group.rows.iter().map(|row| row.key).collect(),
        prefix => vec![prefix],
    });
    settings.chain(known).map(|key| key.split('.').next().unwrap_or(key)).chain(["output"])
}
