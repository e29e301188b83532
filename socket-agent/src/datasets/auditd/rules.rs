//! Reading `module: auditd`, and `module: audit` with keys below `kernel`, as the module was first called.

use std::{fs, io, path::Path};

use super::{
    Auditd,
    options::{RULE_FILES, RULES},
};
use crate::datasets::ModuleReader;
use audit::{
    AuditConfig, SocketType,
    rules::{self, RuleErrors, RuleSet, Severity, Source, System},
};
use config::{
    files,
    location::{Location, Problem},
    tree::{Entry, Node, Value},
};

/// Under which the original metricset had its options.
const KERNEL: &str = "kernel";

/// Rules and what messages call the place they are from.
struct RuleText {
    name: String,
    first_line: usize,
    text: Vec<u8>,
}

impl ModuleReader<'_, '_> {
    /// Settings of the audit dataset; rules are read only where it runs.
    pub(super) fn auditd(&mut self, module: &Node, entries: &[Entry]) -> Option<AuditConfig> {
        let mut config = AuditConfig::default();
        self.table::<Auditd>(entries, &mut config);
        if let Some(entry) = module.get(KERNEL) {
            let below = self.reader.mapping(KERNEL, &entry.at, &entry.node).unwrap_or_default();
            for twice in below.iter().filter(|entry| module.get(&entry.key).is_some()) {
                let reason = format!("kernel.{} means the same; keep one of them", twice.key);
                self.reader.problem(&twice.at, reason);
            }
            self.table::<Auditd>(below, &mut config);
        }
        if self.reader.idle {
            return None;
        }
        config.rules = self.rules(module, &config);
        if config.immutable && config.socket_type == SocketType::Multicast {
            let at = module.get("immutable").map_or(&module.at, |entry| &entry.at);
            let reason = "immutable: true is for the owner of the audit socket; write socket_type: \
                          unicast or auto, or leave immutable out";
            self.reader.problem(at, reason);
        }
        Some(config)
    }

    /// The rules of the text and of the files; `None` if there is neither.
    fn rules(&mut self, module: &Node, config: &AuditConfig) -> Option<RuleSet> {
        let find = |key| {
            let kernel = module.get(KERNEL).and_then(|entry| entry.node.get(key));
            module.get(key).or(kernel)
        };
        let mut texts = Vec::new();
        let mut given = false;
        if let Some(entry) = find(RULES) {
            given |= !matches!(entry.node.value, Value::Null);
            texts.extend(self.rule_text(&entry.node));
        }
        let before_files = texts.len();
        let mut without_files = Vec::new();
        if let Some(entry) = find(RULE_FILES) {
            let patterns = self.reader.list(RULE_FILES, "paths", &entry.node);
            given |= !patterns.is_empty();
            for (at, pattern) in patterns {
                match self.rule_files(&at, &pattern) {
                    Some(found) => texts.extend(found),
                    None => without_files.push((at, self.folder.join(pattern))),
                }
            }
        }
        if !given {
            return None;
        }
        let set = self.rule_set(module, &texts, config);
        let none = texts.len() == before_files
            && set.as_ref().is_some_and(|set| set.commands.is_empty() && set.warnings.is_empty());
        for (at, pattern) in without_files {
            let pattern = pattern.display();
            if none && self.strict {
                let reason = format!(
                    "{pattern}: no such file, and there are no other rules: nothing would be \
                     audited; put a file there, leave audit_rule_files out, or start with \
                     --allow-inactive"
                );
                self.reader.problem(&at, reason);
            } else {
                let reason = format!("{pattern}: no such file; there are no rules from it");
                self.reader.warn(&at, reason);
            }
        }
        set
    }

    fn rule_set(
        &mut self,
        module: &Node,
        texts: &[RuleText],
        config: &AuditConfig,
    ) -> Option<RuleSet> {
        let system = match System::read() {
            Ok(system) => system,
            Err(error) => {
                let reason = format!("audit rules cannot be read: {error}");
                self.reader.problem(&module.at, reason);
                return None;
            }
        };
        let sources = texts.iter().map(|RuleText { name, first_line, text }| Source {
            name,
            first_line: *first_line,
            text,
        });
        let findings = &mut self.reader.findings;
        match RuleSet::read(sources, &system.host(config.perm_calls), config.ignore_errors) {
            Ok(set) => {
                findings.warnings.extend(set.warnings.iter().map(problem));
                Some(set)
            }
            Err(RuleErrors { problems }) => {
                let (errors, warnings): (Vec<_>, Vec<_>) =
                    problems.iter().partition(|problem| problem.severity == Severity::Error);
                findings.problems.extend(errors.into_iter().map(problem));
                findings.warnings.extend(warnings.into_iter().map(problem));
                None
            }
        }
    }

    /// The text of `audit_rules`, with each line where it stands in the file.
    fn rule_text(&mut self, node: &Node) -> Option<RuleText> {
        let text = match &node.value {
            Value::Null => return None,
            Value::Scalar(text) => self.reader.text(RULES, &node.at, text)?,
            Value::List(_) | Value::Map(_) => {
                let found = node.describe();
                let reason = format!("{RULES} is {found}; allowed: rules, one a line");
                self.reader.problem(&node.at, reason);
                return None;
            }
        };
        if let Some((line, indent)) = node.at.line_and_column().and_then(|(line, _)| {
            [line, line + 1]
                .into_iter()
                .find_map(|line| Some((line, self.indent(&node.at, line, &text)?)))
        }) {
            // Spaces before a rule mean nothing, and make columns those of the file.
            let margin = " ".repeat(indent);
            let lines = text.lines().map(|line| format!("{margin}{line}\n"));
            let name = node.at.source().to_owned();
            return Some(RuleText {
                name,
                first_line: line,
                text: lines.collect::<String>().into(),
            });
        }
        let name = format!("{}: {}", node.at, RULES);
        Some(RuleText { name, first_line: 1, text: text.into_bytes() })
    }

    /// How far a block of text is indented that begins in this line of the file that `at` is in;
    /// `None` if it does not.
    fn indent(&self, at: &Location, line: usize, text: &str) -> Option<usize> {
        let mut indent = None;
        let (_, source) = self.sources.iter().find(|(file, _)| file.source() == at.source())?;
        let mut written = source.lines().skip(line.checked_sub(1)?);
        for meant in text.lines() {
            let found = written.next()?;
            if meant.is_empty() {
                continue;
            }
            let margin = found.strip_suffix(meant)?;
            if !margin.bytes().all(|byte| byte == b' ')
                || indent.is_some_and(|it| it != margin.len())
            {
                return None;
            }
            indent = Some(margin.len());
        }
        indent
    }

    /// What the files have whose names fit a pattern, in order of their names; `None` if there is no
    /// such file.
    fn rule_files(&mut self, at: &Location, pattern: &str) -> Option<Vec<RuleText>> {
        let paths = match files::find(Path::new(pattern), self.folder) {
            Ok(paths) => paths,
            Err(reason) => {
                self.reader.problem(at, format!("{pattern}: {reason}"));
                return Some(Vec::new());
            }
        };
        let mut texts = Vec::new();
        for path in &paths {
            match fs::read(path) {
                Ok(text) => {
                    texts.push(RuleText { name: path.display().to_string(), first_line: 1, text });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.reader.problem(at, cannot_read(path, "there is no such file"));
                }
                Err(error) => self.reader.problem(at, cannot_read(path, &error.to_string())),
            }
        }
        (!paths.is_empty()).then_some(texts)
    }
}

fn cannot_read(path: &Path, why: &str) -> String {
    format!("{}: cannot be read: {why}; correct the name or leave it out", path.display())
}

fn problem(problem: &rules::Problem) -> Problem {
    let rules::Location { source, line, column } = &problem.location;
    let location = Location::whole(source.clone()).at(*line, *column);
    Problem::new(&location, problem.message.clone())
}
