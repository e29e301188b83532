//! YAML as JSON, with aliases and merged mappings replaced by what they stand for.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, StrInput};
use serde_json::{Map, Value};

/// Reads the first document of a text that is known to be right.
pub(super) fn read(text: &str) -> Value {
    let mut reader = Reader { parser: Parser::new_from_str(text), anchors: HashMap::new() };
    loop {
        let event = reader.next();
        if !matches!(event, Event::StreamStart | Event::DocumentStart(_)) {
            return reader.value(event);
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Value>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Event<'t> {
        self.parser.next_event().unwrap().unwrap().0
    }

    fn value(&mut self, event: Event<'t>) -> Value {
        let (anchor, value) = match event {
            Event::Alias(anchor) => return self.anchors[&anchor].clone(),
            Event::Scalar(text, _, anchor, _) => (anchor, Value::String(text.into_owned())),
            Event::SequenceStart(anchor, _) => (anchor, self.list()),
            Event::MappingStart(anchor, _) => (anchor, self.mapping()),
            other => panic!("no value: {other:?}"),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        value
    }

    fn list(&mut self) -> Value {
        let mut items = Vec::new();
        loop {
            match self.next() {
                Event::SequenceEnd => return Value::Array(items),
                event => items.push(self.value(event)),
            }
        }
    }

    fn mapping(&mut self) -> Value {
        let (mut own, mut merged) = (Map::new(), Map::new());
        loop {
            let event = self.next();
            if event == Event::MappingEnd {
                merged.extend(own);
                return Value::Object(merged);
            }
            let key = self.value(event);
            let event = self.next();
            match (key.as_str().unwrap(), self.value(event)) {
                ("<<", Value::Object(more)) => merged.extend(more),
                (key, value) => drop(own.insert(key.to_owned(), value)),
            }
        }
    }
}

#[test]
fn anchors_and_merged_mappings() {
    let text = "a: &x\n  k: 1\n  l: [b, *y]\n";
    assert!(std::panic::catch_unwind(|| read(text)).is_err(), "no such anchor");
    let text = "---\na: &x\n  k: 1\n  l: [b, c] # d\ne:\n  <<: *x\n  k: 2\n";
    let expected =
        serde_json::json!({"a": {"k": "1", "l": ["b", "c"]}, "e": {"k": "2", "l": ["b", "c"]}});
    assert_eq!(read(text), expected);
}
