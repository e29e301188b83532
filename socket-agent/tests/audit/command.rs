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
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    // Beside the reading: neither side is to wait for the other. The end of what does not read it all is
    // told by its status.
    let writing = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    output
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

/// What replaying ended with: documents, what was said, whether it succeeded.
fn replayed(arguments: &[&str], input: &[u8]) -> (Vec<serde_json::Value>, String, bool) {
    let output = replay(&[arguments, &["--no-resolve-ids"]].concat(), input);
    let documents = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    (documents, String::from_utf8(output.stderr).unwrap(), output.status.success())
}

const LINE: &str = "type=USER_ACCT msg=audit(1.000:5): pid=1 uid=0\n";

#[test]
fn packed_logs_are_read() {
    let log = std::fs::read(LOG).unwrap();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(&log).unwrap();
    let packed = packer.finish().unwrap();
    let (documents, _, succeeded) = replayed(&["-"], &packed);
    assert_eq!((documents, succeeded), (replayed(&[LOG], b"").0, true));
    let (_, said, succeeded) = replayed(&["-"], &packed[..packed.len() / 2]);
    assert!(!succeeded && said.contains("error: replaying -: "), "{said}");
}

#[test]
fn what_is_no_log_is_told_once_and_the_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let utf16: Vec<u8> = LINE.repeat(100).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let binary = [b"\x7fELF\x02\x01\0\0".to_vec(), vec![b'\n'; 5_000]].concat();
    let marked = file("marked", format!("\u{feff}{LINE}").as_bytes());
    for (name, content, words) in [
        ("utf16", &utf16[..], "iconv -f UTF-16"),
        ("binary", &binary, "binary data"),
        ("xz", b"\xfd7zXZ\0\0\x04\xe6\xd6", "xz -dc"),
        ("text", "hello\n".repeat(5_000).as_bytes(), "no audit record in 5000 lines"),
    ] {
        let path = file(name, content);
        let (documents, said, succeeded) = replayed(&[&path, &marked], b"");
        assert_eq!((documents.len(), succeeded), (1, false), "{name}: {said}");
        let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{said}");
        assert!(errors[0].contains(&path), "{said}");
        assert_eq!(errors[0].matches(words).count(), 1, "{said}");
        assert!(said.lines().count() < 20, "{said}");
    }
    assert!(replayed(&[&marked], b"").2);
    assert!(replayed(&["-"], b"").2, "an empty log is one");
}

#[test]
fn lines_of_other_logs_are_records() {
    let log = "Nov 30 07:00:00 web1 audispd: node=web1.example type=USER_END msg=audit(1.100:802): \
               pid=1 uid=0 res=success\n\
               <30>Nov 30 07:00:01 web1 audisp-syslog[812]: type=CRED_DISP msg=audit(1.200:803): \
               pid=1 uid=0 res=success\n\
               Nov 30 07:00:02 web1 kernel: audit: type=1400 audit(1.300:804): apparmor=\"DENIED\" \
               operation=\"open\" pid=77\n\
               [   12.345678] audit: type=1400 audit(1.400:805): apparmor=\"STATUS\" pid=500\n\
               type=1334 msg=audit(1.900:810): prog-id=76 op=UNLOAD\n";
    let (documents, said, succeeded) = replayed(&["-"], log.as_bytes());
    assert!(succeeded && said.contains("(0 lines are no records)"), "{said}");
    let reported: Vec<_> = documents
        .iter()
        .map(|document| {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
            (text(&document["auditd"]["message_type"]), text(&document["host"]["name"]))
        })
        .collect();
    let expected = [
        ("user_end", "web1.example"),
        ("cred_disp", "web1"),
        ("avc", "web1"),
        ("avc", "-"),
        ("bpf", "-"),
    ];
    assert_eq!(reported, expected.map(|(kind, host)| (kind.to_owned(), host.to_owned())));
    let words = b"type=CRED_ACQ msg=audit(11/30/2023 07:00:04.600:807) : pid=1 uid=root\n";
    let (_, said, succeeded) = replayed(&["-"], words);
    assert!(!succeeded && said.contains("ausearch --raw"), "{said}");
}

#[test]
fn more_than_ten_other_lines_are_counted() {
    let input = format!("{}{LINE}", "no record\n".repeat(25));
    let (documents, said, succeeded) = replayed(&["-"], input.as_bytes());
    assert_eq!((documents.len(), succeeded), (1, true));
    assert_eq!(said.matches("unknown record type").count(), 10, "{said}");
    assert!(said.contains("-: 15 more lines are no records"), "{said}");
    assert!(said.contains("(25 lines are no records)"), "{said}");
}

#[test]
fn events_that_were_cut_in_two_name_the_option() {
    let interleaved = |events: u32| {
        let mut log = String::new();
        for kind in ["SYSCALL", "CWD", "PROCTITLE"] {
            for number in 0..events {
                log += &format!("type={kind} msg=audit(1.000:{number}): a=1\n");
            }
        }
        log
    };
    // So many that not all are remembered.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, interleaved(2_000)).unwrap();
    let (_, said, _) = replayed(&[file.path().to_str().unwrap()], b"");
    assert!(said.contains("raise --max-in-flight"), "{said}");
    let log = interleaved(20);
    let (documents, said, succeeded) = replayed(&["-", "--max-in-flight", "5"], log.as_bytes());
    assert!(succeeded && documents.len() > 20, "{}", documents.len());
    assert!(said.contains("raise --max-in-flight"), "{said}");
    let (documents, said, _) = replayed(&["-"], log.as_bytes());
    assert!(documents.len() == 20 && !said.contains("--max-in-flight"), "{said}");
}

#[test]
fn a_full_output_is_named() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_socket-agent"))
        .args(["audit", "replay", LOG])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error: standard output: No space left on device"), "{said}");
}
