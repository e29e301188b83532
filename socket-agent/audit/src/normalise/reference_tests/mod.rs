//! Whether the tables know all that another project's table knows, and mean the same by it.

mod yaml;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::rows::{self, RecordRow, Roles, SyscallRow};
use crate::records::Key;

/// Names of theirs that stand for another one.
const SPELLINGS: [(&str, &str); 2] =
    [("ANOM_MK_EXE", "ANOM_MK_EXEC"), ("AUDIT_ANOM_LOGIN_ACCT", "ANOM_LOGIN_ACCT")];

/// Names, columns in which this project's table means something else, and why. Users read the
/// reasons in docs/audit-events.md.
const DIFFERENCES: [(&str, &str, &str); 5] = [
    ("listen bind", "type", "beside `start` it says `connection`"),
    ("DAEMON_CLOSE", "type", "a connection that is closed has ended"),
    ("ANOM_PROMISCUOUS", "category", "the mode of a device is configuration as well"),
    ("NETFILTER_CFG", "category", "a process has changed the firewall"),
    ("GRP_MGMT", "users", "the group that was changed is the object of the record"),
];

/// What a table says of a name, by column; several values in a fixed order, with commas.
type Meaning = BTreeMap<&'static str, String>;

/// Strings of a list, of a single string, or of nothing.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        Value::String(text) => vec![text],
        _ => Vec::new(),
    }
}

/// Items in an order of no meaning, sorted.
fn set<T: AsRef<str>>(items: &[T]) -> String {
    let items: BTreeSet<&str> = items.iter().map(AsRef::as_ref).collect();
    items.into_iter().collect::<Vec<_>>().join(",")
}

/// What theirs says, of those columns that it says anything about.
fn theirs(of: &Value) -> Meaning {
    let text = |key: &str| strings(&of[key]).join(",");
    let ecs = &of["ecs"];
    let mappings = ecs["mappings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mappings: Vec<String> = mappings
        .iter()
        .map(|it| [&it["from"], &it["to"]].map(|it| it.as_str().unwrap()).join(" "))
        .collect();
    let columns = [
        ("action", text("action")),
        ("object", text("object_what")),
        ("primary", text("object_primary")),
        ("secondary", text("object_secondary")),
        ("path", text("object_path_index")),
        ("how", text("how")),
        ("actor", text("subject_primary")),
        ("second actor", text("subject_secondary")),
        ("source", text("source_ip")),
        ("users", set(&mappings)),
        ("category", set(&strings(&ecs["category"]))),
        ("type", set(&strings(&ecs["type"]))),
        ("kind", strings(&ecs["kind"]).join(",")),
    ];
    columns.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

fn of_call(row: &SyscallRow) -> Meaning {
    Meaning::from([
        ("action", row.action.to_owned()),
        ("object", row.object.to_owned()),
        ("path", row.path.map(|path| path.to_string()).unwrap_or_default()),
        ("how", if row.is_means { "syscall" } else { "" }.to_owned()),
        ("category", set(&row.categories)),
        ("type", set(&row.types)),
    ])
}

fn of_record(row: &RecordRow) -> Meaning {
    let keys =
        |keys: &[Key]| keys.iter().filter_map(|key| key.name()).collect::<Vec<_>>().join(",");
    let actor = match row.roles {
        Roles::Login => "old_auid,old-auid",
        Roles::Mac => "scontext",
        _ => "auid",
    };
    let second = match row.roles {
        // Not by name, but for whatever is no account.
        Roles::Mac => String::new(),
        _ => keys(&row.actor),
    };
    let users: &[&str] = match row.roles {
        Roles::Process | Roles::Mac => &[],
        Roles::Session => &["subject.primary user", "subject.secondary user.effective"],
        Roles::User => &[
            "subject.primary user",
            "subject.secondary user.effective",
            "object.primary user.target",
        ],
        Roles::Group => {
            &["subject.primary user", "subject.secondary user.effective", "object.primary group"]
        }
        Roles::Target => {
            &["subject.primary user", "subject.secondary user.target", "uid.uid user.effective"]
        }
        Roles::Member => {
            &["subject.primary user", "subject.secondary group", "uid.uid user.effective"]
        }
        Roles::Login => &["subject.primary user", "object.primary user.effective"],
    };
    Meaning::from([
        ("action", row.action.to_owned()),
        ("object", row.object.to_owned()),
        ("primary", keys(&row.primary)),
        ("secondary", keys(&row.secondary)),
        ("how", keys(&row.means)),
        ("actor", actor.to_owned()),
        ("second actor", second),
        ("source", if row.is_remote { "addr" } else { "" }.to_owned()),
        ("users", set(users)),
        ("category", set(&row.categories)),
        ("type", set(&row.types)),
        ("kind", if row.is_alert { "alert" } else { "" }.to_owned()),
    ])
}

/// Adds the columns in which theirs says something else than ours.
fn compare(name: &str, theirs: &Meaning, ours: &Meaning, found: &mut Vec<String>) {
    for (column, text) in theirs {
        let our = ours.get(column).map(String::as_str).unwrap_or_default();
        let is_listed = DIFFERENCES
            .iter()
            .any(|(names, of, _)| of == column && names.split(' ').any(|listed| listed == name));
        if (our == text) == is_listed {
            found.push(format!("{name}: {column}: {text} there, {our} here"));
        }
    }
    // What is no alert there is none here.
    if !theirs.contains_key("kind") && !ours.get("kind").is_none_or(String::is_empty) {
        found.push(format!("{name}: an alert here alone"));
    }
}

#[test]
fn every_known_name_means_the_same() {
    let path = env::var_os("AUDIT_TEST_TABLE").map_or_else(
        || {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../../../shared/reference/normalizations.yaml")
        },
        PathBuf::from,
    );
    let Ok(text) = fs::read_to_string(&path) else {
        // Not through `println!`, whose lines the test harness hides.
        let line = format!("skipped: {} is not here to compare with\n", path.display());
        io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    };
    let table = yaml::read(&text);
    let (mut calls, mut records, mut found) = (0, 0, Vec::new());
    for row in table["normalizations"].as_array().unwrap() {
        let theirs = theirs(row);
        for name in strings(&row["syscalls"]).into_iter().filter(|name| *name != "*") {
            calls += 1;
            match rows::syscall(name) {
                Some(row) => {
                    // What is looked for in a record with the call says nothing about others.
                    let mut theirs = theirs.clone();
                    theirs.remove("primary");
                    compare(name, &theirs, &of_call(row), &mut found);
                }
                None => found.push(format!("{name} is missing")),
            }
        }
        for name in strings(&row["record_types"]) {
            records += 1;
            let spelling = SPELLINGS.iter().find(|(theirs, _)| *theirs == name);
            let name = match spelling {
                Some((_, ours)) => ours,
                // AppArmor's records come under SELinux's type.
                None if strings(&row["has_fields"]) == ["apparmor"] => "APPARMOR_DENIED",
                None => name,
            };
            match rows::record(name) {
                Some(row) => compare(name, &theirs, &of_record(row), &mut found),
                None => found.push(format!("{name} is missing")),
            }
        }
    }
    assert!(calls >= 100 && records >= 100, "{calls} {records}");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn differences_are_told_to_users() {
    let docs = include_str!("../../../../../docs/audit-events.md");
    for (names, column, reason) in DIFFERENCES {
        assert!(docs.contains(reason), "{names}, {column}: docs/audit-events.md does not say why");
    }
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
