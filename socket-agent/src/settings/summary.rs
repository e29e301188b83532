//! What became of the settings of a configuration.

use std::fmt;

use config::{
    location::{Problem, sort},
    rows::{Note, Why},
};

/// Settings, by what this version does with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Number of settings that do what they are documented to do.
    pub in_effect: usize,
    /// Settings that have nothing here to change, each with its place and the reason.
    pub without_meaning: Vec<Problem>,
    /// Their keys, each once.
    pub without_meaning_keys: Vec<String>,
    /// Keys of settings from which nothing follows yet, each once.
    pub not_yet_keys: Vec<String>,
}

impl Summary {
    /// Sums up; settings from which nothing follows yet become warnings.
    pub(super) fn new(in_effect: usize, notes: Vec<Note>, warnings: &mut Vec<Problem>) -> Self {
        let mut summary = Self { in_effect, ..Self::default() };
        for Note { key, at, why } in notes {
            let keys = match why {
                Why::WithoutMeaning(reason) => {
                    let message = format!("{key} has no meaning here: {reason}");
                    summary.without_meaning.push(Problem::new(&at, message));
                    &mut summary.without_meaning_keys
                }
                Why::NotYet(instead) => {
                    let message = format!("{key} is not used by this version{instead}");
                    warnings.push(Problem::new(&at, message));
                    &mut summary.not_yet_keys
                }
            };
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        sort(&mut summary.without_meaning);
        summary
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.in_effect == 1 { "" } else { "s" };
        write!(f, "{} setting{plural} in effect", self.in_effect)?;
        let mut separator = ",";
        for (keys, what) in [
            (&self.without_meaning_keys, "without meaning here"),
            (&self.not_yet_keys, "not used by this version"),
        ] {
            if !keys.is_empty() {
                write!(f, "{separator} {} {what}: {}", keys.len(), keys.join(", "))?;
                separator = ";";
            }
        }
        Ok(())
    }
}
