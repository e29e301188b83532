//! The command as its users meet it: exit status, and every line that is printed.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

/// The agent with backtraces asked for, none of which may be printed.
fn agent(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_socket-agent"));
    command.args(arguments).env("RUST_BACKTRACE", "1").stdin(Stdio::null());
    command
}

fn output(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = agent(arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn written(folder: &Path, text: &str) -> String {
    let path = folder.join("agent.yml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_right_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "modules: [{module: system, datasets: [socket]}]\nname: x\n");
    let (status, stdout, stderr) = output(&["test", "config", "-c", &file]);
    assert_eq!((status, stdout.as_str()), (Some(0), "Config OK\n"), "{stderr}");
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{stderr}");
    assert!(lines[0].ends_with(&format!("INFO config: read {file}")), "{stderr}");
    let warning = format!("WARN config: {file}:2:1: name is not used by this version");
    assert!(lines[1].ends_with(&warning), "{stderr}");
    let summary = "INFO config: 2 settings in effect, 1 not used by this version: name";
    assert!(lines[2].ends_with(summary), "{stderr}");
    let (_, _, stderr) = output(&["test", "config", "-q", "-c", &file, "-E", "socket.hooks=auto"]);
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

/// The folder of a configuration is the same from wherever the agent is started.
#[test]
fn a_file_by_a_relative_name() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("etc/audit.rules.d");
    fs::create_dir_all(&rules).unwrap();
    fs::write(rules.join("10.conf"), "-w etc\n").unwrap();
    let text = "auditbeat.modules:\n- module: auditd\n  \
                audit_rule_files: ['${path.config}/audit.rules.d/*.conf']\n";
    fs::write(folder.path().join("etc/auditbeat.yml"), text).unwrap();
    let path = fs::canonicalize(&rules).unwrap().join("10.conf");
    let expected = format!("error: {}:1:4: `etc` is not an absolute path", path.display());
    let wrong = |start: &str, arguments: &[&str]| {
        let mut command = agent(&["test", "config"]);
        let start = fs::canonicalize(folder.path().join(start)).unwrap();
        let output = command.args(arguments).current_dir(start).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    for (start, arguments) in [
        (".", &["-c", "etc/auditbeat.yml"] as &[_]),
        ("etc", &["-c", "auditbeat.yml"]),
        ("etc/audit.rules.d", &["-c", "../auditbeat.yml"]),
        (".", &["--path.config", "etc", "-c", "auditbeat.yml"]),
        (".", &["--path.home", "etc", "-c", "audit*.yml"]),
    ] {
        let said = wrong(start, arguments).replace("/audit.rules.d/..", "");
        assert!(said.starts_with(&expected), "{start} {arguments:?}: {said}");
    }
    fs::write(rules.join("10.conf"), "-w /etc/hosts -p wa\n").unwrap();
    let said = wrong(".", &["-c", "etc/auditbeat.yml"]);
    assert!(said.ends_with("INFO config: 2 settings in effect\n"), "{said}");
}

#[test]
fn parts_that_cannot_run() {
    let folder = tempfile::tempdir().unwrap();
    let text = "modules:\n- module: system\n  datasets: [socket]\n  period: 1s\n\
                output.kafka.hosts: [h]\n";
    let file = written(folder.path(), text);
    let (status, stdout, stderr) = output(&["test", "config", "-c", &file]);
    assert_eq!((status, stdout.as_str()), (Some(1), ""));
    assert_eq!(
        stderr,
        format!(
            "error: {file}:5:1: output.kafka is configured, and this version cannot run it; remove \
             it, or start with --allow-inactive (in the file: strict: false)\n"
        )
    );
    let (status, stdout, stderr) = output(&["test", "config", "--allow-inactive", "-c", &file]);
    assert_eq!((status, stdout.as_str()), (Some(0), "Config OK\n"), "{stderr}");
    let summary = "3 settings in effect, 1 without meaning here: period; 1 not used by this \
                   version: output.kafka\n";
    assert!(stderr.ends_with(summary), "{stderr}");
}

#[test]
fn a_wrong_file_and_wrong_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(
        folder.path(),
        "modules:\n- module: system\n  datasets: [socket]\n  socket.tables.flows: 0\n  x: 1\n",
    );
    let (status, stdout, stderr) =
        output(&["test", "config", "-c", &file, "-E", "socket.hooks=best", "-E", "what"]);
    assert_eq!((status, stdout.as_str()), (Some(1), ""));
    assert_eq!(
        stderr,
        format!(
            "error: {file}:4:24: socket.tables.flows is 0; allowed: a whole number from 1 to \
             16777216\n\
             error: -E what: not key=value; write for example -E socket.hooks=auto\n\
             error: -E socket.hooks=best: socket.hooks is \"best\"; allowed: auto, fentry, kprobe, \
             cgroup, tracefs\n"
        )
    );
}

#[test]
fn outputs_are_tried_without_documents() {
    let folder = tempfile::tempdir().unwrap();
    let text = "modules: [{module: system, datasets: [socket]}]\noutput: {discard: {}, file.path: /nonexistent}\n";
    let file = written(folder.path(), text);
    let (status, stdout, _) = output(&["test", "output", "-c", &file]);
    let failed = "output.file failed: cannot write to /nonexistent: No such file or directory (os error 2); \
                  create its directory first\n";
    assert_eq!(status, Some(1));
    assert_eq!(stdout, format!("output.discard OK: drops all documents\n{failed}"));
    let path = format!("output.file.path={}", folder.path().display());
    let (status, stdout, _) = output(&["test", "output", "-c", &file, "-E", &path]);
    assert_eq!(status, Some(0), "{stdout}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no file is made");
}

#[test]
fn nothing_starts_with_an_unknown_hook_set() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "modules: [{module: system, datasets: [socket]}]\n");
    let (status, stdout, stderr) = output(&["run", "-c", &file, "--hooks", "ebpf"]);
    assert_eq!((status, stdout.as_str()), (Some(1), ""));
    assert_eq!(
        stderr,
        "error: --hooks ebpf: socket.hooks is \"ebpf\"; allowed: auto, fentry, kprobe, cgroup, tracefs\n"
    );
}

#[test]
fn a_file_that_is_not_there() {
    let (status, _, stderr) = output(&["run", "-c", "/nonexistent/agent.yml"]);
    assert_eq!(status, Some(1));
    assert_eq!(
        stderr,
        "error: /nonexistent/agent.yml: cannot be read: No such file or directory (os error 2); \
         name a readable file with -c\n"
    );
}

#[test]
fn arguments_that_mean_nothing() {
    for arguments in [&["fly"] as &[_], &["run", "--duration", "soon"], &["test"], &[]] {
        let (status, stdout, stderr) = output(arguments);
        assert_eq!((status, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
        assert!(!stderr.is_empty());
    }
    let (status, stdout, _) = output(&["--version"]);
    assert_eq!(status, Some(0));
    assert_eq!(stdout, format!("socket-agent {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    for arguments in [&["doctor"] as &[_], &["test", "config", "-q"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = agent(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn doctor_shows_every_facility_and_a_choice_that_fits_its_status() {
    let (status, stdout, stderr) = output(&["doctor"]);
    assert_eq!(stderr, "");
    for facility in sensor::host::Facility::ALL {
        let name = format!("{:19} ", facility.name());
        let lines = stdout.lines().filter(|line| line.starts_with(&name));
        assert_eq!(lines.count(), 1, "{}: {stdout}", facility.name());
    }
    let choice = stdout.lines().find(|line| line.starts_with("hook set")).unwrap();
    let chosen = choice.split_whitespace().nth(2).unwrap();
    let expected = if ["fentry", "kprobe", "cgroup"].contains(&chosen) { 0 } else { 1 };
    assert_eq!(status, Some(expected), "{stdout}");
}
