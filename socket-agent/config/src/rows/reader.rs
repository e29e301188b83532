//! What a tree is read with: values with their references replaced, and what is found meanwhile.

use super::Effect;
use crate::{
    location::{Location, Problem},
    suggest,
    tree::{Entry, Node, Value},
    values::Values,
};

/// What has been found while a tree was read.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Errors, with which the agent does not start.
    pub problems: Vec<Problem>,
    /// Warnings for the user.
    pub warnings: Vec<Problem>,
    /// Settings that do what they are documented to do, by key and location.
    pub in_effect: Vec<(String, Location)>,
    /// Settings from which nothing follows.
    pub notes: Vec<Note>,
}

/// A setting that was given and from which nothing follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The whole key.
    pub key: String,
    /// Location of the setting.
    pub at: Location,
    /// Reason.
    pub why: Why,
}

/// Why nothing follows from a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is nothing here for it to change, for this reason.
    WithoutMeaning(&'static str),
    /// This version does not use it. The text says what happens instead: it begins with a semicolon,
    /// or is empty.
    NotYet(&'static str),
}

/// Reads a tree, and collects what is to be said about it.
pub struct Reader<'a> {
    /// The tree with its references replaced.
    pub values: Values<'a>,
    /// Errors, warnings and notes so far.
    pub findings: Findings,
    /// Set while a part is read that will not run: what is wrong with it ends no start.
    pub idle: bool,
}

impl<'a> Reader<'a> {
    /// A reader that has found what was found before.
    pub fn new(values: Values<'a>, findings: Findings) -> Self {
        Self { values, findings, idle: false }
    }

    /// What ends the start, unless it is in a part that will not run.
    pub fn problem(&mut self, at: &Location, message: impl Into<String>) {
        if self.idle {
            let message: String = message.into();
            self.warn(at, format!("{message}; this part is not enabled"));
        } else {
            add(&mut self.findings.problems, Problem::new(at, message));
        }
    }

    /// Adds a warning: the agent starts nevertheless.
    pub fn warn(&mut self, at: &Location, message: impl Into<String>) {
        add(&mut self.findings.warnings, Problem::new(at, message));
    }

    /// Counts a setting that is given, by what this version does with it.
    pub fn note(&mut self, effect: Effect, key: &str, at: &Location) {
        let why = match effect {
            Effect::Works => {
                if !self.idle {
                    add(&mut self.findings.in_effect, (key.to_owned(), at.clone()));
                }
                return;
            }
            Effect::WithoutMeaning(reason) => Why::WithoutMeaning(reason),
            Effect::NotYet => Why::NotYet(""),
            Effect::Inactive => return,
        };
        self.nothing_follows(key, at, why);
    }

    /// Notes something that is given and from which nothing follows.
    pub fn nothing_follows(&mut self, key: &str, at: &Location, why: Why) {
        if !self.idle {
            add(&mut self.findings.notes, Note { key: key.to_owned(), at: at.clone(), why });
        }
    }

    /// Reads a part that will not run: it is looked through for keys that nobody knows.
    pub fn idly<R>(&mut self, read: impl FnOnce(&mut Self) -> R) -> R {
        let before = std::mem::replace(&mut self.idle, true);
        let result = read(self);
        self.idle = before;
        result
    }

    /// Text with its references replaced; `None` after a problem.
    pub fn text(&mut self, key: &str, at: &Location, text: &str) -> Option<String> {
        match self.values.text(text) {
            Ok(text) => Some(text),
            // A part that does not run needs no variables.
            Err(_) if self.idle => None,
            Err(reason) => {
                self.problem(at, format!("{key}: {reason}"));
                None
            }
        }
    }

    /// Entries of a mapping; nothing at all counts as an empty one.
    pub fn mapping<'n>(&mut self, key: &str, at: &Location, node: &'n Node) -> Option<&'n [Entry]>
    where
        'a: 'n,
    {
        match &self.values.whole(node).unwrap_or(node).value {
            Value::Map(entries) => Some(entries),
            Value::Null => Some(&[]),
            Value::Scalar(_) | Value::List(_) => {
                let at = if node.at.line_and_column().is_some() { &node.at } else { at };
                self.problem(at, format!("{key} is {}; allowed: a mapping", node.describe()));
                None
            }
        }
    }

    /// Texts of a list, each with its location; one alone may stand without a list. `items` says what
    /// the list is of.
    pub fn list(&mut self, key: &str, items: &str, node: &Node) -> Vec<(Location, String)> {
        let node = self.values.whole(node).unwrap_or(node);
        let nodes = match &node.value {
            Value::List(nodes) => nodes.as_slice(),
            Value::Scalar(_) => std::slice::from_ref(node),
            Value::Null => &[],
            Value::Map(_) => {
                self.problem(&node.at, format!("{key} is a mapping; allowed: a list of {items}"));
                &[]
            }
        };
        let mut texts = Vec::new();
        for node in nodes {
            let Value::Scalar(text) = &node.value else {
                let found = node.describe();
                self.problem(&node.at, format!("{key} holds {found}; allowed: a list of {items}"));
                continue;
            };
            match self.values.parts(text) {
                Ok(parts) => texts.extend(parts.into_iter().map(|part| (node.at.clone(), part))),
                Err(_) if self.idle => {}
                Err(reason) => self.problem(&node.at, format!("{key}: {reason}")),
            }
        }
        texts
    }

    /// Warns of a key that nobody knows, with all of its parts where it has but one below it.
    pub fn unknown<'k>(&mut self, key: &str, entry: &Entry, known: impl Iterator<Item = &'k str>) {
        let whole = whole_key(key, entry);
        let known: Vec<&str> = known.collect();
        let hint = suggest::key_hint([&whole, key], &known).unwrap_or_default();
        self.warn(&entry.at, format!("unknown key {whole} has no effect{hint}"));
    }
}

/// Adds what has not been found before: an option that several tables have is read by each of them.
fn add<T: PartialEq>(found: &mut Vec<T>, one: T) {
    if !found.contains(&one) {
        found.push(one);
    }
}

/// A key with all of its parts where it has but one below it, written in one.
pub fn whole_key(key: &str, entry: &Entry) -> String {
    let mut whole = key.to_owned();
    let mut node = &entry.node;
    while let Value::Map(entries) = &node.value
        && let [only] = entries.as_slice()
        && only.at == entry.at
    {
        whole = format!("{whole}.{}", only.key);
        node = &only.node;
    }
    whole
}
