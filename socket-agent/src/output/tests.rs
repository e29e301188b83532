use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::{fd::OwnedFd, unix::fs::PermissionsExt},
};

use super::*;

fn put(output: &mut Output, text: &str) -> Result<(), OutputError> {
    output.emit(|buffer| {
        buffer.extend_from_slice(text.as_bytes());
        Ok(())
    })
}

fn pipe() -> (io::PipeReader, Output) {
    let (reader, writer) = io::pipe().unwrap();
    (reader, Output::new("a pipe".to_owned(), OwnedFd::from(writer).into()))
}

#[test]
fn files_are_appended_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("flows.ndjson");
    for text in ["{\"a\":1}", "{\"a\":2}"] {
        let mut output = Output::file(&path).unwrap();
        put(&mut output, text).unwrap();
        output.flush().unwrap();
        assert_eq!(output.documents(), 1);
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"a\":2}\n");
}

#[test]
fn little_is_held_until_flushed_and_much_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("flows.ndjson");
    let mut output = Output::file(&path).unwrap();
    put(&mut output, "{}").unwrap();
    assert_eq!(fs::read(&path).unwrap().len(), 0);
    output.flush().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"{}\n");
    let long = "x".repeat(FULL);
    put(&mut output, &long).unwrap();
    assert_eq!(fs::read(&path).unwrap().len(), 3 + FULL + 1);
    output.flush().unwrap();
    assert_eq!(fs::read(&path).unwrap().len(), 3 + FULL + 1);
}

#[test]
fn a_document_that_fails_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("flows.ndjson");
    let mut output = Output::file(&path).unwrap();
    put(&mut output, "{}").unwrap();
    let failure = output.emit(|buffer| {
        buffer.extend_from_slice(b"{\"half\":");
        serde_json::from_str::<u8>("x").map(|_| ())
    });
    assert!(matches!(failure, Err(OutputError::Document(_))), "{failure:?}");
    put(&mut output, "[]").unwrap();
    output.flush().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"{}\n[]\n");
    assert_eq!(output.documents(), 2);
}

#[test]
fn a_reader_that_leaves_is_no_failure_of_the_agent() {
    let (reader, mut output) = pipe();
    drop(reader);
    put(&mut output, "{}").unwrap();
    let error = output.flush().unwrap_err();
    assert!(matches!(error, OutputError::Closed { .. }), "{error}");
}

#[test]
fn a_full_non_blocking_pipe_is_waited_for() {
    let (mut reader, mut output) = pipe();
    let descriptor = output.file.as_fd();
    let flags = nix::fcntl::fcntl(descriptor, nix::fcntl::FcntlArg::F_GETFL).unwrap();
    let flags = nix::fcntl::OFlag::from_bits_retain(flags) | nix::fcntl::OFlag::O_NONBLOCK;
    nix::fcntl::fcntl(descriptor, nix::fcntl::FcntlArg::F_SETFL(flags)).unwrap();
    // More than a pipe holds by default, 64 KiB.
    let long = "x".repeat(1 << 20);
    let reading = std::thread::spawn(move || {
        let mut text = Vec::new();
        reader.read_to_end(&mut text).unwrap();
        text
    });
    put(&mut output, &long).unwrap();
    drop(output);
    assert_eq!(reading.join().unwrap().len(), long.len() + 1);
}

#[test]
fn what_a_failed_flush_did_not_write_is_kept() {
    // A device that takes nothing: the error is the one of a full disk.
    let mut output = Output::file(Path::new("/dev/full")).unwrap();
    put(&mut output, "{}").unwrap();
    let error = output.flush().unwrap_err();
    let message = error.to_string();
    assert!(message.contains("/dev/full") && message.contains("free some space"), "{message}");
    let (reader, writer) = io::pipe().unwrap();
    output.file = OwnedFd::from(writer).into();
    output.flush().unwrap();
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).unwrap();
    assert_eq!(line, "{}\n");
}

#[test]
fn files_that_cannot_be_opened_say_why_and_what_helps() {
    let directory = tempfile::tempdir().unwrap();
    let locked = directory.path().join("locked");
    fs::write(&locked, "").unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o444)).unwrap();
    for (path, remedy) in [
        (directory.path().join("no/such/file"), "create its directory"),
        (directory.path().to_owned(), "name a file"),
        (locked, "chmod u+w"),
    ] {
        let message = Output::file(&path).unwrap_err().to_string();
        assert!(message.contains(&path.display().to_string()), "{message}");
        assert!(message.contains(remedy) && !message.contains('\n'), "{message}");
    }
}
