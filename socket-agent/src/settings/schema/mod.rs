//! Options beside those of datasets, each a row of a table. What else a new option touches is listed in
//! CONTRIBUTING.md.

mod general;
mod known;

pub use general::STRICT;
pub(super) use general::{GENERAL, General, MODULE_FILES, ModuleFiles};
pub(super) use known::{
    FILE_INTEGRITY, MODULE_KEYS, OTHER_MODULES, OTHER_OUTPUTS, SYSTEM_DATASETS, SYSTEM_KNOWN,
};

use config::rows::{Described, Group, describe, describe_known};

use crate::datasets::{self, DATASETS, Module, Registration};

/// The module that has several datasets.
pub(super) const SYSTEM: &str = "system";

/// Options at the top level that are known by name, beside those of outputs.
pub(super) static GENERAL_GROUPS: &[Group] = &[
    known::GENERAL_KNOWN,
    Group { prefix: "queue.", rows: known::QUEUE },
    Group { prefix: "logging.files.", rows: known::LOG_FILES },
    Group { prefix: "logging.event_data.", rows: known::LOG_FILES },
    Group { prefix: "logging.event_data.files.", rows: known::LOG_FILES },
    Group { prefix: "setup.", rows: known::SETUP },
    known::KIBANA[0],
    known::KIBANA[1],
    known::MONITORING[0],
    known::MONITORING[1],
    known::MONITORING[2],
    known::MONITORING[3],
    known::MONITORING[4],
    Group { prefix: "instrumentation.", rows: known::INSTRUMENTATION },
];

/// Options that stand at one place of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Title of the section.
    pub title: String,
    /// In the order of the tables.
    pub options: Vec<Described>,
}

/// All options that are checked, in the order of the documentation.
pub fn options() -> Vec<Described> {
    let sections = sections().into_iter().flat_map(|section| section.options);
    sections.filter(|option| !option.allowed.is_empty()).collect()
}

/// The modules of the sample configuration, `ci/socket-agent.yml`.
pub fn sample() -> String {
    let modules: Vec<String> = DATASETS.iter().map(Registration::sample).collect();
    modules.join("\n")
}

/// All options that are known, Auditbeat's and this agent's own.
pub fn sections() -> Vec<Section> {
    let of = |title: String, settings: Vec<Described>, groups: &[Group]| {
        let options = settings.into_iter().chain(groups.iter().flat_map(describe_known)).collect();
        Section { title, options }
    };
    let module = |name: &str| format!("`module: {name}`");
    let shared = datasets::in_module(SYSTEM).flat_map(Registration::described).collect();
    let mut sections = vec![
        of("Top level".into(), describe(GENERAL), GENERAL_GROUPS),
        of("Every module".into(), Vec::new(), &[MODULE_KEYS]),
        of(module(SYSTEM), shared, &[SYSTEM_KNOWN]),
    ];
    let own = DATASETS.iter().filter(|dataset| matches!(dataset.module, Module::Own { .. }));
    sections.extend(own.map(|dataset| of(module(dataset.name), dataset.described(), &[])));
    sections.push(of(module("file_integrity"), Vec::new(), &[FILE_INTEGRITY]));
    let outputs = outputs::OUTPUTS.iter().flat_map(outputs::Registration::described).collect();
    let others: Vec<Group> =
        OTHER_OUTPUTS.iter().flat_map(|(_, groups)| groups.iter().copied()).collect();
    sections.push(of("Outputs".into(), outputs, &others));
    let of_processors =
        processors::PROCESSORS.iter().flat_map(processors::Registration::described).collect();
    sections.push(of("`processors`".into(), of_processors, &[]));
    for section in &mut sections {
        // What is checked now was known by its name before.
        let checked: Vec<String> = section
            .options
            .iter()
            .filter(|option| !option.allowed.is_empty())
            .map(|option| option.key.clone())
            .collect();
        section
            .options
            .retain(|option| !option.allowed.is_empty() || !checked.contains(&option.key));
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Effect;

    #[test]
    fn options_are_documented_and_distinct() {
        let options = options();
        for option in &options {
            assert!(!option.doc.is_empty() && !option.allowed.is_empty(), "{}", option.key);
            assert_eq!(options.iter().filter(|other| other.key == option.key).count(), 1);
            let below = format!("{}.", option.key);
            let branch = options.iter().any(|other| other.key.starts_with(&below));
            assert!(!branch, "{} is both a value and a mapping", option.key);
        }
    }

    #[test]
    fn every_known_option_is_one_row_and_says_why() {
        for section in sections() {
            for option in &section.options {
                let same = section.options.iter().filter(|other| other.key == option.key);
                assert_eq!(same.count(), 1, "{} in {}", option.key, section.title);
                let said = match option.effect {
                    Effect::Works => option.doc,
                    Effect::WithoutMeaning(reason) => reason,
                    Effect::NotYet | Effect::Inactive => "-",
                };
                assert!(!said.is_empty(), "{} in {}", option.key, section.title);
            }
        }
    }
}
