use std::{
    fs,
    io::Read,
    os::{fd::OwnedFd, unix::fs::PermissionsExt},
    thread,
    time::{Duration, Instant},
};

use super::*;

fn put(sink: &mut Sink, text: &str) -> Result<(), OutputError> {
    sink.emit_lines(format!("{text}\n").as_bytes())
}

fn sink(output: Output) -> Sink {
    Sink::new(output, || ()).unwrap()
}

fn pipe() -> (io::PipeReader, Output) {
    let (reader, writer) = io::pipe().unwrap();
    (reader, Output::new("a pipe".to_owned(), OwnedFd::from(writer).into()))
}

/// Waits until the thread that writes has written this much.
fn wait_for_length(path: &Path, length: usize) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while fs::read(path).unwrap().len() != length {
        assert!(Instant::now() < deadline, "{} bytes", fs::read(path).unwrap().len());
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn files_are_appended_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("flows.ndjson");
    for text in ["{\"a\":1}", "{\"a\":2}"] {
        let mut sink = sink(Output::file(&path).unwrap());
        put(&mut sink, text).unwrap();
        sink.flush().unwrap();
        assert_eq!(sink.documents(), 1);
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"a\":2}\n");
}

#[test]
fn much_is_written_by_itself_and_little_when_asked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("flows.ndjson");
    let mut sink = sink(Output::file(&path).unwrap());
    put(&mut sink, &"x".repeat(FULL)).unwrap();
    wait_for_length(&path, FULL + 1);
    put(&mut sink, "{}").unwrap();
    sink.push().unwrap();
    wait_for_length(&path, FULL + 4);
    sink.emit_lines(b"1\n2\n").unwrap();
    sink.flush().unwrap();
    assert_eq!(fs::read(&path).unwrap().len(), FULL + 8);
    assert_eq!(sink.documents(), 4);
}

#[test]
fn a_reader_that_leaves_is_no_failure_of_the_agent() {
    let (reader, output) = pipe();
    drop(reader);
    let mut sink = sink(output);
    put(&mut sink, "{}").unwrap();
    let error = sink.flush().unwrap_err();
    assert!(matches!(error, OutputError::Closed { .. }), "{error}");
}

#[test]
fn an_output_that_stands_still_is_not_waited_for_until_much_is_waiting() {
    let (mut reader, output) = pipe();
    let mut sink = sink(output);
    // More than a pipe holds, 64 KiB, and than may wait.
    let line = "x".repeat((1 << 20) - 1);
    for _ in 0..16 {
        put(&mut sink, &line).unwrap();
    }
    assert_eq!(sink.waited(), Duration::ZERO);
    let reading = thread::spawn(move || {
        let mut text = Vec::new();
        reader.read_to_end(&mut text).unwrap();
        text
    });
    for _ in 0..32 {
        put(&mut sink, &line).unwrap();
    }
    sink.flush().unwrap();
    drop(sink);
    let text = reading.join().unwrap();
    assert_eq!(text.len(), 48 << 20);
    assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 48);
}

#[test]
fn who_gives_more_than_may_wait_has_to_wait() {
    let (mut reader, output) = pipe();
    let mut sink = sink(output);
    let giving = thread::spawn(move || {
        let line = "x".repeat((1 << 20) - 1);
        for _ in 0..64 {
            put(&mut sink, &line).unwrap();
        }
        sink.flush().unwrap();
        sink.waited()
    });
    // It cannot end before something is read.
    let mut first = [0];
    reader.read_exact(&mut first).unwrap();
    thread::sleep(Duration::from_millis(50));
    assert!(!giving.is_finished());
    let mut text = Vec::new();
    reader.read_to_end(&mut text).unwrap();
    assert_eq!(text.len() + 1, 64 << 20);
    assert!(giving.join().unwrap() > Duration::ZERO);
}

#[test]
fn a_full_non_blocking_pipe_is_waited_for() {
    let (mut reader, output) = pipe();
    let descriptor = output.file.as_fd();
    let flags = nix::fcntl::fcntl(descriptor, nix::fcntl::FcntlArg::F_GETFL).unwrap();
    let flags = nix::fcntl::OFlag::from_bits_retain(flags) | nix::fcntl::OFlag::O_NONBLOCK;
    nix::fcntl::fcntl(descriptor, nix::fcntl::FcntlArg::F_SETFL(flags)).unwrap();
    let mut sink = sink(output);
    let long = "x".repeat(1 << 20);
    let reading = thread::spawn(move || {
        let mut text = Vec::new();
        reader.read_to_end(&mut text).unwrap();
        text
    });
    put(&mut sink, &long).unwrap();
    sink.flush().unwrap();
    drop(sink);
    assert_eq!(reading.join().unwrap().len(), long.len() + 1);
}

#[test]
fn what_could_not_be_written_is_kept_and_tried_again() {
    // A device that takes nothing: the error is the one of a full disk.
    let mut full = Output::file(Path::new("/dev/full")).unwrap();
    let mut lines = b"{}\n".to_vec();
    let error = full.write(&mut lines).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("/dev/full") && message.contains("free some space"), "{message}");
    assert_eq!(lines, b"{}\n");

    let mut sink = sink(full);
    let mut other = sink.clone();
    put(&mut sink, "{}").unwrap();
    assert!(matches!(sink.flush(), Err(OutputError::Write { .. })));
    // The others go on until somebody tries again.
    put(&mut other, "[]").unwrap();
    assert!(matches!(other.flush(), Err(OutputError::Write { .. })));
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
