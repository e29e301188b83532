//! `socket-agent audit replay`.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/audit/other-hosts.log");

fn replay(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_socket-agent"))
        .args(["audit", "replay"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_file_and_standard_input_give_the_same() {
    let from_file = replay(&[LOG, "--no-resolve-ids"], b"");
    let from_input = replay(&["-", "--no-resolve-ids"], &std::fs::read(LOG).unwrap());
    assert!(from_file.status.success());
    assert_eq!(from_file.stdout, from_input.stdout);
    let stderr = String::from_utf8(from_file.stderr).unwrap();
    let lines = from_file.stdout.split(|byte| *byte == b'\n').count() - 1;
    assert_eq!(
        stderr.lines().last().unwrap(),
        format!(
            "{lines} events, 32 records, 1 gaps (3 events lost), 0 warnings (0 lines are no records)"
        )
    );
}

#[test]
fn standard_input_may_come_in_large_pieces() {
    let folder = std::path::Path::new(LOG).parent().unwrap();
    let files = ["kernel-5.10", "kernel-6.1", "kernel-6.12", "kernel-sid"]
        .map(|name| folder.join(format!("{name}.log")));
    let texts = files.each_ref().map(|file| std::fs::read(file).unwrap()).concat();
    // More than one piece.
    assert!(texts.len() > 200 << 10, "{}", texts.len());
    let files = files.each_ref().map(|file| file.to_str().unwrap());
    let from_files = replay(&[&files[..], &["--no-resolve-ids"]].concat(), b"");
    let from_input = replay_slowly(&texts);
    assert!(from_files.status.success() && from_input.status.success());
    assert_eq!(from_files.stdout, from_input.stdout);
    assert_eq!(from_files.stderr, from_input.stderr);
}

/// Written while the documents are read: neither pipe holds all of it.
fn replay_slowly(input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_socket-agent"))
        .args(["audit", "replay", "-", "--no-resolve-ids"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).unwrap());
        child.wait_with_output().unwrap()
    })
}

#[test]
fn lines_that_are_no_records_are_told_and_passed_over() {
    let input = b"hello\n----\ntime->Tue Nov 14\ntype=USER_ACCT msg=audit(1.000:5): pid=1 uid=0\n";
    let output = replay(&["-", "--schema", "kernel"], input);
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success());
    assert_eq!(stdout.lines().count(), 1);
    assert!(stdout.contains("\"record_type\":\"user_acct\""), "{stdout}");
    assert!(stderr.contains("-:1: unknown record type"), "{stderr}");
    assert!(stderr.ends_with("1 warnings (1 lines are no records)\n"), "{stderr}");
}

#[test]
fn a_file_that_is_not_there() {
    let output = replay(&["/no/such/log"], b"");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("error: /no/such/log: cannot be opened;"), "{stderr}");
}
