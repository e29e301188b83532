//! `module: auditd`, and `module: audit` with keys below `kernel`, as the module was first called.

use std::{fs, path::Path};

use super::{
    Reader,
    modules::{DATASETS, ENABLED, ENABLED_ROW, MODULE},
    table::Allowed,
};
use crate::config::{
    place::{Place, Problem},
    schema,
    tree::{Entry, Node, Value},
};
use audit::{
    AuditConfig, SocketType,
    rules::{self, RuleErrors, RuleSet, Severity, Source, System},
};

/// Under which the original metricset had its options.
const KERNEL: &str = "kernel";

/// Rules and what messages call the place they are from.
struct RuleText {
    name: String,
    first_line: usize,
    text: Vec<u8>,
}

impl Reader<'_> {
    /// Settings of the audit dataset, if the module is enabled.
    pub(super) fn auditd(&mut self, module: &Node, entries: &[Entry]) -> Option<AuditConfig> {
        let warnings = self.warnings.len();
        let mut enabled = true;
        if let Some(entry) = module.get(ENABLED) {
            self.setting(ENABLED_ROW, entry, &mut enabled);
        }
        let mut config = AuditConfig::default();
        let allowed = Allowed {
            table: schema::AUDITD,
            ignored: schema::MODULE_KEYS,
            handled: &[
                MODULE,
                ENABLED,
                DATASETS[0],
                DATASETS[1],
                KERNEL,
                schema::RULES,
                schema::RULE_FILES,
            ],
        };
        self.table(&allowed, "", entries, &mut config);
        if let Some(entry) = module.get(KERNEL) {
            let below = self.mapping(KERNEL, &entry.at, &entry.node).unwrap_or_default();
            for twice in below.iter().filter(|entry| module.get(&entry.key).is_some()) {
                let reason = format!("kernel.{} means the same; keep one of them", twice.key);
                self.problem(&twice.at, reason);
            }
            self.table(&allowed, "", below, &mut config);
        }
        if !enabled {
            self.warnings.truncate(warnings);
            return None;
        }
        config.rules = self.rules(module, &config);
        if config.immutable && config.socket_type == SocketType::Multicast {
            let at = module.get("immutable").map_or(&module.at, |entry| &entry.at);
            let reason = "immutable: true is for the owner of the audit socket; write socket_type: \
                          unicast or auto, or leave immutable out";
            self.problem(at, reason);
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
        if let Some(entry) = find(schema::RULES) {
            given |= !matches!(entry.node.value, Value::Null);
            texts.extend(self.rule_text(&entry.node));
        }
        if let Some(entry) = find(schema::RULE_FILES) {
            let patterns = self.names(schema::RULE_FILES, &entry.node);
            given |= !patterns.is_empty();
            for (at, pattern) in patterns {
                texts.extend(self.rule_files(&at, &pattern));
            }
        }
        if !given {
            return None;
        }
        let system = match System::read() {
            Ok(system) => system,
            Err(error) => {
                self.problem(&module.at, format!("audit rules cannot be read: {error}"));
                return None;
            }
        };
        let sources = texts.iter().map(|RuleText { name, first_line, text }| Source {
            name,
            first_line: *first_line,
            text,
        });
        match RuleSet::read(sources, &system.host(config.perm_calls), config.ignore_errors) {
            Ok(set) => {
                self.warnings.extend(set.warnings.iter().map(problem));
                Some(set)
            }
            Err(RuleErrors { problems }) => {
                let (errors, warnings): (Vec<_>, Vec<_>) =
                    problems.iter().partition(|problem| problem.severity == Severity::Error);
                self.problems.extend(errors.into_iter().map(problem));
                self.warnings.extend(warnings.into_iter().map(problem));
                None
            }
        }
    }

    /// The text of `audit_rules`, with each line where it stands in the file.
    fn rule_text(&mut self, node: &Node) -> Option<RuleText> {
        let text = match &node.value {
            Value::Null => return None,
            Value::Scalar(text) => self.text(schema::RULES, &node.at, text)?,
            Value::List(_) | Value::Map(_) => {
                let found = node.describe();
                let reason = format!("{} is {found}; allowed: rules, one a line", schema::RULES);
                self.problem(&node.at, reason);
                return None;
            }
        };
        if let Some((line, indent)) = node.at.line_and_column().and_then(|(line, _)| {
            [line, line + 1].into_iter().find_map(|line| Some((line, self.indent(line, &text)?)))
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
        let name = format!("{}: {}", node.at, schema::RULES);
        Some(RuleText { name, first_line: 1, text: text.into_bytes() })
    }

    /// How far a block of text is indented that begins in this line of the file; `None` if it does
    /// not.
    fn indent(&self, line: usize, text: &str) -> Option<usize> {
        let mut indent = None;
        let mut written = self.source.lines().skip(line.checked_sub(1)?);
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

    /// What the files have whose names fit a pattern, in order of their names.
    fn rule_files(&mut self, at: &Place, pattern: &str) -> Vec<RuleText> {
        let pattern = self.folder.join(pattern);
        let paths = match glob::glob(&pattern.to_string_lossy()) {
            Ok(paths) => paths,
            Err(error) => {
                let reason = format!(
                    "{}: {error}; allowed: a path in which * and ? stand for parts of a name",
                    pattern.display()
                );
                self.problem(at, reason);
                return Vec::new();
            }
        };
        let mut texts = Vec::new();
        let mut unreadable = Vec::new();
        for path in paths {
            let read = match &path {
                Ok(path) => fs::read(path).map_err(|error| (path.as_path(), error.to_string())),
                Err(error) => Err((error.path(), error.error().to_string())),
            };
            match read {
                Ok(text) => {
                    let name = path.map(|path| path.display().to_string()).unwrap_or_default();
                    texts.push(RuleText { name, first_line: 1, text });
                }
                Err((path, error)) => unreadable.push(cannot_read(path, &error)),
            }
        }
        if texts.is_empty() && unreadable.is_empty() {
            let path = pattern.display();
            if pattern.to_string_lossy().contains(['*', '?', '[']) {
                self.warn(at, format!("{path}: no such file; there are no rules from it"));
            } else {
                unreadable.push(cannot_read(&pattern, "there is no such file"));
            }
        }
        for reason in unreadable {
            self.problem(at, reason);
        }
        texts
    }

    /// A list of texts; one alone may stand without a list.
    fn names(&mut self, key: &str, node: &Node) -> Vec<(Place, String)> {
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            Value::Scalar(_) => std::slice::from_ref(node),
            Value::Null => &[],
            Value::Map(_) => {
                self.problem(&node.at, format!("{key} is a mapping; allowed: a list of paths"));
                &[]
            }
        };
        items.iter().filter_map(|item| Some((item.at.clone(), self.name(key, item)?))).collect()
    }
}

fn cannot_read(path: &Path, why: &str) -> String {
    format!("{}: cannot be read: {why}; correct the name or leave it out", path.display())
}

fn problem(problem: &rules::Problem) -> Problem {
    let rules::Place { source, line, column } = &problem.place;
    let place = Place::whole(source.clone()).at(*line, *column);
    Problem::new(&place, problem.message.clone())
}
