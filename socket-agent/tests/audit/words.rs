//! What numbers and addresses in records stand for, as `ausearch -i` has it.

use serde_json::{Value, json};
use socket_agent::audit::document::Options;

use crate::{document, documents};

/// A system call by its fields, with other records behind it.
fn call(fields: &str, more: &str) -> Value {
    document(&format!(
        "type=SYSCALL msg=audit(1.000:7): {fields} items=0 ppid=1 pid=7 auid=1000 uid=0 gid=0 \
         ses=2 comm=\"x\"\n{more}type=PROCTITLE msg=audit(1.000:7): proctitle=\"x\"\n"
    ))
}

fn data(fields: &str) -> Value {
    call(fields, "")["auditd"]["data"].clone()
}

#[test]
fn an_address_of_ipv4_on_a_socket_of_ipv6_is_one_of_ipv4() {
    let connect = "arch=c000003e syscall=42 success=yes exit=0 a0=3 a1=7f a2=1c a3=0";
    let saddr = "0A0001BB0000000000000000000000000000FFFFCB00710900000000";
    let document = call(connect, &format!("type=SOCKADDR msg=audit(1.000:7): saddr={saddr}\n"));
    assert_eq!(document["destination"], json!({"ip": "203.0.113.9", "port": 443}));
    assert_eq!(document["related"]["ip"], json!(["203.0.113.9"]));
    let data = &document["auditd"]["data"];
    assert_eq!(
        (&data["socket_addr"], &data["socket_family"]),
        (&json!("203.0.113.9"), &json!("ipv6"))
    );
    assert_eq!(document["auditd"]["summary"]["object"]["primary"], "203.0.113.9");

    let login = crate::document(
        "type=USER_LOGIN msg=audit(1.000:7): pid=1 uid=0 auid=1000 ses=2 msg='op=login id=1000 \
         exe=\"/usr/sbin/sshd\" hostname=::ffff:203.0.113.4 addr=::ffff:203.0.113.4 terminal=ssh \
         res=success'\n",
    );
    assert_eq!(login["source"], json!({"ip": "203.0.113.4"}));
    assert_eq!(login["related"]["ip"], json!(["203.0.113.4"]));
    assert_eq!(login["auditd"]["summary"]["object"]["secondary"], "203.0.113.4");
}

#[test]
fn a_mode_is_told_of_a_file_that_is_made() {
    let open = |flags: &str| {
        data(&format!("arch=c000003e syscall=2 success=yes exit=3 a0=7f a1={flags} a2=1b6 a3=0"))
    };
    assert_eq!(open("80000")["a1_text"], "O_RDONLY|O_CLOEXEC");
    assert_eq!(open("80000")["a2_text"], Value::Null);
    assert_eq!(open("80041")["a2_text"], "0666");
    let openat = |flags: &str| {
        let call = format!("syscall=257 success=yes exit=3 a0=ffffff9c a1=7f a2={flags} a3=1b6");
        data(&format!("arch=c000003e {call}"))
    };
    assert_eq!(openat("80000")["a3_text"], Value::Null);
    assert_eq!(openat("80041")["a3_text"], "0666");
    assert_eq!(openat("410002")["a3_text"], "0666", "O_TMPFILE");
}

#[test]
fn signals_have_the_names_that_programs_know() {
    let kill = |signal: &str| {
        data(&format!("arch=c000003e syscall=62 success=yes exit=0 a0=5 a1={signal} a2=0 a3=0"))
    };
    assert_eq!(kill("23")["a1_text"], "SIGRTMIN+1");
    assert_eq!(kill("22")["a1_text"], "SIGRTMIN");
    assert_eq!(kill("40")["a1_text"], "SIGRTMAX");
    assert_eq!(kill("20")["a1_text"], Value::Null);
    let fork = data("arch=c000003e syscall=56 success=yes exit=5 a0=1200011 a1=0 a2=0 a3=7f");
    assert_eq!(fork["a0_text"], "CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD");

    let of_process = "auid=1000 uid=0 gid=0 ses=2 pid=7 comm=\"x\" exe=\"/usr/bin/x\"";
    let crash = format!("type=ANOM_ABEND msg=audit(1.000:7): {of_process} sig=35 res=1\n");
    let crash = document(&crash);
    let signal = &crash["auditd"]["data"];
    assert_eq!((&signal["sig"], &signal["sig_name"]), (&json!("35"), &json!("SIGRTMIN+1")));
    assert_eq!(crash["auditd"]["summary"]["how"], "SIGRTMIN+1");
    let seccomp = |signal: &str| {
        let call = "arch=c000003e syscall=2 compat=0 ip=0x7f code=0x80000000";
        let log = format!("type=SECCOMP msg=audit(1.000:7): {of_process} sig={signal} {call}\n");
        document(&log)["auditd"]["data"].clone()
    };
    assert_eq!(seccomp("31")["sig"], "SIGSYS");
    assert_eq!(seccomp("31")["sig_name"], "SIGSYS");
    assert_eq!(seccomp("0")["sig"], "0");
}

#[test]
fn an_interpreter_that_was_replaced_is_one() {
    let how = |exe: &str| {
        let read = "arch=c000003e syscall=0 success=yes exit=0 a0=3 a1=0 a2=0 a3=0";
        // Encoded by the kernel where there is a space.
        let exe = match exe.contains(' ') {
            true => exe.bytes().map(|byte| format!("{byte:02X}")).collect(),
            false => format!("\"{exe}\""),
        };
        call(&format!("{read} exe={exe}"), "")["auditd"]["summary"]["how"].clone()
    };
    assert_eq!(how("/usr/bin/python2.7"), "x");
    assert_eq!(how("/usr/bin/python2.7;58d1ccfb (deleted)"), "x");
    assert_eq!(how("/usr/bin/perl (deleted)"), "x");
    assert_eq!(how("/usr/bin/perl;58d1ccfb"), "x");
    let other = "/usr/bin/pythonic;58d1ccfb (deleted)";
    assert_eq!(how(other), other);
    assert_eq!(how("/usr/bin/python2.7;nothex"), "/usr/bin/python2.7;nothex");
}

#[test]
fn architectures_without_tables_have_names() {
    let loongarch = data("arch=c0000102 syscall=221 success=no exit=-115 a0=3 a1=7f a2=0 a3=0");
    assert_eq!((&loongarch["arch"], &loongarch["syscall"]), (&json!("loongarch64"), &json!("221")));
    assert_eq!(loongarch["exit"], "EINPROGRESS");
    // Errors beyond ERANGE have other numbers there, as flags have.
    let mips = data("arch=c0000008 syscall=5002 success=no exit=-115 a0=3 a1=7f a2=0 a3=0");
    assert_eq!((&mips["arch"], &mips["exit"]), (&json!("mipsel64"), &json!("-115")));
    let mips = data("arch=80000008 syscall=5002 success=no exit=-13 a0=3 a1=7f a2=0 a3=0");
    assert_eq!((&mips["arch"], &mips["exit"]), (&json!("mips64"), &json!("EACCES")));

    // auditd of such a host has added what it knows.
    let log = "type=SYSCALL msg=audit(1.000:7): arch=c0000102 syscall=56 success=yes exit=3 \
               a0=ffffffffffffff9c a1=7f a2=8 a3=0 pid=7 uid=0 comm=\"x\" exe=\"/bin/x\"\u{1d}\
               ARCH=loongarch64 SYSCALL=openat UID=\"root\"\n\
               type=PROCTITLE msg=audit(1.000:7): proctitle=\"x\"\n";
    let openat = document(log);
    assert_eq!(openat["auditd"]["data"]["syscall"], "openat");
    assert_eq!(openat["event"]["action"], "opened-file");
}

/// `-k key=net`: the name that auditctl and ausearch know a rule by.
#[test]
fn keys_of_rules_are_tags_as_they_are() {
    let connect = "arch=c000003e syscall=42 success=yes exit=0 a0=3 a1=7f a2=1c a3=0";
    assert_eq!(call(&format!("{connect} key=\"key=net\""), "")["tags"], json!(["key=net"]));
}

#[test]
fn original_records_are_one_text() {
    let log = b"type=USER_ACCT msg=audit(1.000:7): pid=1 uid=0 auid=5 ses=2 msg='res=success'\n";
    let options = Options { include_raw_message: true, ..Options::default() };
    let document = documents(log, options).0.remove(0);
    let log = std::str::from_utf8(log).unwrap();
    assert_eq!(document["event"]["original"], log.trim());
}
