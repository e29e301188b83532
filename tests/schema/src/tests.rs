use std::{
    env, fs,
    io::{self, Write},
    path::Path,
};

use serde_json::{Value, json};

use super::*;

/// Version of the schema that the list is made from.
const VERSION: &str = "9.5.0-dev";

fn schema() -> Schema {
    Schema::load().unwrap()
}

fn document() -> Value {
    json!({
        "@timestamp": "2019-08-22T20:46:40.173Z",
        "ecs": {"version": "9.0.0"},
        "event": {"kind": "event", "category": ["network"], "type": ["info", "connection"]},
    })
}

/// The problems of a sound document in which one field is set.
fn with(field: &str, value: Value) -> Vec<String> {
    let mut document = document();
    let mut place = &mut document;
    for name in field.split('.') {
        place = &mut place[name];
    }
    *place = value;
    schema().problems(&document)
}

#[test]
fn sound_documents_pass() {
    assert_eq!(schema().problems(&document()), Vec::<String>::new());
    for (field, value) in [
        ("source.ip", json!("10.0.2.15")),
        ("source.ip", json!("2001:db8::1")),
        ("related.ip", json!(["10.0.2.15", "::1"])),
        ("source.port", json!(40_192)),
        ("process.args", json!(["curl", ""])),
        ("event.start", json!("2019-08-22T20:46:35.001234567Z")),
        ("event.outcome", json!("failure")),
        ("network.direction", json!("egress")),
        ("host.containerized", json!(false)),
        ("process.created", json!("2019-08-22T20:46:34.928Z")),
        ("process.parent.pid", json!(1)),
        ("flow.final", json!(true)),
        ("system.audit.socket.anything", json!([{"at": "all"}])),
        ("@metadata.beat", json!("x")),
    ] {
        assert_eq!(with(field, value.clone()), Vec::<String>::new(), "{field} = {value}");
    }
}

#[test]
fn unsound_documents_do_not() {
    for (field, value, complaint) in [
        ("source.ip", json!("10.0.2"), "type ip"),
        ("source.ip", json!(["10.0.2.15"]), "not an array"),
        ("source.port", json!("80"), "type long"),
        ("source.port", json!(80.5), "type long"),
        ("source.bytes", json!(u64::MAX), "type long"),
        ("source.ip", Value::Null, "type ip"),
        ("related.ip", json!("::1"), "must be an array"),
        ("related.ip", json!([]), "empty array"),
        ("related.ip", json!(["::1", "host"]), "type ip"),
        ("process.args", json!([1]), "type keyword"),
        ("process.pid", json!({"a": 1}), "type long"),
        ("event.start", json!(1_566_506_800), "type date"),
        ("event.kind", json!("happening"), "not one of"),
        ("event.category", json!(["net"]), "not one of"),
        ("event.type", json!(["installation"]), "does not go with network"),
        ("event.outcome", json!("timeout"), "not one of"),
        ("network.direction", json!("outgoing"), "not one of"),
        ("network.flow", json!("x"), "not in the schema"),
        ("process.comm", json!("x"), "not in the schema"),
        ("process.parent.comm", json!("x"), "not in the schema"),
        ("host.containerised", json!(true), "not in the schema"),
        ("systemd.audit.x", json!(1), "not in the schema"),
        ("flow", json!(1), "not in the schema"),
        ("ecs", json!({}), "required"),
        ("@timestamp", json!("yesterday"), "type date"),
    ] {
        let problems = with(field, value.clone());
        assert!(
            problems.iter().any(|problem| problem.contains(complaint)),
            "{field} = {value}: {problems:?}"
        );
    }
    assert!(!schema().problems(&json!([])).is_empty());
    assert!(!schema().problems(&json!("text")).is_empty());
}

#[test]
fn missing_fields_are_named() {
    assert_eq!(missing(&document(), &["@timestamp", "event.kind"]), [""; 0]);
    assert_eq!(missing(&document(), &["event.end", "ecs.version", "a"]), ["event.end", "a"]);
    // The list of fields that documents must have is itself within the rules.
    let schema = schema();
    for field in FLOW_FIELDS {
        let free = FREE_PREFIXES.iter().any(|prefix| field.starts_with(prefix));
        assert!(
            free || EXTRA_FIELDS.contains(&field) || schema.fields.contains_key(field),
            "{field}"
        );
    }
    assert!(EXTRA_FIELDS.iter().all(|field| !schema.fields.contains_key(*field)));
}

#[test]
fn a_damaged_list_is_an_error() {
    for (text, complaint) in [("a\tlong", "columns"), ("a\ttall\t-\t-\t-", "unknown type tall")] {
        let message = format!("{:#}", Schema::parse(text).unwrap_err());
        assert!(message.contains(complaint) && message.contains("tsv:1"), "{message}");
    }
}

/// `ECS_FLAT_YML` names the whole schema; `UPDATE_GOLDEN=1` makes the list anew from it.
#[test]
fn the_list_is_that_of_the_whole_schema() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = env::var_os("ECS_FLAT_YML")
        .map_or_else(|| manifest.join("../../shared/ecs/ecs_flat.yml"), Into::into);
    let Ok(whole) = fs::read_to_string(&path) else {
        // Not through `println!`, whose lines the test harness hides.
        let line = format!("skipped: {} is not here to compare with\n", path.display());
        io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    };
    let list = flat::list(&whole, VERSION);
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(manifest.join("data/ecs_fields.tsv"), &list).unwrap();
        return;
    }
    assert!(
        Schema::parse(&list).unwrap() == schema() && list == FIELDS,
        "run with UPDATE_GOLDEN=1"
    );
}
