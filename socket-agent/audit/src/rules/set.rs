//! Several rule files as one set, taken as a whole or not at all.

use std::{collections::HashMap, fmt};

use super::{
    command::Command,
    host::Host,
    parse::{Source, parse},
    problem::{Located, Location, Problem, Severity},
    rule::Rule,
};

/// What the rule files ask for, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSet {
    /// Requests, in order.
    pub commands: Vec<Located<Command>>,
    /// What may not be as meant; with errors ignored, also what was left out.
    pub warnings: Vec<Problem>,
}

/// Everything that is wrong with rule files; prints one line per problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RuleErrors {
    /// At least one error, and the warnings.
    pub problems: Vec<Problem>,
}

impl fmt::Display for RuleErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problems.iter().enumerate().try_for_each(|(at, problem)| {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")
        })
    }
}

impl RuleSet {
    /// Reads files in order. A file with `-i` or `-c` ignores its own errors, `ignore_errors` those
    /// of all: wrong lines are then left out and become warnings.
    ///
    /// # Errors
    /// Every problem of every file, if one is an error that is not ignored.
    pub fn read<'a>(
        sources: impl IntoIterator<Item = Source<'a>>,
        host: &Host<'_>,
        ignore_errors: bool,
    ) -> Result<Self, RuleErrors> {
        let mut set = Self { commands: Vec::new(), warnings: Vec::new() };
        let mut refused = false;
        let mut loaded = HashMap::new();
        for source in sources {
            let mut parsed = parse(&source, host);
            parsed.drop_repeated(&mut loaded);
            let ignores = ignore_errors || parsed.ignores_errors();
            for problem in &mut parsed.problems {
                if ignores && problem.severity == Severity::Error {
                    problem.severity = Severity::Warning;
                    problem.message.push_str(" (line left out)");
                }
                refused |= problem.severity == Severity::Error;
            }
            set.commands.append(&mut parsed.commands);
            set.warnings.append(&mut parsed.problems);
        }
        if refused { Err(RuleErrors { problems: set.warnings }) } else { Ok(set) }
    }
}

impl super::Parsed {
    fn ignores_errors(&self) -> bool {
        let asks = |command: &Located<Command>| {
            matches!(command.value, Command::IgnoreErrors | Command::Continue)
        };
        self.commands.iter().any(asks)
    }

    /// The kernel refuses a rule that is already there; `loaded` are the rules so far.
    fn drop_repeated(&mut self, loaded: &mut HashMap<Rule, Location>) {
        let problems = &mut self.problems;
        self.commands.retain(|Located { location, value }| {
            match value {
                Command::DeleteAll { key: None } => loaded.clear(),
                Command::DeleteAll { key: Some(key) } => {
                    loaded.retain(|rule, _| !rule.has_key(key));
                }
                Command::Delete { rule } => {
                    loaded.remove(rule);
                }
                Command::Add { rule, .. } => {
                    if let Some(first) = loaded.get(rule) {
                        problems.push(Problem {
                            location: location.clone(),
                            severity: Severity::Error,
                            message: format!("the rule is already there, from {first}: remove one"),
                        });
                        return false;
                    }
                    loaded.insert(rule.clone(), location.clone());
                }
                _ => {}
            }
            true
        });
        problems.sort_by_key(|problem| (problem.location.line, problem.location.column));
    }
}
