//! Whether the tables know all that another project's table knows, and call it the same.

use std::{
    collections::HashMap,
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::rows;

/// Names of theirs that stand for another one.
const SPELLINGS: [(&str, &str); 2] =
    [("ANOM_MK_EXE", "ANOM_MK_EXEC"), ("AUDIT_ANOM_LOGIN_ACCT", "ANOM_LOGIN_ACCT")];

/// Reads the action of every system call and record type, from the one form that the YAML has.
fn actions(yaml: &str) -> (HashMap<String, String>, HashMap<String, String>) {
    let (mut syscalls, mut records) = (HashMap::new(), HashMap::new());
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    let body = yaml.split_once("\nnormalizations:\n").unwrap().1;
    for line in body.lines().filter(|line| !line.trim_start().starts_with('#')) {
        if line.starts_with("  - ") {
            blocks.push(Vec::new());
        }
        blocks.last_mut().unwrap().push(line.trim_start_matches("  - ").trim());
    }
    for block in blocks {
        let action = block.iter().find_map(|line| line.strip_prefix("action: "));
        let Some(action) = action.map(|text| text.split(" #").next().unwrap().trim()) else {
            continue;
        };
        let mut list: Option<&mut HashMap<String, String>> = None;
        for line in block {
            if let Some(name) = line.strip_prefix("- ") {
                if let Some(list) = &mut list {
                    list.insert(name.to_owned(), action.to_owned());
                }
                continue;
            }
            list = match line.split_once(':') {
                Some(("syscalls", _)) => Some(&mut syscalls),
                Some(("record_types", "")) => Some(&mut records),
                Some(("record_types", name)) => {
                    // Of the two for AVC the first is that of SELinux.
                    records.entry(name.trim().to_owned()).or_insert_with(|| action.to_owned());
                    None
                }
                _ => None,
            };
        }
    }
    (syscalls, records)
}

#[test]
fn every_known_name_has_the_same_action() {
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
    let (syscalls, records) = actions(&yaml);
    assert!(syscalls.len() >= 100 && records.len() >= 100, "{} {}", syscalls.len(), records.len());
    for (name, action) in &syscalls {
        let row = rows::syscall(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(row.action, action, "{name}");
    }
    for (name, action) in &records {
        let name = SPELLINGS.iter().find(|(of, _)| of == name).map_or(&**name, |(_, name)| name);
        let row = rows::record(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(row.action, action, "{name}");
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
    ] {
        assert!(rows::syscall(name).is_some(), "{name}");
    }
}
