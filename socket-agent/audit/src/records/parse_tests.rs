use super::*;

fn kernel(kind: &str, text: &str) -> Record {
    parse_kernel(Kind::of_name(kind).unwrap(), format!("audit(1.5:7): {text}").as_bytes()).unwrap()
}

/// Fields with something in them, as `key=value`.
fn said(record: &Record) -> Vec<String> {
    let present = record.fields().filter(|field| !field.is_absent());
    present.map(|field| format!("{}={}", field.name(), field.text())).collect()
}

#[test]
fn a_system_call_from_the_kernel() {
    let record = kernel(
        "SYSCALL",
        "arch=c000003e syscall=59 success=yes exit=0 a0=7f tty=(none) comm=\"cat\" \
         exe=2F746D702F6120622063 key=(null)",
    );
    assert_eq!(record.id().to_string(), "1.500:7");
    assert_eq!(
        said(&record),
        [
            "arch=c000003e",
            "syscall=59",
            "success=yes",
            "exit=0",
            "a0=7f",
            "tty=(none)",
            "comm=cat",
            "exe=/tmp/a b c"
        ]
    );
    assert_eq!((record.number(Key::SYSCALL), record.hex(Key::A0)), (Some(59), Some(0x7f)));
    assert_eq!(record.get(Key::KEY), None);
    assert!(record.get(Key::EXE).unwrap().is_string() && !record.get(Key::A0).unwrap().is_string());
}

#[test]
fn a_line_of_auditds_log_with_names() {
    let line = b"node=web1 type=SYSCALL msg=audit(1.000:7): syscall=2 uid=0\x1dARCH=x86_64 \
                 SYSCALL=open UID=\"root\" SADDR={ saddr_fam=inet lport=1 }\n";
    let record = parse_line(line).unwrap();
    assert_eq!(record.node(), Some(&b"web1"[..]));
    assert_eq!(said(&record), ["syscall=2", "uid=0"]);
    let added: Vec<_> =
        record.added().map(|field| format!("{}={}", field.name(), field.text())).collect();
    assert_eq!(
        added,
        ["ARCH=x86_64", "SYSCALL=open", "UID=root", "SADDR={ saddr_fam=inet lport=1 }"]
    );
    assert!(record.raw().starts_with("audit(1.000:7): syscall=2"));
}

#[test]
fn names_that_auditd_has_added_behind_a_space() {
    let line =
        b"type=USER_AVC msg=audit(1.000:7): pid=1 uid=0 auid=5 msg='avc:  denied  { x } for \
                 auid=6 uid=7 GID=x sauid=0' UID=\"a\" AUID=\"b\" AUID=\"c\" UID=\"d\" SAUID=\"a\"";
    let record = parse_line(line).unwrap();
    assert!(
        said(&record).contains(&"GID=x".to_owned()),
        "what stands in the message is the program's"
    );
    let names = |name: &str| {
        let fields = record.fields().filter(|field| field.key == name.as_bytes());
        let names =
            fields.map(|field| record.name_added_for(&field).map(|name| name.text().into_owned()));
        names.collect::<Vec<_>>()
    };
    assert_eq!(names("uid"), [Some("a".to_owned()), Some("d".to_owned())]);
    assert_eq!(names("auid"), [Some("b".to_owned()), Some("c".to_owned())]);
    assert_eq!(
        names("sauid"),
        [Some("a".to_owned())],
        "also of a field that nothing else speaks of"
    );
    assert_eq!(names("pid"), [None]);
}

#[test]
fn what_a_program_says_is_told_from_what_the_kernel_says_of_it() {
    let record =
        kernel("USER_ACCT", "pid=1 uid=0 auid=5 msg='pam_tally2 uid=1004 acct=\"?\" res=success'");
    let value = |field: Option<Field<'_>>| field.map(|field| field.text().into_owned());
    assert_eq!(value(record.get(Key::UID)).as_deref(), Some("0"));
    assert_eq!(value(record.get_in_message(Key::UID)).as_deref(), Some("1004"));
    assert_eq!(value(record.get_in_message(Key::AUID)), None);
    assert_eq!(value(record.get_in_message(Key::ACCT)), None, "nothing said");
    let record = kernel("SYSCALL", "syscall=1 uid=3");
    assert_eq!(value(record.get_in_message(Key::UID)), None);
}

#[test]
fn a_line_of_another_log() {
    let header = "<30>Nov 30 07:00:00 web1 audispd: ";
    let text = "audit(1.000:7): pid=1 msg='op=x res=success'";
    for behind in ["", "\x1dUID=\"root\"", "#035UID=\"root\"", " UID=\"root\""] {
        let line = format!("{header}type=USER_END msg={text}{behind}");
        let record = parse_line(line.as_bytes()).unwrap();
        assert_eq!((record.kind().name(), record.node()), (Some("USER_END"), Some(&b"web1"[..])));
        assert_eq!(said(&record), ["pid=1", "op=x", "res=success"]);
        assert_eq!(record.added().count(), usize::from(!behind.is_empty()), "{behind}");
        assert_eq!(record.raw(), format!("{text}{behind}"));
    }
    let node = parse_line(format!("{header}node=a type=USER_END msg={text}").as_bytes()).unwrap();
    assert_eq!(node.node(), Some(&b"a"[..]));
    let kernel = parse_line(b"[   12.345678] audit: type=1400 audit(1.000:7): pid=1").unwrap();
    assert_eq!((kernel.kind(), kernel.node()), (Kind::AVC, None));
    // In a log of auditd's own nothing is taken for what it is not.
    let own = parse_line(format!("type=USER_END msg={text} UID=1").as_bytes()).unwrap();
    assert_eq!((own.added().count(), said(&own).len()), (0, 4));
}

#[test]
fn numbers_of_ubuntus_kernels() {
    let kind = |line: &str| parse_line(line.as_bytes()).unwrap().kind();
    let line = |number: u16, text: &str| format!("type=UNKNOWN[{number}] msg=audit(1.0:1): {text}");
    assert_eq!(kind(&line(1420, "subj_apparmor=unconfined")), Kind::MAC_TASK_CONTEXTS);
    assert_eq!(kind(&line(1421, "obj_apparmor=x obj_selinux=y")), Kind::MAC_OBJ_CONTEXTS);
    assert_eq!(kind(&line(1420, "ipe_op=EXECUTE path=\"/x\"")), Kind(1420));
    assert_eq!(kind(&line(1420, "")), Kind(1420));
}

#[test]
fn the_words_of_ausearch_are_no_record() {
    for stamp in ["11/30/2023 07:00:04.600:807", "30.11.2023 07:00:04.600:807"] {
        let line = format!("type=CRED_ACQ msg=audit({stamp}) : pid=16484 uid=root");
        assert_eq!(parse_line(line.as_bytes()).unwrap_err(), ParseError::Interpreted);
    }
    assert_eq!(parse_line(b"type=CWD msg=audit(x y): a=1").unwrap_err(), ParseError::NoId);
}

#[test]
fn messages_of_programs() {
    let record = kernel(
        "USER_CMD",
        "pid=1 uid=0 subj=a:b:c:s0 msg='cwd=\"/home/ann\" cmd=6C73202D6C terminal=? res=success'",
    );
    assert_eq!(
        said(&record),
        ["pid=1", "uid=0", "subj=a:b:c:s0", "cwd=/home/ann", "cmd=ls -l", "res=success"]
    );
    let apostrophe = kernel("USER_CMD", "pid=1 msg='cmd=\"it's\" res=success'");
    assert_eq!(said(&apostrophe), ["pid=1", "cmd=it's", "res=success"]);
    let cut = kernel("USER_CMD", "pid=1 msg='cmd=\"ls\" res=succ");
    assert_eq!(said(&cut), ["pid=1", "cmd=ls", "res=succ"]);
}

#[test]
fn operations_of_several_words() {
    let record =
        kernel("ADD_GROUP", "msg='op=adding group to /etc/group id=1001 exe=\"/x\" res=success'");
    assert_eq!(
        said(&record),
        ["op=adding group to /etc/group", "id=1001", "exe=/x", "res=success"]
    );
    let set = kernel("CONFIG_CHANGE", "op=set audit_backlog_limit=8192 old=64");
    assert_eq!(said(&set), ["op=set", "audit_backlog_limit=8192", "old=64"]);
}

#[test]
fn forms_of_old() {
    let start = kernel(
        "USER_START",
        "user pid=1 uid=0 msg='PAM: session open acct=root : exe=\"/x\" (hostname=?, addr=1.2.3.4, \
         terminal=cron res=success)'",
    );
    assert_eq!(
        said(&start),
        ["pid=1", "uid=0", "acct=root", "exe=/x", "addr=1.2.3.4", "terminal=cron", "res=success"]
    );
    let login = kernel("LOGIN", "login pid=13015 uid=0 old auid=4294967295 new auid=0");
    assert_eq!(said(&login), ["pid=13015", "uid=0", "old_auid=4294967295", "new_auid=0"]);
    let daemon = parse_line(b"type=DAEMON_CONFIG msg=audit(1.477:34) config changed, auid=0 pid=2");
    assert_eq!(said(&daemon.unwrap()), ["auid=0", "pid=2"]);
}

#[test]
fn selinux_and_apparmor() {
    let avc = kernel(
        "AVC",
        "avc:  denied  { read write } for  pid=1 comm=\"x\" dev=hda7 scontext=a:b:c:s0 \
         tcontext=d:e:f:s0 tclass=dir permissive=0",
    );
    assert_eq!(
        said(&avc),
        [
            "seresult=denied",
            "seperms=read,write",
            "pid=1",
            "comm=x",
            "dev=hda7",
            "scontext=a:b:c:s0",
            "tcontext=d:e:f:s0",
            "tclass=dir",
            "permissive=0"
        ]
    );
    let apparmor = kernel(
        "AVC",
        "apparmor=\"DENIED\" operation=\"open\" profile=\"/usr/sbin/cupsd\" name=2F7420 pid=9",
    );
    assert_eq!(
        said(&apparmor),
        ["apparmor=DENIED", "operation=open", "profile=/usr/sbin/cupsd", "name=/t ", "pid=9"]
    );
    let label = kernel("SYSCALL", "subj=/usr/sbin/cupsd (enforce) key=\"x\"");
    assert_eq!(said(&label), ["subj=/usr/sbin/cupsd (enforce)", "key=x"]);
    assert_eq!(said(&kernel("SYSCALL", "subj==unconfined a=1")), ["subj=unconfined", "a=1"]);
    let user = kernel(
        "USER_AVC",
        "pid=1 msg='avc:  denied  { start } for auid=n/a uid=0 tclass=service  exe=\"/x\" addr=?'",
    );
    assert_eq!(
        said(&user),
        [
            "pid=1",
            "seresult=denied",
            "seperms=start",
            "auid=n/a",
            "uid=0",
            "tclass=service",
            "exe=/x"
        ]
    );
}

#[test]
fn only_encoded_fields_are_decoded() {
    let record = kernel("PATH", "name=2F61 inode=1234 dev=08 mode=0100 obj=ABCD cap_fp=0A");
    assert_eq!(
        said(&record),
        ["name=/a", "inode=1234", "dev=08", "mode=0100", "obj=ABCD", "cap_fp=0A"]
    );
    assert_eq!(said(&kernel("PATH", "name=\"2F61\"")), ["name=2F61"], "in quotes");
    assert_eq!(said(&kernel("PATH", "name=2f61")), ["name=2f61"], "the kernel writes capitals");
    let title = kernel("PROCTITLE", "proctitle=636174002F6574632F00");
    assert_eq!(said(&title), ["proctitle=cat /etc/"]);
}

#[test]
fn what_is_no_record() {
    for line in [
        &b""[..],
        b"type=SYSCALL",
        b"type=SYSCALL msg=",
        b"type=SYSCALL msg=audit(",
        b"type=SYSCALL msg=audit()",
        b"type=SYSCALL msg=audit(1.000:x): a=1",
        b"type=UNKNOWN[1329] msg=?",
    ] {
        let text = String::from_utf8_lossy(line);
        assert!(parse_line(line).is_err(), "{text}");
    }
    assert_eq!(
        parse_line(b"type=NOT_KNOWN msg=audit(1.000:1): a=1").unwrap_err(),
        ParseError::UnknownType("NOT_KNOWN".to_owned())
    );
    assert_eq!(parse_line(b"hello world").unwrap_err(), ParseError::UnknownType(String::new()));
    let long = [b"type=CWD msg=audit(1.000:1): cwd=".to_vec(), vec![b'x'; 2 << 20]].concat();
    assert!(matches!(parse_line(&long).unwrap_err(), ParseError::TooLong(_)));
}

#[test]
fn a_long_line_without_spaces_takes_no_longer_than_others() {
    let start = std::time::Instant::now();
    for field in ["a=\"b\"", "a={b}", "a=b,"] {
        let text = format!("audit(1.5:7): {}", field.repeat((1 << 20) / field.len() - 8));
        let record = parse_kernel(Kind::SYSCALL, text.as_bytes()).unwrap();
        assert!(record.fields().count() > 0);
    }
    // Far more than it takes, far less than it would if each field were looked for to the end.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}
