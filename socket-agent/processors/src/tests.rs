//! Processors as they are configured, and what becomes of documents.

use config::{
    location::Location,
    rows::{Findings, Reader},
    tree::{Value, nest, parse},
    values::Values,
};
use ecs::Document;

use super::*;

/// What a processor of a file comes to, or what is wrong with it.
fn read(yaml: &str) -> Result<Configured, String> {
    let mut problems = Vec::new();
    let tree = parse(yaml, &Location::whole("t"), &mut problems).unwrap();
    let tree = nest(tree, &mut problems);
    let mut reader = Reader::new(Values::new(&tree, &[], &|_| None), Findings::default());
    let Value::Map(entries) = &tree.value else { panic!("no mapping") };
    let configured = named(&entries[0].key).unwrap().read(&mut reader, &entries[0]);
    configured.ok_or_else(|| reader.findings.problems.iter().map(ToString::to_string).collect())
}

fn processed(yaml: &str, document: &str) -> String {
    let mut document = Document::parse(document.as_bytes()).unwrap();
    assert!(read(yaml).unwrap().build().process(&mut document));
    let mut out = Vec::new();
    document.write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn tags_are_appended() {
    for (yaml, before, after) in [
        ("add_tags.tags: [a, b]", "{}", r#"{"tags":["a","b"]}"#),
        ("add_tags.tags: a", r#"{"tags":["x"]}"#, r#"{"tags":["x","a"]}"#),
        ("add_tags.tags: a", r#"{"tags":"x"}"#, r#"{"tags":["x","a"]}"#),
        ("add_tags: {tags: [a], target: p.q}", "{}", r#"{"p":{"q":["a"]}}"#),
        ("add_tags: {tags: [a], target: p.q}", r#"{"p":1}"#, r#"{"p":1}"#),
        ("add_tags.tags: a", r#"{"tags":1}"#, r#"{"tags":1}"#),
    ] {
        assert_eq!(processed(yaml, before), after, "{yaml}");
    }
}

#[test]
fn fields_are_taken_out() {
    let document = r#"{"@timestamp":"t","a":{"b":1,"c":2},"d":3}"#;
    let yaml = "drop_fields: {fields: [a.b, d, no.such, '@timestamp'], ignore_missing: true}";
    assert_eq!(processed(yaml, document), r#"{"@timestamp":"t","a":{"c":2}}"#);
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (yaml, message) in [
        ("add_tags:", "t:1:1: add_tags has no tags; write add_tags.tags: [name]"),
        (
            "drop_fields: {}",
            "t:1:1: drop_fields has no fields; write drop_fields.fields: [host.mac]",
        ),
        (
            "add_tags: {tags: {a: b}}",
            "t:1:18: add_tags.tags is a mapping; allowed: a list of texts",
        ),
        ("add_tags: 7", "t:1:11: add_tags is 7; allowed: a mapping"),
    ] {
        assert_eq!(read(yaml).unwrap_err(), message, "{yaml}");
    }
    let error = read("drop_fields.fields: [/a.*/]").unwrap_err();
    assert!(error.contains("/a.*/, a regular expression"), "{error}");
    assert!(read("add_tags.tags: a") == read("add_tags: {tags: [a], target: tags}"));
}
