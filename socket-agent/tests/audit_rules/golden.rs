//! Bytes that another program's test data has for the same rules.
//!
//! The data lies beside the workspace and is no part of it.

use std::{collections::HashSet, env, fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use socket_agent::audit::{
    names::Arch,
    rules::{Command, Condition, Position, Rule, RuleSet, Source, Value},
};

use crate::host::FakeHost;

/// Where the paths of the data were made.
const PREFIX: &str = "/tmp/audit-test";

/// Those of its paths that were directories.
const DIRECTORIES: [&str; 3] = ["home", "etc/selinux", "etc/sudoers.d"];

struct Golden {
    flags: String,
    bytes: Vec<u8>,
}

/// `AUDIT_RULES_DATA`, or the folder beside the workspace.
fn folder() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/audit/rules");
    let folder = env::var_os("AUDIT_RULES_DATA").map_or_else(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// Reads the part of YAML that the data uses.
fn read(text: &str) -> Vec<Golden> {
    let mut rules: Vec<Golden> = Vec::new();
    let mut base64 = String::new();
    for line in text.lines().chain(["- flags: end"]) {
        if let Some(flags) = line.strip_prefix("- flags: ") {
            if let Some(rule) = rules.last_mut() {
                rule.bytes = STANDARD.decode(&base64).unwrap();
                base64.clear();
            }
            rules.push(Golden { flags: flags.to_owned(), bytes: Vec::new() });
        } else if let Some(data) = line.strip_prefix("    ") {
            base64.push_str(data);
        }
    }
    rules.pop();
    rules
}

fn rules(name: &str, text: &str, fake_host: &FakeHost) -> Vec<Rule> {
    let source = Source { name, first_line: 1, text: text.as_bytes() };
    let set =
        RuleSet::read([source], &fake_host.host(), false).unwrap_or_else(|error| panic!("{error}"));
    let rule = |command| match command {
        Command::Add { rule, position: Position::Last } => rule,
        other => panic!("{name}: {other:?}"),
    };
    set.commands.into_iter().map(|command| rule(command.value)).collect()
}

fn fake_host(prefix: &str) -> FakeHost {
    let directories: HashSet<String> =
        DIRECTORIES.iter().map(|path| format!("{prefix}/{path}")).collect();
    FakeHost { directories }
}

/// The same rule with the paths of the data's own host.
fn unprefixed(mut rule: Rule) -> Rule {
    let mut plain = Rule::new(rule.list(), rule.action());
    plain.set_calls(*rule.calls());
    for condition in rule.conditions() {
        let value = match &condition.value {
            Value::Text(text) => {
                Value::Text(text.strip_prefix(PREFIX.as_bytes()).unwrap_or(text).to_vec())
            }
            number @ Value::Number(_) => number.clone(),
        };
        plain.add(Condition { value, ..condition.clone() }).unwrap();
    }
    std::mem::swap(&mut rule, &mut plain);
    rule
}

#[test]
fn rules_have_the_bytes_of_the_golden_files() {
    let Some(folder) = folder() else {
        println!(
            "skipped: ../shared/audit/rules is not there, and AUDIT_RULES_DATA names no folder"
        );
        return;
    };
    if cfg!(target_endian = "big") {
        println!("skipped: the data has the bytes of a little-endian machine");
        return;
    }
    let mut compared = 0;
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rules"));
    assert!(!files.is_empty());
    for file in files {
        let name = file.display().to_string();
        let golden = read(&fs::read_to_string(file.with_extension("golden.yml")).unwrap());

        // Each rule as the golden file words it.
        let prefixed = fake_host(PREFIX);
        for Golden { flags, bytes } in &golden {
            let rule = rules(&name, flags, &prefixed).pop().unwrap();
            let decoded = Rule::decode(bytes).unwrap();
            assert_eq!(rule, decoded, "{name}: {flags}");
            assert!(rule.encode(Position::Last) == *bytes, "other bytes in {name}: {flags}");
            let text = decoded.to_text(Some(Arch::X86_64));
            assert_eq!(rules(&name, &text, &prefixed), [rule], "{flags} became {text}");
            compared += 1;
        }

        // The rule file itself, whose paths have no prefix.
        let plain = rules(&name, &fs::read_to_string(&file).unwrap(), &fake_host(""));
        let expected: Vec<Rule> =
            golden.iter().map(|it| unprefixed(Rule::decode(&it.bytes).unwrap())).collect();
        assert_eq!(plain, expected, "{name}");
    }
    println!("compared {compared} rules");
}
