//! Outputs as they are configured, and what they write.

mod redis;

use std::{
    fs,
    io::{self, Read as _},
    os::{fd::OwnedFd, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use config::{
    location::Location,
    rows::{Findings, Reader},
    tree::{nest, parse},
    values::Values,
};
use ecs::{Encode, Writer, key};
use pipeline::{Options, Output, Pipeline, Processors};

use super::*;
use crate::codec::{Codec, CodecOptions};

/// Long enough for any machine, and never waited for in full.
const PATIENCE: Duration = Duration::from_secs(60);

/// An event with a number, 100 bytes as JSON on a line.
struct Numbered(u64);

impl Encode for Numbered {
    fn encode<W: Writer>(&self, writer: &mut W) {
        writer.text(key!("n"), &format!("{:092}", self.0));
    }
}

fn line(number: u64) -> String {
    format!("{{\"n\":\"{number:092}\"}}\n")
}

fn lines(numbers: std::ops::Range<u64>) -> String {
    numbers.map(line).collect()
}

/// What the section `output` of a file comes to: the outputs, and what is wrong.
fn read(yaml: &str) -> (Vec<Configured>, Vec<String>, Findings) {
    let mut problems = Vec::new();
    let tree = parse(yaml, &Location::whole("t"), &mut problems).unwrap();
    let tree = nest(tree, &mut problems);
    let mut reader = Reader::new(Values::new(&tree, &[], &|_| None), Findings::default());
    let config::tree::Value::Map(entries) = &tree.value else { panic!("no mapping") };
    let outputs = entries
        .iter()
        .filter_map(|entry| named(&entry.key).unwrap().read(&mut reader, entry))
        .collect();
    let findings = reader.findings;
    let said = findings.problems.iter().map(ToString::to_string).collect();
    (outputs, said, findings)
}

/// Publishes so many documents to an output, in batches of ten.
fn publish(output: Box<dyn Output>, numbers: std::ops::Range<u64>) -> pipeline::OutputCounters {
    let pipeline = Pipeline::start(vec![output], Options::default(), || ()).unwrap();
    let mut publisher = pipeline.publisher(Processors::default());
    for number in numbers {
        publisher.publish(&Numbered(number)).unwrap();
        if number % 10 == 9 {
            publisher.push();
        }
    }
    publisher.push();
    assert!(pipeline.flush(PATIENCE));
    pipeline.stop().counters()[0].1
}

fn files(directory: &Path) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap_or_default())
        })
        .collect();
    // By length first: -10 comes after -9.
    files.sort_by_key(|(name, _)| (name.len(), name.clone()));
    files
}

fn file_output(directory: &Path, more: &str) -> Box<dyn Output> {
    let (outputs, problems, _) =
        read(&format!("file: {{path: {}, filename: f{more}}}", directory.display()));
    assert!(problems.is_empty(), "{problems:?}");
    outputs[0].open().unwrap()
}

#[test]
fn files_are_rotated_by_size_and_number() {
    let directory = tempfile::tempdir().unwrap();
    let (path, rotation) = (directory.path(), ", rotate_every_kb: 1, number_of_files: 3");
    publish(file_output(path, rotation), 0..64);
    let found = files(path);
    // Ten documents of 100 bytes fit into a kibibyte: 64 make seven files, of which four are left.
    let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, [lines(30..40), lines(40..50), lines(50..60), lines(60..64)]);
    let (first, _) = &found[0];
    assert!(first.starts_with("f-2") && first.ends_with("-3.ndjson"), "{first}");
    let mode = path.join(first).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_start_begins_a_new_file_or_goes_on_with_the_newest() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    publish(file_output(path, ", permissions: 0640"), 0..2);
    publish(file_output(path, ""), 2..4);
    publish(file_output(path, ", rotate_on_startup: false"), 4..6);
    let found = files(path);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!((found[0].1.as_str(), found[1].1.as_str()), (&*lines(0..2), &*lines(2..6)));
    let mode = |name: &str| path.join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&found[0].0), mode(&found[1].0)), (0o640, 0o600));
}

#[test]
fn half_a_document_at_the_end_of_the_newest_file_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    publish(file_output(path, ""), 0..1);
    let (name, _) = files(path).remove(0);
    let half = format!("{}{{\"n\":", line(0));
    fs::write(path.join(&name), &half).unwrap();
    publish(file_output(path, ", rotate_on_startup: false"), 1..2);
    let texts: Vec<String> = files(path).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, [half, line(1)]);
}

#[test]
fn a_document_larger_than_a_file_has_one_for_itself() {
    let directory = tempfile::tempdir().unwrap();
    let (outputs, problems, _) = read(&format!(
        "file: {{path: {}, rotate_every_kb: 1, codec.format.string: '{}%{{[n]}}'}}",
        directory.path().display(),
        "x".repeat(2000)
    ));
    assert!(problems.is_empty(), "{problems:?}");
    publish(outputs[0].open().unwrap(), 0..3);
    let sizes: Vec<usize> = files(directory.path()).iter().map(|(_, text)| text.len()).collect();
    assert_eq!(sizes, [2093, 2093, 2093]);
}

#[test]
fn a_link_in_the_place_of_a_file_is_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    publish(file_output(path, ""), 0..1);
    let (first, _) = files(path).remove(0);
    let second = first.replace(".ndjson", "-1.ndjson");
    std::os::unix::fs::symlink(elsewhere.path(), path.join(&second)).unwrap();
    publish(file_output(path, ", rotate_on_startup: false"), 1..2);
    assert_eq!(fs::read_to_string(elsewhere.path()).unwrap(), "");
    assert_eq!(
        fs::read_to_string(path.join(first.replace(".ndjson", "-2.ndjson"))).unwrap(),
        line(1)
    );
}

#[test]
fn a_file_that_is_moved_away_is_followed_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let pipeline = Pipeline::start(vec![file_output(path, "")], Options::default(), || ()).unwrap();
    let mut publisher = pipeline.publisher(Processors::default());
    publisher.publish(&Numbered(0)).unwrap();
    assert!(pipeline.flush(PATIENCE));
    let (name, _) = files(path).remove(0);
    fs::rename(path.join(&name), path.join("kept")).unwrap();
    publisher.publish(&Numbered(1)).unwrap();
    pipeline.stop().result().unwrap();
    assert_eq!(fs::read_to_string(path.join("kept")).unwrap(), line(0));
    assert_eq!(fs::read_to_string(path.join(name)).unwrap(), line(1));
}

#[test]
fn a_file_is_appended_to_and_followed_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let (path, rotated) = (directory.path().join("a.ndjson"), directory.path().join("a.ndjson.1"));
    fs::write(&path, "before\n").unwrap();
    let pipeline =
        Pipeline::start(vec![Box::new(File::open(&path).unwrap())], Options::default(), || ())
            .unwrap();
    let mut publisher = pipeline.publisher(Processors::default());
    publisher.publish(&Numbered(0)).unwrap();
    assert!(pipeline.flush(PATIENCE));
    fs::rename(&path, &rotated).unwrap();
    publisher.publish(&Numbered(1)).unwrap();
    pipeline.stop().result().unwrap();
    let lines = |path| fs::read_to_string(path).unwrap();
    assert_eq!(lines(&rotated), format!("before\n{}", line(0)));
    assert_eq!(lines(&path), line(1));
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
        let message = File::open(&path).unwrap_err().to_string();
        assert!(message.contains(&path.display().to_string()), "{message}");
        assert!(message.contains(remedy) && !message.contains('\n'), "{message}");
    }
}

#[test]
fn a_full_non_blocking_pipe_is_waited_for() {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let (mut reader, writer) = io::pipe().unwrap();
    let flags = OFlag::from_bits_retain(fcntl(&writer, FcntlArg::F_GETFL).unwrap());
    fcntl(&writer, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).unwrap();
    let console = Box::new(Console::of(OwnedFd::from(writer).into(), Codec::Plain));
    let pipeline = Pipeline::start(vec![console], Options::default(), || ()).unwrap();
    let mut publisher = pipeline.publisher(Processors::default());
    for number in 0..10_000 {
        publisher.publish(&Numbered(number)).unwrap();
    }
    let reading = thread::spawn(move || {
        let mut text = Vec::new();
        reader.read_to_end(&mut text).unwrap();
        text
    });
    pipeline.stop().result().unwrap();
    assert!(reading.join().unwrap() == lines(0..10_000).into_bytes());
}

/// What comes out of a console with this codec.
fn console(
    options: &CodecOptions,
    numbers: std::ops::Range<u64>,
) -> (String, pipeline::OutputCounters) {
    let (mut reader, writer) = io::pipe().unwrap();
    let console = Console::of(OwnedFd::from(writer).into(), options.codec().unwrap());
    let reading = thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    let counters = publish(Box::new(console), numbers);
    (reading.join().unwrap(), counters)
}

#[test]
fn the_console_writes_json_pretty_json_and_texts() {
    let (plain, _) = console(&CodecOptions::default(), 0..1000);
    assert_eq!(plain, lines(0..1000));
    let pretty = CodecOptions { pretty: true, ..CodecOptions::default() };
    let (text, _) = console(&pretty, 7..9);
    let expected: String =
        (7..9).map(|number| format!("{{\n  \"n\": \"{number:092}\"\n}}\n")).collect();
    assert_eq!(text, expected);
    let format = CodecOptions { format: Some("<%{[n]}>".to_owned()), ..CodecOptions::default() };
    let (text, counters) = console(&format, 0..2000);
    assert_eq!(text, (0..2000).map(|number| format!("<{number:092}>\n")).collect::<String>());
    assert_eq!((counters.delivered, counters.refused), (2000, 0));
}

#[test]
fn documents_without_a_field_of_the_format_are_refused_and_counted() {
    let format = CodecOptions { format: Some("%{[no]}".to_owned()), ..CodecOptions::default() };
    let (text, counters) = console(&format, 0..5);
    assert_eq!((text.as_str(), counters.delivered, counters.refused), ("", 0, 5));
}

#[test]
fn several_outputs_are_read_and_those_that_are_off_are_not() {
    let yaml =
        "console: {pretty: true}\ndiscard: {}\nfile: {enabled: false, path: /tmp, what: 1}\n";
    let (outputs, problems, findings) = read(yaml);
    let names: Vec<&str> = outputs.iter().map(Configured::name).collect();
    assert_eq!((names, problems.len()), (vec!["console", "discard"], 0));
    assert_eq!(findings.warnings.len(), 1, "{:?}", findings.warnings);
    let same = |one: &str, two: &str| read(one).0 == read(two).0;
    assert!(same("file: {path: /a}", "file: {path: /a, rotate_every_kb: 10240}"));
    assert!(!same("file: {path: /a}", "file: {path: /b}"));
    assert!(!same("discard: {}", "console: {}"));
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (yaml, message) in [
        (
            "file: {}",
            "t:1:1: output.file has no path; write output.file.path: /var/log/socket-agent",
        ),
        (
            "file:\n  path: /x/%{[host.name]}",
            "t:2:9: output.file.path holds a field; allowed: a time, as in %{+yyyy.MM.dd}",
        ),
        (
            "file:\n  path: /x\n  filename: a/b",
            "t:3:13: output.file.filename is \"a/b\"; allowed: a name without /",
        ),
        (
            "file:\n  permissions: 0999",
            "t:2:16: output.file.permissions is 0999; allowed: octal digits from 0200 to 0777, such as 0600",
        ),
        (
            "file:\n  number_of_files: 1",
            "t:2:20: output.file.number_of_files is 1; allowed: a whole number from 2 to 1024",
        ),
        (
            "console:\n  pretty: true\n  codec.format.string: x",
            "t:3:24: codec.json and codec.format are both set; keep one",
        ),
        ("console: 5", "t:1:10: output.console is 5; allowed: a mapping"),
    ] {
        assert_eq!(read(yaml).1, [message], "{yaml}");
    }
}

#[test]
fn outputs_that_cannot_be_opened_say_why_and_what_helps() {
    for (path, remedy) in
        [("/nonexistent/x", "create its directory first"), ("/dev/null", "name a directory")]
    {
        let (outputs, _, _) = read(&format!("file: {{path: {path}}}"));
        for message in [
            outputs[0].probe().unwrap_err().to_string(),
            match outputs[0].open() {
                Err(error) => error.to_string(),
                Ok(_) => panic!("{path} was opened"),
            },
        ] {
            assert!(message.contains(path) && message.contains(remedy), "{message}");
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let (outputs, _, _) = read(&format!("file: {{path: {}}}", directory.path().display()));
    assert!(outputs[0].probe().unwrap()[0].contains("can be written to"));
    assert_eq!(
        plain_file(PathBuf::from("/dev/null")).probe().unwrap(),
        ["/dev/null can be written to"]
    );
}

#[test]
fn written_defaults_are_the_real_ones() {
    for output in OUTPUTS {
        for option in output.described() {
            assert!(!option.doc.is_empty(), "{}", option.key);
            assert!(option.key.starts_with(&format!("output.{}.", output.name)), "{}", option.key);
        }
    }
    let text: String = named("file")
        .unwrap()
        .described()
        .iter()
        .filter(|option| !option.default.is_empty())
        .map(|option| {
            format!("  {}: {}\n", option.key.trim_start_matches("output.file."), option.default)
        })
        .collect();
    let (outputs, problems, _) = read(&format!("file:\n  path: /x\n{text}"));
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(outputs, read("file: {path: /x}").0);
    assert_eq!(CodecOptions::default().codec(), Ok(Codec::Plain));
}
