//! From YAML text to nodes.

use std::collections::HashMap;

use saphyr_parser::{Event, Input, Parser, ScalarStyle, ScanError, Span};

use super::{Entry, Node, Value};
use crate::location::{Location, Problem};

/// Mappings and lists may be nested this deep.
const DEEPEST: usize = 64;
/// Nodes of a document, those that aliases repeat counted each time.
const MOST: usize = 100_000;

/// Reads one YAML document. Duplicate keys are reported and the first of each is kept, so that the
/// rest can still be checked; after any other fault there is no document.
pub fn parse(text: &str, file: &Location, problems: &mut Vec<Problem>) -> Option<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder {
        parser: Parser::new_from_str(text),
        file,
        anchors: HashMap::new(),
        nodes: 0,
        problems,
    };
    match builder.document() {
        Ok(node) => Some(node),
        Err(fault) => {
            problems.push(fault);
            None
        }
    }
}

struct Builder<'a, 'input, T: Input> {
    parser: Parser<'input, T>,
    file: &'a Location,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    problems: &'a mut Vec<Problem>,
}

impl<'input, T: Input> Builder<'_, 'input, T> {
    fn document(&mut self) -> Result<Node, Problem> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(_) if root.is_some() => {
                    let reason = "a second document begins here; put everything into the first one";
                    return Err(Problem::new(&self.location(span), reason));
                }
                Event::DocumentStart(_) => {
                    let (event, span) = self.next()?;
                    root = Some(self.node(event, span, 0)?);
                }
                _ => return Err(self.broken(span, "content outside of a document")),
            }
        }
        Ok(root.unwrap_or_else(|| Node::new(self.file.clone(), Value::Null)))
    }

    fn node(&mut self, event: Event<'input>, span: Span, depth: usize) -> Result<Node, Problem> {
        let at = self.location(span);
        if depth > DEEPEST {
            return Err(Problem::new(&at, format!("nested more than {DEEPEST} deep; flatten it")));
        }
        self.count(1, &at)?;
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.check_tag(tag.as_deref(), &at)?;
                let null = style == ScalarStyle::Plain
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                (anchor, if null { Value::Null } else { Value::Scalar(text.into_owned()) })
            }
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), &at)?;
                (anchor, Value::List(self.list(depth)?))
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), &at)?;
                (anchor, Value::Map(self.map(depth)?))
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(Problem::new(
                        &at,
                        "an alias refers to itself; write the value out",
                    ));
                };
                self.count(size(&node), &at)?;
                return Ok(Node { anchored: false, ..node });
            }
            _ => return Err(self.broken(span, "a value is missing")),
        };
        let node = Node { at, value, anchored: anchor > 0 };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            let Value::Scalar(name) = key.value else {
                let reason = format!("a key is {}; allowed: a name", key.describe());
                self.problems.push(Problem::new(&key.at, reason));
                continue;
            };
            if name == "<<" {
                merged.push(node);
            } else if let Some(first) = entries.iter().find(|entry| entry.key == name) {
                self.problems.push(duplicate(&name, &key.at, &first.at));
            } else {
                entries.push(Entry::new(name, key.at, node));
            }
        }
        for node in merged {
            self.merge(&mut entries, node);
        }
        Ok(entries)
    }

    /// `<<: *anchor`: adds the keys that the mapping does not have itself.
    fn merge(&mut self, entries: &mut Vec<Entry>, node: Node) {
        match node.value {
            Value::Map(more) => {
                for entry in more {
                    if entries.iter().all(|present| present.key != entry.key) {
                        entries.push(Entry { merged: true, ..entry });
                    }
                }
            }
            Value::List(nodes) => {
                for node in nodes {
                    self.merge(entries, node);
                }
            }
            Value::Null | Value::Scalar(_) => {
                let reason = format!("<< is {}; allowed: a mapping to merge", node.describe());
                self.problems.push(Problem::new(&node.at, reason));
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'input>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.scan_error(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn count(&mut self, nodes: usize, at: &Location) -> Result<(), Problem> {
        self.nodes += nodes;
        if self.nodes > MOST {
            return Err(Problem::new(at, format!("more than {MOST} values; make it smaller")));
        }
        Ok(())
    }

    fn check_tag(&self, tag: Option<&saphyr_parser::Tag>, at: &Location) -> Result<(), Problem> {
        match tag {
            Some(tag) if !tag.is_yaml_core_schema() => {
                Err(Problem::new(at, format!("the tag {tag} is not understood; remove it")))
            }
            _ => Ok(()),
        }
    }

    fn location(&self, span: Span) -> Location {
        self.file.at(span.start.line(), span.start.col() + 1)
    }

    fn scan_error(&self, error: &ScanError) -> Problem {
        let mark = error.marker();
        let location = self.file.at(mark.line(), mark.col() + 1);
        Problem::new(&location, format!("not valid YAML: {}", error.info()))
    }

    fn broken(&self, span: Span, reason: &str) -> Problem {
        Problem::new(&self.location(span), format!("not valid YAML: {reason}"))
    }
}

pub(crate) fn duplicate(key: &str, second: &Location, first: &Location) -> Problem {
    Problem::new(second, format!("{key} is set twice, first at {first}; remove one of them"))
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Null | Value::Scalar(_) => 0,
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|entry| size(&entry.node)).sum(),
    }
}
