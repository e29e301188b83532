//! Events and what another normaliser makes of them, compared by meaning.

use std::fs;

use serde_json::{Value, json};
use socket_agent::audit::document::{Options, Schema};

use crate::{
    documents,
    shared::{files, folder},
};

/// Test, field (of the other's form) and why this project means something else by it.
const DIFFERENCES: [(&str, &str, &str); 13] = [
    ("ANOM_ABEND SIGSEGV seg fault", "summary.how", "a signal has its name, not its number"),
    ("CRYPTO_KEY_USER", "user.ids.suid", "this suid is of another process, named by spid"),
    ("CRYPTO_SESSION", "user.ids.suid", "this suid is of another process, named by spid"),
    ("LOGIN success", "category", "a login is about logging in"),
    ("TIME_INJOFFSET", "category", "an adjusted clock is about the time"),
    ("LOGIN success", "data.old-ses", "an unset session is said so, as for ses"),
    ("make-device", "summary.object.primary", "the object is the device, not its directory"),
    ("make-device", "file", "the object is the device, not its directory"),
    ("mount syscall", "summary.object.type", "what is mounted is a file system"),
    ("*", "file.device", "ECS means the device that holds the file, not the one that it is"),
    ("USER_CHAUTHTOK failed", "category", "a changed password is about an account"),
    (
        "LOGIN success",
        "ecs.user.id",
        "nobody is `unset`: the process's own user stands there instead",
    ),
    (
        "USER_ERR",
        "ecs.user.effective.id",
        "what has failed for no account is not of the program that reports it",
    ),
];

/// Which of the list a difference in a field, or in all below one, is.
fn deliberate(test: &str, field: &str) -> Option<usize> {
    DIFFERENCES.iter().position(|(of, listed, _)| {
        let below =
            field.strip_prefix(listed).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        below && (*of == "*" || *of == test)
    })
}

#[test]
fn events_mean_the_same() {
    let Some(folder) = folder("coalesce") else { return };
    let mut compared = 0;
    let mut problems = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for (name, path) in files(&folder, ".yaml") {
        let tests = cases(&fs::read_to_string(&path).unwrap());
        let golden = fs::read(folder.join(format!("{name}.golden.json"))).unwrap();
        let golden: Vec<Value> = serde_json::from_slice(&golden).unwrap();
        assert_eq!(tests.len(), golden.len(), "{name}");
        for golden in &golden {
            let test = golden["test_name"].as_str().unwrap();
            let (_, log) = tests.iter().find(|(title, _)| title == test).unwrap();
            let (mut documents, _) = documents(log.as_bytes(), Options::default());
            assert_eq!(documents.len(), 1, "{name}: {test}");
            let document = documents.remove(0);
            let original = Options { schema: Schema::Kernel, ..Options::default() };
            let original = crate::documents(log.as_bytes(), original).0.remove(0);
            for (field, expected) in leaves(&golden["event"]) {
                let actual = match field.as_str() {
                    "category" => original["audit"]["kernel"]["category"].clone(),
                    field => place(&document, field),
                };
                if actual != expected {
                    match deliberate(test, &field) {
                        Some(index) => drop(seen.insert(index)),
                        None => problems
                            .push(format!("{test}: {field}: {expected} expected, {actual} found")),
                    }
                }
                compared += 1;
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let unseen: Vec<_> = (0..DIFFERENCES.len()).filter(|index| !seen.contains(index)).collect();
    assert!(unseen.is_empty(), "listed, but the same: {unseen:?}");
    assert!(compared > 500, "only {compared} fields compared");
}

/// Titles and lines of the YAML, which has one form: `  title: |` and lines below it.
fn cases(yaml: &str) -> Vec<(String, String)> {
    let mut cases: Vec<(String, String)> = Vec::new();
    for line in yaml.lines() {
        let indent = line.len() - line.trim_start().len();
        if indent == 2 && !line.trim_start().starts_with('#') {
            let title = line.trim().trim_end_matches(['|', '>', ' ']).trim_end_matches(':');
            cases.push((title.to_owned(), String::new()));
        } else if indent == 4
            && let Some((_, log)) = cases.last_mut()
        {
            log.push_str(line.trim_start());
            log.push('\n');
        }
    }
    cases
}

/// Fields with dots in their names; arrays are values, empty objects nothing.
fn leaves(value: &Value) -> Vec<(String, Value)> {
    let Some(members) = value.as_object() else { return vec![(String::new(), value.clone())] };
    let named = |(name, value): (&String, &Value)| {
        let below = leaves(value);
        let name = name.clone();
        below.into_iter().map(move |(field, value)| {
            let dot = if field.is_empty() { "" } else { "." };
            (format!("{name}{dot}{field}"), value)
        })
    };
    members.iter().flat_map(named).collect()
}

/// The value of the other's field in a document of ours.
fn place(document: &Value, field: &str) -> Value {
    let at = |path: &str| path.split('.').fold(document.clone(), |value, name| value[name].clone());
    let text = |value: Value| value.as_u64().map_or(value, |number| json!(number.to_string()));
    let or_unset = |value: Value| if value.is_null() { json!("unset") } else { value };
    match field {
        "@timestamp" => at("@timestamp").as_str().map_or(Value::Null, |time| {
            // Theirs has no zeros at the end.
            let time = time.trim_end_matches('Z').trim_end_matches('0');
            json!(format!("{time}Z"))
        }),
        "sequence" => at("auditd.sequence"),
        "record_type" => at("auditd.message_type"),
        "result" => at("auditd.result"),
        "session" => or_unset(at("auditd.session")),
        "summary.action" => at("event.action"),
        "tags" => at("tags"),
        "paths" => at("auditd.paths"),
        "ecs.user.id" => or_unset(at("user.id")),
        "process.pid" => text(at("process.pid")),
        "process.ppid" => text(at("process.parent.pid")),
        "process.exe" => at("process.executable"),
        "process.cwd" => at("process.working_directory"),
        "ecs.event.kind" => at("event.kind"),
        "ecs.event.category" => at("event.category"),
        "ecs.event.type" => at("event.type"),
        _ => {
            if let Some(id) = field.strip_prefix("user.ids.") {
                or_unset(user_id(document, id))
            } else if let Some(rest) = field.strip_prefix("ecs.") {
                at(rest)
            } else if field.starts_with("summary.") || field.starts_with("data.") {
                at(&format!("auditd.{field}"))
            } else {
                text(at(field))
            }
        }
    }
}

/// Where a document has an id. What a process reports of others has its own uid among the data.
fn user_id(document: &Value, id: &str) -> Value {
    let user = &document["user"];
    match id {
        "auid" => user["audit"]["id"].clone(),
        "old-auid" => user["old-auid"]["id"].clone(),
        "uid" => match &document["auditd"]["data"]["uid"] {
            Value::Null => user["id"].clone(),
            uid => uid.clone(),
        },
        "gid" => user["group"]["id"].clone(),
        "euid" => user["effective"]["id"].clone(),
        "egid" => user["effective"]["group"]["id"].clone(),
        "suid" => user["saved"]["id"].clone(),
        "sgid" => user["saved"]["group"]["id"].clone(),
        "fsuid" => user["filesystem"]["id"].clone(),
        "fsgid" => user["filesystem"]["group"]["id"].clone(),
        _ => Value::Null,
    }
}

#[test]
fn differences_are_told_to_users() {
    let docs = include_str!("../../../docs/audit-events.md");
    for (test, field, reason) in DIFFERENCES {
        assert!(docs.contains(reason), "{test}, {field}: docs/audit-events.md does not say why");
    }
}
