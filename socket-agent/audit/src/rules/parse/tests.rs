//! Whole lines and files, as people write them.

use std::path::Path;

use super::{Source, parse};
use crate::{
    names::Arch,
    rules::{
        Accounts, Command, Enabled, FailureMode, Host, List, PathKind, Paths, PermCalls, Position,
        Rule, RuleSet, Severity,
    },
};

/// Knows the user alice and the group staff; `/etc` and `/srv/data` are directories.
struct Known;

impl Accounts for Known {
    fn user(&self, name: &str) -> Option<u32> {
        (name == "alice").then_some(1000)
    }

    fn group(&self, name: &str) -> Option<u32> {
        (name == "staff").then_some(50)
    }
}

impl Paths for Known {
    fn kind(&self, path: &Path) -> PathKind {
        match path.to_str() {
            Some("/etc" | "/etc/" | "/srv/data" | "/" | "/bin" | "/etc/audit") => {
                PathKind::Directory
            }
            Some("/etc/passwd") => PathKind::File,
            _ => PathKind::Missing,
        }
    }
}

const HOST: Host<'_> =
    Host { arch: Some(Arch::X86_64), accounts: &Known, paths: &Known, perm_calls: PermCalls::All };

fn source(text: &str) -> Source<'_> {
    Source { name: "f", first_line: 1, text: text.as_bytes() }
}

/// Every problem, as it is shown.
fn problems(text: &str) -> Vec<String> {
    parse(&source(text), &HOST).problems.iter().map(ToString::to_string).collect()
}

/// The one problem of a line: its column and words.
fn problem(line: &str) -> (usize, String) {
    let parsed = parse(&source(line), &HOST);
    match parsed.problems.as_slice() {
        [problem] => (problem.location.column, problem.message.clone()),
        other => panic!("{line}: {other:?}"),
    }
}

fn commands_for(text: &str, host: &Host<'_>) -> Vec<Command> {
    let parsed = parse(&source(text), host);
    let errors: Vec<_> =
        parsed.problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{text}: {errors:?}");
    parsed.commands.into_iter().map(|command| command.value).collect()
}

fn commands(text: &str) -> Vec<Command> {
    commands_for(text, &HOST)
}

fn rule_for(line: &str, host: &Host<'_>) -> Rule {
    match commands_for(line, host).pop() {
        Some(Command::Add { rule, .. } | Command::Delete { rule }) => rule,
        other => panic!("{line}: {other:?}"),
    }
}

/// The rule of a line in canonical words.
fn text(line: &str) -> String {
    rule_for(line, &HOST).to_text(HOST.arch)
}

#[test]
fn every_problem_of_a_file_is_told_with_its_place_and_remedy() {
    let file = "# rules\n-w etc/passwd -p wz\n\n-a always,exit -S opnat -F uidd=1 -F exit=-EACESS\n\
                \x20 -a always,exits -S open\n-k x\n-w /etc/passwd -p wa\n";
    assert_eq!(
        problems(file),
        [
            "f:2:4: `etc/passwd` is not an absolute path: begin it with /",
            "f:2:18: `z` is no kind of access: write r (read), w (write), x (execute) \
             or a (attributes)",
            "f:4:19: `opnat` is no call of x86_64: did you mean openat?",
            "f:4:28: `uidd` is no field: did you mean uid?",
            "f:4:43: `-EACESS` is no error: did you mean -EACCES?",
            "f:5:13: `exits` is no list and no action: did you mean exit?",
            "f:6:1: -k is part of no rule: add -a LIST,ACTION or -w PATH",
        ]
        .map(str::to_owned)
    );
    assert_eq!(parse(&source(file), &HOST).commands.len(), 1);
}

#[test]
fn the_first_line_can_be_another_than_the_first() {
    let parsed = parse(&Source { name: "agent.yml", first_line: 40, text: b"\n-x" }, &HOST);
    assert!(parsed.problems[0].to_string().starts_with("agent.yml:41:1: -x is no option"));
}

#[test]
fn nothing_is_taken_of_files_with_an_error_unless_errors_are_ignored() {
    let good = || source("-w /etc/passwd -p wa -k a");
    let bad = || source("-w /etc/passwd -p r\n-a always,exit -F uid=nobody-here -S all");
    let error = RuleSet::read([good(), bad()], &HOST, false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "f:2:23: there is no user `nobody-here` on this host: create it, or write its number"
    );
    let set = RuleSet::read([good(), bad()], &HOST, true).unwrap();
    assert_eq!(set.commands.len(), 2);
    assert!(set.warnings[0].to_string().starts_with("f:2:23: warning: "), "{:?}", set.warnings);
    // -i and -c are for their own file.
    let lenient = source("-i\n-a always,exit -S nonesuch");
    assert!(RuleSet::read([good(), lenient], &HOST, false).is_ok());
    assert!(RuleSet::read([source("-c"), bad()], &HOST, false).is_err());
}

#[test]
fn a_rule_that_is_there_already_is_an_error() {
    let twice = "-w /etc/passwd -p wa\n-a always,exit -F path=/etc/passwd -F perm=aw";
    let error = RuleSet::read([source(twice)], &HOST, false).unwrap_err();
    assert_eq!(error.to_string(), "f:2:1: the rule is already there, from f:1:1: remove one");
    for between in ["-D", "-W /etc/passwd -p wa", "-d always,exit -F path=/etc/passwd -F perm=wa"] {
        let text = twice.replace('\n', &format!("\n{between}\n"));
        assert_eq!(RuleSet::read([source(&text)], &HOST, false).unwrap().commands.len(), 3);
    }
    let keyed =
        "-w /etc/passwd -k ab\n-D -k b\n-w /etc/passwd -k ab\n-D -k c\n-w /etc/passwd -k ab";
    assert!(
        RuleSet::read([source(keyed)], &HOST, false).unwrap_err().to_string().starts_with("f:5")
    );
}

#[test]
fn settings_become_commands() {
    let file = "-D\n-D -k old\n-e 1\n-e2\n-f 2\n-b 8192\n-r 0x10\n\
                --backlog_wait_time=60000\n--loginuid-immutable\n--reset-lost\n--reset_b\n\
                -ic\n-t\n-q /mnt,/srv\n-m 'a text'\n-b 1 -f 0";
    assert_eq!(
        commands(file),
        [
            Command::DeleteAll { key: None },
            Command::DeleteAll { key: Some(b"old".to_vec()) },
            Command::Enable(Enabled::On),
            Command::Enable(Enabled::Immutable),
            Command::Failure(FailureMode::Panic),
            Command::BacklogLimit(8192),
            Command::RateLimit(16),
            Command::BacklogWaitTime(60000),
            Command::LoginuidImmutable,
            Command::ResetLost,
            Command::ResetBacklogWaitTime,
            Command::IgnoreErrors,
            Command::Continue,
            Command::Trim,
            Command::Equivalent { mount: b"/mnt".to_vec(), subtree: b"/srv".to_vec() },
            Command::Message(b"a text".to_vec()),
            Command::BacklogLimit(1),
            Command::Failure(FailureMode::Silent),
        ]
    );
    assert!(problem("-e 3").1.starts_with("-e is 0 (off)"));
    let (column, words) = problem("--backlog_wait_time 99999999");
    assert_eq!(column, 21);
    assert!(words.contains("ten minutes") && words.contains("150000"), "{words}");
    assert!(problem("--reset").1.contains("beginning of several options"));
    assert_eq!(problem("-D -b 1").0, 4);
    assert_eq!(problem("-b").1, "-b needs a value: write it behind the option");
    assert!(problem("-R /etc/audit/x.rules").1.contains("audit_rule_files"));
    // A question to auditctl does not make a file wrong.
    assert!(RuleSet::read([source("-s\n-l\n-v")], &HOST, false).unwrap().commands.is_empty());
}

#[test]
fn a_watch_is_about_a_file_or_a_directory() {
    assert_eq!(text("-w /etc/passwd"), "-w /etc/passwd -p rwxa");
    assert_eq!(text("-w /etc// -p x -k a -k b"), "-w /etc -p x -k a -k b");
    let field = |line| rule_for(line, &HOST).conditions()[0].field.name();
    assert_eq!(field("-w /etc/"), Some("dir"));
    assert_eq!(field("-w /"), Some("dir"));
    assert_eq!(field("-w /etc/passwd/"), Some("path"));
    assert_eq!(field("-w /nothing/here"), Some("path"));
    assert!(matches!(commands("-W /etc/passwd").pop(), Some(Command::Delete { .. })));
    assert!(problem("-w /etc/* -p r").1.contains("no wildcards"));
    assert!(
        problem("-a always,exit -F dir=/absent -F perm=r").1.contains("no directory /absent now")
    );
    assert!(problem("-w /nothing/here").1.contains("no directory /nothing now"));
    assert!(problem("-a always,exit -S all -F exe=/no/ls").1.contains("no directory /no now"));
    assert!(problem("-w /etc/passwd -S open").1.contains("every call"));
}

#[test]
fn a_list_and_an_action_come_in_any_order() {
    for line in ["-a always,task", "-atask,always"] {
        let rule = rule_for(line, &HOST);
        assert_eq!((rule.list(), rule.calls().is_empty()), (List::Task, true));
    }
    assert!(matches!(
        commands("-A never,exit -S all").pop(),
        Some(Command::Add { position: Position::First, .. })
    ));
    assert!(problem("-a always,entry -S all").1.contains("write exit"));
    assert!(problem("-a possible,exit -S all").1.contains("always or never"));
    assert_eq!(problem("-a always,never").0, 11);
    assert!(problem("-a always,exit -d always,exit -S all").1.contains("-d a line of its own"));
}

#[test]
fn options_of_a_rule_come_in_any_order() {
    let canonical = "-a always,exit -F arch=b32 -S open -F auid>=1000 -F key=a";
    assert_eq!(text("-S open -k a -F auid>=1000 -F arch=b32 -a always,exit"), canonical);
    assert_eq!(text(canonical), canonical);
}

#[test]
fn calls_have_the_numbers_of_their_architecture() {
    let calls = |line| rule_for(line, &HOST).calls().iter().collect::<Vec<_>>();
    assert_eq!(calls("-a always,exit -F arch=b32 -S open,stime"), [5, 25]);
    assert_eq!(calls("-a always,exit -F arch=b64 -S open -S 7"), [2, 7]);
    assert_eq!(calls("-a always,exit -F arch=aarch64 -S openat"), [56]);
    assert_eq!(calls("-a always,exit -F arch=c00000b7 -S openat"), [56]);
    assert_eq!(calls("-a always,io_uring -S openat,connect,64"), [16, 18, 64]);
    assert!(problem("-a always,exit -F arch=b64 -S stime").1.contains("call of i386"));
    assert!(problem("-a always,exit -F arch=b64 -S 2048").1.contains("below 2048"));
    assert!(problem("-a always,exit -F arch=b64 -S ,").1.contains("names no call"));
    assert!(problem("-a always,exit -F arch=b64 -S ALL").1.contains("did you mean all?"));
    assert!(problem("-a always,io_uring -S nop").1.contains("io_uring operation"));
    assert_eq!(problem("-a always,exit -S open").0, 19);
    assert!(problem("-a always,exit -S open").1.contains("other numbers in i386"));
    assert!(problem("-a never,user -S open").1.contains("knows no calls"));
}

/// Each with what auditctl 3.0, 4.0 and 4.2 list for it.
#[test]
fn what_auditctl_takes_is_taken() {
    for (line, listed) in [
        ("-a always,exit -F arch=b64 -S open,", "-a always,exit -F arch=b64 -S open"),
        ("-a always,exit -F arch=b64 -S ,open", "-a always,exit -F arch=b64 -S open"),
        ("-a always,exit -F arch=b64 -S open,,read,", "-a always,exit -F arch=b64 -S read,open"),
        ("-a always,exit -F arch=b64 -S OpenAt", "-a always,exit -F arch=b64 -S openat"),
        ("-a always,exit -F ARCH=B64 -S OPEN", "-a always,exit -F arch=b64 -S open"),
        (
            "-a always,exit -S all -F LoginUID=1 -F UID!=2",
            "-a always,exit -S all -F auid=1 -F uid!=2",
        ),
        ("-a always,exit -S all -C UID!=euid", "-a always,exit -S all -C uid!=euid"),
        ("-a always,exit -S all -F KEY=a", "-a always,exit -S all -F key=a"),
        ("-a always,exit -S all -F FileType=FILE", "-a always,exit -S all -F filetype=file"),
        ("-a always,exit -S all -F exit=-eacces", "-a always,exit -S all -F exit=-EACCES"),
        ("-a always,exit -S all -F exit=eacces", "-a always,exit -S all -F exit=13"),
        ("-a always,exclude -F msgtype=cwd", "-a always,exclude -F msgtype=CWD"),
        ("-a always,filesystem -F fstype=DEBUGFS", "-a always,filesystem -F fstype=debugfs"),
        ("-a always,exit -S all -F uid=1 -F key=", "-a always,exit -S all -F uid=1"),
        ("-w /etc/passwd -p wa -k ''", "-w /etc/passwd -p wa"),
        ("-a always,exit -F arch=s390 -S open,chown", "-a always,exit -F arch=s390 -S open,chown"),
        ("-a always,exit -F arch=s390 -S lchown32", "-a always,exit -F arch=s390 -S lchown32"),
        ("-a always,exit -F dir=/etc -F perm=wa", "-w /etc -p wa"),
        ("-a always,exit -F path=/etc/passwd -F perm=wa", "-w /etc/passwd -p wa"),
        ("-a always,exit -S all -F dir=/etc/", "-a always,exit -S all -F dir=/etc/"),
        (
            "-a always,exit -F arch=b64 -F dir=/etc -F perm=wa",
            "-a always,exit -F arch=b64 -S all -F dir=/etc -F perm=wa",
        ),
    ] {
        assert_eq!(text(line), listed, "{line}");
    }
}

#[test]
fn what_b32_and_b64_mean_depends_on_the_host() {
    let aarch64 = Host { arch: Some(Arch::Aarch64), ..HOST };
    let rule = rule_for("-a always,exit -F arch=b32 -S execve", &aarch64);
    assert_eq!(rule.calls().iter().collect::<Vec<_>>(), [11]);
    assert_eq!(rule.to_text(aarch64.arch), "-a always,exit -F arch=b32 -S execve");
    assert_eq!(rule.to_text(Some(Arch::X86_64)), "-a always,exit -F arch=arm -S execve");
    let errors = |arch, line| parse(&source(line), &Host { arch, ..HOST }).problems;
    let line = "-a always,exit -F arch=b64 -S execve";
    assert!(errors(Some(Arch::I386), line)[0].message.contains("no 64-bit calls"));
    assert!(errors(None, line)[0].message.contains("write its name"));
    assert!(
        errors(Some(Arch::Ppc64Le), "-a always,exit -F arch=b32 -S 1")[0]
            .message
            .contains("no 32-bit")
    );
}

#[test]
fn perm_can_be_narrowed_to_the_calls_that_matter() {
    let listed = Host { perm_calls: PermCalls::Listed, ..HOST };
    let calls = |line| rule_for(line, &listed).calls().iter().collect::<Vec<_>>();
    assert_eq!(calls("-a always,exit -F arch=b64 -F path=/x -F perm=x"), [59, 322]);
    assert_eq!(calls("-a always,exit -F arch=b64 -S read -F path=/x -F perm=x"), [0, 59, 322]);
    assert!(rule_for("-a always,exit -F path=/x -F perm=x", &listed).calls().is_all());
    assert!(rule_for("-w /x -p x", &listed).calls().is_all());
    assert!(rule_for("-a always,exit -F arch=b64 -F path=/x -F perm=x", &HOST).calls().is_all());
}

#[test]
fn values_have_names() {
    let conditions = |line: &str| {
        let text = text(&format!("-a always,exit -S all {line}"));
        text.strip_prefix("-a always,exit -S all ").unwrap().to_owned()
    };
    assert_eq!(conditions("-F uid=alice -F gid!=staff"), "-F uid=1000 -F gid!=50");
    assert_eq!(conditions("-F loginuid=unset"), "-F auid=-1");
    assert_eq!(conditions("-F saddr_fam=inet6"), "-F saddr_fam=10");
    assert_eq!(conditions("-F filetype=0100000"), "-F filetype=file");
    assert_eq!(conditions("-F exit=-13"), "-F exit=-EACCES");
    assert_eq!(conditions("-C obj_uid!=auid"), "-C auid!=obj_uid");
    assert_eq!(conditions("-F key=a -k 'b c'"), "-F key=a -F key=b\\ c");
    assert_eq!(conditions("-F exe=\"/opt/a b\""), "-F exe=/opt/a\\ b");
}

#[test]
fn what_the_kernel_refuses_is_told_before() {
    let reason = |line: &str| problem(&format!("-a always,exit -S all {line}")).1;
    assert_eq!(reason("-F uid&1"), "uid does not take &: use = != < <= > >=");
    assert_eq!(reason("-F uid=-1"), "uid is never unset: only auid can be compared with unset");
    assert_eq!(
        reason("-F msgtype=CWD"),
        "msgtype means nothing on list exit: use it on user and exclude"
    );
    assert!(reason("-F path=/a -F inode=1").contains("write two rules"));
    assert!(reason("-F path=/a/").contains("use dir"));
    assert!(reason("-F uid=12x").contains("is no number"));
    assert!(reason("-C pid=ppid").contains("-F pid=VALUE"));
    assert!(reason("-C uid=gid").contains("it can with obj_uid"));
    assert!(reason(&format!("-k {}", "k".repeat(257))).contains("shorten it to 256"));
    assert!(reason(&format!("-k {} -k {}", "k".repeat(200), "l".repeat(56))).contains("257 bytes"));
    assert!(reason(&"-F pid=1 ".repeat(65)).contains("at most 64 fields"));
    assert!(reason("stray").contains("belongs to no option"));
    assert!(reason("# why").contains("a line of their own"));
}

#[test]
fn a_key_that_auditctl_would_refuse_is_a_warning() {
    assert!(problem("-a never,user -F uid=1 -k x").1.starts_with("auditctl refuses a key"));
    assert_eq!(problems("-a always,exit -F exe=/bin/ls -k x"), [""; 0]);
}
