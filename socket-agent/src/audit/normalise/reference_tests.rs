//! Whether the tables know all that another project's table knows, and call it the same.

use std::{
    collections::{BTreeSet, HashMap},
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::rows;

/// Names of theirs that stand for another one.
const SPELLINGS: [(&str, &str); 2] =
    [("ANOM_MK_EXE", "ANOM_MK_EXEC"), ("AUDIT_ANOM_LOGIN_ACCT", "ANOM_LOGIN_ACCT")];

/// Names and columns in which this project's table means something else, as docs/audit-events.md
/// says.
const DIFFERENCES: [(&str, &str); 4] = [
    ("listen", "type"),
    ("bind", "type"),
    ("DAEMON_CLOSE", "type"),
    ("ANOM_PROMISCUOUS", "category"),
];

/// What a table says of a name.
#[derive(Clone, Debug, Default)]
struct Meaning {
    action: String,
    object: String,
    category: BTreeSet<String>,
    types: BTreeSet<String>,
}

/// Meanings of system calls and of record types, by name.
type Meanings = HashMap<String, Meaning>;

/// Reads the one form that the YAML has.
fn read(yaml: &str) -> (Meanings, Meanings) {
    let (mut syscalls, mut records) = (Meanings::new(), Meanings::new());
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    let body = yaml.split_once("\nnormalizations:\n").unwrap().1;
    for line in body.lines().filter(|line| !line.trim_start().starts_with('#')) {
        if line.starts_with("  - ") {
            blocks.push(Vec::new());
        }
        blocks.last_mut().unwrap().push(line.strip_prefix("  - ").unwrap_or(line));
    }
    for block in blocks {
        let (meaning, calls, types) = block_meaning(&block);
        if meaning.action.is_empty() {
            continue;
        }
        syscalls.extend(calls.into_iter().map(|name| (name, meaning.clone())));
        for name in types {
            // Of the two for AVC the first is that of SELinux.
            records.entry(name).or_insert_with(|| meaning.clone());
        }
    }
    (syscalls, records)
}

/// The meaning of a block, and the system calls and record types that have it.
fn block_meaning(block: &[&str]) -> (Meaning, Vec<String>, Vec<String>) {
    let mut meaning = Meaning::default();
    let (mut calls, mut records) = (Vec::new(), Vec::new());
    let mut list = "";
    for line in block {
        let text = line.trim().split(" #").next().unwrap().trim();
        if let Some(item) = text.strip_prefix("- ") {
            match list {
                "syscalls" => calls.push(item.to_owned()),
                "record_types" => records.push(item.to_owned()),
                "category" => drop(meaning.category.insert(item.to_owned())),
                "type" => drop(meaning.types.insert(item.to_owned())),
                _ => {}
            }
            continue;
        }
        let (key, value) = text.split_once(':').map_or((text, ""), |(key, v)| (key, v.trim()));
        list = key;
        match key {
            "action" => value.clone_into(&mut meaning.action),
            "what" => value.clone_into(&mut meaning.object),
            "record_types" if !value.is_empty() => records.push(value.to_owned()),
            "category" if !value.is_empty() => meaning.category.extend(values(value)),
            "type" if !value.is_empty() => meaning.types.extend(values(value)),
            _ => {}
        }
    }
    (meaning, calls, records)
}

/// `[a, b]`, or one value.
fn values(text: &str) -> impl Iterator<Item = String> {
    let inner = text.trim_start_matches('[').trim_end_matches(']');
    inner.split(',').map(|item| item.trim().to_owned())
}

/// Columns in which the other table says something, and something else.
fn differing(theirs: &Meaning, ours: &Meaning) -> Vec<&'static str> {
    let mut columns = Vec::new();
    if theirs.action != ours.action {
        columns.push("action");
    }
    if !theirs.object.is_empty() && theirs.object != ours.object {
        columns.push("object");
    }
    if !theirs.category.is_empty() && theirs.category != ours.category {
        columns.push("category");
    }
    if !theirs.types.is_empty() && theirs.types != ours.types {
        columns.push("type");
    }
    columns
}

fn ours(action: &str, object: &str, category: &[&str], types: &[&str]) -> Meaning {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let (action, object) = (action.to_owned(), object.to_owned());
    Meaning { action, object, category: set(category), types: set(types) }
}

#[test]
fn every_known_name_means_the_same() {
    let path = env::var_os("AUDIT_TEST_TABLE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/reference/normalizations.yaml"),
        PathBuf::from,
    );
    let Ok(yaml) = fs::read_to_string(&path) else {
        // Not through `println!`, whose lines the test harness hides.
        let line = format!("skipped: {} is not here to compare with\n", path.display());
        io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    };
    let (syscalls, records) = read(&yaml);
    assert!(syscalls.len() >= 100 && records.len() >= 100, "{} {}", syscalls.len(), records.len());
    let mut found: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (name, theirs) in &syscalls {
        let row = rows::syscall(name).unwrap_or_else(|| panic!("{name} is missing"));
        let ours = ours(row.action, row.object, &row.categories, &row.types);
        found.extend(differing(theirs, &ours).into_iter().map(|column| (&**name, column)));
    }
    for (name, theirs) in &records {
        let name = SPELLINGS.iter().find(|(of, _)| of == name).map_or(&**name, |(_, name)| name);
        let row = rows::record(name).unwrap_or_else(|| panic!("{name} is missing"));
        let ours = ours(row.action, row.object, &row.categories, &row.types);
        found.extend(differing(theirs, &ours).into_iter().map(|column| (name, column)));
    }
    assert_eq!(found, BTreeSet::from(DIFFERENCES));
}

#[test]
fn newer_calls_are_known() {
    for name in [
        "openat2",
        "clone3",
        "execveat",
        "io_uring_setup",
        "io_uring_enter",
        "io_uring_register",
        "landlock_create_ruleset",
        "landlock_add_rule",
        "landlock_restrict_self",
        "pidfd_open",
        "pidfd_getfd",
        "pidfd_send_signal",
        "mount_setattr",
        "move_mount",
        "open_tree",
        "fsopen",
        "fsmount",
        "bpf",
        "seccomp",
        "memfd_create",
        "memfd_secret",
        "fchmodat2",
        "faccessat2",
        "statx",
        "renameat2",
        "copy_file_range",
        "process_vm_writev",
        "userfaultfd",
        "setns",
        "unshare",
        "kexec_file_load",
        "perf_event_open",
        "ptrace",
        "mseal",
        "statmount",
        "close_range",
        "process_mrelease",
        "listns",
        "cachestat",
        "map_shadow_stack",
    ] {
        assert!(rows::syscall(name).is_some(), "{name}");
    }
}
