//! What `docs/` says, held against the code.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use config::Effect;
use metrics::Class;
use serde_json::Value;
use socket_agent::{run::metrics::register, settings};

const LOSSES: &str = include_str!("../../docs/losses.md");
const DOCUMENTS: &str = include_str!("../../docs/documents.md");
const OUTPUTS: &str = include_str!("../../docs/outputs.md");
const OTHERS: &str = concat!(
    include_str!("../../docs/audit.md"),
    include_str!("../../docs/counting.md"),
    include_str!("../../docs/hook-sets.md"),
    include_str!("../../docs/ownership.md"),
    include_str!("../../docs/tracefs.md"),
    include_str!("../../ci/socket-agent.yml"),
);

/// Rows of tables whose first column is a single word as code: that word, and the other columns.
fn rows(text: &str) -> impl Iterator<Item = (&str, Vec<&str>)> {
    text.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("| `")?.split_once("` |")?;
        let columns = rest.trim_end_matches('|').split('|').map(str::trim).collect();
        Some((name, columns))
    })
}

/// All Rust sources below a directory, one after the other.
fn sources(directory: &Path, into: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// Counters but those of the audit dataset: every one has a test that makes it count, which is there, or a
/// reason why none can.
#[test]
fn each_counter_is_made_to_count() {
    let (_, provoked) = LOSSES.split_once("## Which test makes it count").unwrap();
    let provoked: BTreeMap<&str, Vec<&str>> = rows(provoked).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut code = String::new();
    for directory in ["socket-agent", "tests/src"] {
        sources(&root.join(directory), &mut code);
    }
    let counters = register().filter(|metric| matches!(metric.class, Class::Loss | Class::Notice));
    // Those of the audit dataset are made to count by its own tests.
    for name in counters.map(|metric| metric.name).filter(|name| !name.starts_with("audit_")) {
        let how = provoked.get(name).unwrap_or_else(|| panic!("no test makes {name} count"))[0];
        let known = match how.strip_prefix("none: ") {
            Some(reason) => !reason.is_empty(),
            None => {
                let test = how.trim_matches('`');
                let (as_scenario, as_test) = (format!("\"{test}\""), format!("fn {test}()"));
                code.contains(if test.contains('/') { &as_scenario } else { &as_test })
            }
        };
        assert!(known, "{name}: there is no test {how}");
    }
}

#[test]
fn options_that_have_an_effect_are_described() {
    for option in settings::options().into_iter().filter(|option| option.effect == Effect::Works) {
        let pages = [OTHERS, LOSSES, DOCUMENTS, OUTPUTS];
        let described = pages.iter().any(|text| text.contains(&option.key));
        let described = described || option.key.strip_prefix("output.").is_some_and(is_in_outputs);
        assert!(described, "{} is neither in ci/socket-agent.yml nor in docs/", option.key);
    }
}

/// Whether the section of an output in docs/outputs.md has one of its options.
fn is_in_outputs(key: &str) -> bool {
    let Some((output, option)) = key.split_once('.') else { return false };
    let heading =
        format!("\n## {}\n", output.replacen(|_: char| true, &output[..1].to_uppercase(), 1));
    let Some((_, rest)) = OUTPUTS.split_once(&heading) else { return false };
    let section = rest.split("\n## ").next().unwrap_or(rest);
    let codec = option.starts_with("codec.") && section.contains("`codec.*`");
    codec || section.contains(&format!("`{option}`"))
}

/// Dotted names of the values in a JSON object.
fn leaves(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(value, &path, found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

/// The golden documents have every field that there is.
#[test]
fn fields_of_our_own_are_described() {
    let mut fields = BTreeSet::new();
    for golden in [
        include_str!("../flow/src/document/testdata/tcp6_ingress_container.json"),
        include_str!("../flow/src/document/testdata/tcp_egress.json"),
        include_str!("../flow/src/document/testdata/udp_unowned.json"),
    ] {
        let document: Value = serde_json::from_str(golden).unwrap();
        leaves(&document["system"]["audit"]["socket"], "", &mut fields);
        leaves(&document["flow"], "flow", &mut fields);
    }
    assert!(fields.contains("tcp.connect_ns") && fields.contains("cgroup.path"), "{fields:?}");
    for field in fields {
        assert!(DOCUMENTS.contains(&format!("`{field}`")), "{field} is not in documents.md");
    }
}

/// Values of `began`, `ended` and `owner` in golden documents, and all that the code can name.
#[test]
fn values_of_our_own_are_described() {
    let flow = include_str!("../flow/src/document/flow.rs");
    let ended = include_str!("../flow/src/document/ended.rs");
    let owner = include_str!("../flow/src/document/owner.rs");
    let values = |source: &'static str, from: &str| -> Vec<&'static str> {
        let start = source.find(from).unwrap();
        let body = &source[start..];
        let end = body.find("\n    }\n").into_iter().chain(body.find("\n}")).min().unwrap();
        let body = &body[..end];
        body.split('"').skip(1).step_by(2).collect()
    };
    let mut all = values(flow, "fn began_name");
    all.extend(values(owner, "fn rank_name"));
    all.extend(values(flow, "fn source_name"));
    all.extend(values(ended, "fn state_name"));
    let names = ended.find("fn name").unwrap();
    let names = &ended[names..names + ended[names..].find("\n    }").unwrap()];
    all.extend(names.split('"').skip(1).step_by(2));
    assert!(all.contains(&"midway") && all.contains(&"first_io") && all.contains(&"cancelled"));
    for value in all {
        assert!(DOCUMENTS.contains(&format!("`{value}`")), "{value} is not in documents.md");
    }
}

/// Paths in a text: words as code that begin with a folder of the project.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let folders =
        ["socket-agent/", "socket-ebpf/", "socket-common/", "tests/", "docs/", "ci/", "xtask/"];
    text.split('`').skip(1).step_by(2).filter(move |word| {
        folders.iter().any(|folder| word.starts_with(folder)) && !word.contains([' ', '*', ':'])
    })
}

#[test]
fn what_contributors_are_told_to_edit_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for file in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        assert!(paths(&text).count() > 5, "{file} names no files");
        for path in paths(&text) {
            assert!(root.join(path).exists(), "{file}: there is no {path}");
        }
    }
}

#[test]
fn the_index_has_every_page() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs");
    let index = fs::read_to_string(docs.join("README.md")).unwrap();
    for entry in fs::read_dir(docs).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = name == "README.md" || index.contains(&format!("]({name})"));
        assert!(known, "docs/README.md does not name {name}");
    }
}
