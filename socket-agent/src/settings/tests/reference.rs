//! `docs/auditbeat.md`, made from the rows of the tables, and Auditbeat's reference files, whose keys
//! all have to be in it.

use std::{env, fs, path::Path};

use crate::settings::{Section, sections};
use config::Effect;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/auditbeat.md");
const HEAD: &str = "| key | where | here | meaning, or the reason |\n|---|---|---|---|\n";

/// Every option as a row.
fn table() -> String {
    let mut text = HEAD.to_owned();
    for Section { title, options } in sections() {
        for option in options {
            let here = match option.effect {
                Effect::Works => "works",
                Effect::WithoutMeaning(_) => "accepted, has no meaning",
                Effect::NotYet => "accepted, not yet used",
                Effect::Inactive => "not yet: ends the start",
            };
            let meaning = match (option.effect, option.default) {
                (Effect::Works, default) if !default.is_empty() => {
                    format!("{} Default: `{default}`.", option.doc)
                }
                _ => option.doc.to_owned(),
            };
            let key = &option.key;
            text += &format!("| `{key}` | {title} | {here} | {meaning} |\n");
        }
    }
    text
}

/// Compares the table with that of the page; `UPDATE_GOLDEN=1` writes it anew.
#[test]
fn the_page_has_the_rows_of_the_tables() {
    let page = fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(HEAD).expect("the page has a table");
    let end = rest.find("\n\n").map_or(rest.len(), |end| end + 1);
    let (written, after) = rest.split_at(end);
    let table = table();
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(PAGE, format!("{before}{table}{after}")).unwrap();
    } else {
        let same = table.strip_prefix(HEAD) == Some(written);
        assert!(same, "docs/auditbeat.md differs; UPDATE_GOLDEN=1 writes it anew\n{table}");
    }
}

/// Keys of a reference file with the module they stand in, those behind `#` included.
fn reference_keys(text: &str) -> Vec<(Option<String>, String)> {
    // Words before a colon in sentences, and behind two characters where others have one.
    const PROSE: [&str; 6] = ["event", "values", "Default", "WARNING", "IMPORTANT", "files"];
    const SPACED: [&str; 4] =
        ["file_parsers", "idle_connection_timeout", "rotateonstartup", "logging.event_data"];
    let mut keys: Vec<(Option<String>, String)> = Vec::new();
    let mut module = None;
    let mut above: Vec<(usize, &str)> = Vec::new();
    let mut block: Option<usize> = None;
    let mut in_example = false;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        if block.is_some_and(|block| line.trim().is_empty() || indent > block) {
            continue;
        }
        block = None;
        let (commented, rest) = match line.trim_start().strip_prefix('#') {
            Some(rest) => (true, rest),
            None => (false, line.trim_start()),
        };
        let inner = rest.len() - rest.trim_start().len();
        let (item, rest) = match rest.trim_start().strip_prefix("- ") {
            Some(rest) => (true, rest),
            None => (false, rest.trim_start()),
        };
        let Some((key, value)) = rest.split_once(':') else { continue };
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        if key.is_empty() || !key.chars().all(word) || !(value.is_empty() || value.starts_with(' '))
        {
            continue;
        }
        if PROSE.contains(&key) || (commented && inner == 1 && !SPACED.contains(&key)) {
            continue;
        }
        if key == "processors" {
            (in_example, module) = (true, None);
            above.clear();
            keys.push((None, key.to_owned()));
            continue;
        }
        if in_example && commented && (inner > 0 || item) {
            continue;
        }
        in_example = false;
        if item && key == "module" {
            module = Some(value.trim().to_owned());
        } else if item {
            continue;
        }
        let depth = indent + if inner == 1 { 0 } else { inner } + if item { 2 } else { 0 };
        above.retain(|(outer, _)| *outer < depth);
        if depth == 0 {
            module = None;
        }
        let path = above.iter().map(|(_, key)| *key).chain([key]);
        let path = path.collect::<Vec<_>>().join(".");
        let path = path.strip_prefix("auditbeat.modules.").map_or(path.as_str(), |key| key);
        keys.push((module.clone(), path.to_owned()));
        above.push((depth, key));
        if value.trim() == "|" {
            block = Some(depth);
        }
    }
    keys
}

/// Where a key is in the table: as a row, as what rows have in common, or below a row.
fn is_known(sections: &[Section], module: Option<&str>, key: &str) -> bool {
    let own = module.map_or("Top level".to_owned(), |module| format!("`module: {module}`"));
    let fits = |title: &str| {
        title == own || title == if module.is_some() { "Every module" } else { "Outputs" }
    };
    sections.iter().filter(|section| fits(&section.title)).any(|section| {
        section.options.iter().any(|option| {
            let below = |long: &str, short: &str| {
                long.strip_prefix(short)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            below(&option.key, key) || below(key, &option.key)
        })
    })
}

#[test]
fn keys_are_found_in_a_reference_file() {
    let text = "\
# Words: not this one.
auditbeat.modules:

- module: auditd
  resolve_ids: true
  #keep_null: false
  audit_rules: |
    ## external: no
    #-a always,exit -F key=x
- module: file_integrity
  hash_types: [sha1]
#queue:
  # Note that this: is a sentence.
  #mem:
    #flush.min_events: 1
#processors:
#  - drop_event:
#      when:
output.redis:
  # idle_connection_timeout: 3s
  #hosts: [\"localhost:6379\"]
";
    let keys: Vec<String> = reference_keys(text)
        .into_iter()
        .map(|(module, key)| format!("{}/{key}", module.unwrap_or_default()))
        .collect();
    assert_eq!(
        keys,
        [
            "/auditbeat.modules",
            "auditd/module",
            "auditd/resolve_ids",
            "auditd/keep_null",
            "auditd/audit_rules",
            "file_integrity/module",
            "file_integrity/hash_types",
            "/queue",
            "/queue.mem",
            "/queue.mem.flush.min_events",
            "/processors",
            "/output.redis",
            "/output.redis.idle_connection_timeout",
            "/output.redis.hosts",
        ]
    );
    let sections = sections();
    assert!(is_known(&sections, None, "fields.env") && is_known(&sections, None, "queue.mem"));
    assert!(!is_known(&sections, None, "queue.me") && !is_known(&sections, None, "audit_rules"));
    assert!(is_known(&sections, Some("auditd"), "keep_null"));
}

#[test]
fn every_key_of_the_reference_files_is_in_the_tables() {
    let sections = sections();
    for version in ["8.0", "9.6"] {
        let name = format!("auditbeat.reference-{version}.yml");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases/config");
        let Ok(text) = fs::read_to_string(path.join(&name)) else {
            println!("skipped: there is no {name} in {}", path.display());
            continue;
        };
        let keys = reference_keys(&text);
        assert!(keys.len() > 300, "{} keys found in {name}", keys.len());
        for (module, key) in keys {
            let known = is_known(&sections, module.as_deref(), &key);
            assert!(known, "{name}: {key} (module {module:?}) is in no table");
        }
    }
}
