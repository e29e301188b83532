//! Against the real auditctl and the kernel: the same rules, the same bytes, the same listing.
//!
//! The rules of the machine are left as they were, also when a test fails.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path, process, sync::Mutex};

use socket_agent::audit::{
    names::Arch,
    rules::{Command, Numbers, PermCalls, Position, Rule, RuleSet, Source, System},
};

use scenarios::{machine::AuditLock, or_skip};

use crate::netlink::Audit;

const FILES: [(&str, &str); 5] = [
    ("watches.rules", include_str!("data/watches.rules")),
    ("calls.rules", include_str!("data/calls.rules")),
    ("fields.rules", include_str!("data/fields.rules")),
    ("compare.rules", include_str!("data/compare.rules")),
    ("lists.rules", include_str!("data/lists.rules")),
];

/// Rules are the machine's: one test at a time.
static MACHINE: Mutex<()> = Mutex::new(());

/// Deletes, at its end, every rule that was not there at its beginning.
struct Restore {
    audit: Audit,
    before: Vec<Vec<u8>>,
    /// Other programs test with rules too.
    _lock: AuditLock,
}

impl Restore {
    fn new() -> Result<Self, String> {
        let lock = AuditLock::take().map_err(|error| format!("no lock can be had: {error}"))?;
        let mut audit = Audit::open().map_err(|error| format!("no audit socket: {error}"))?;
        match audit.is_locked() {
            Ok(false) => {}
            Ok(true) => return Err("the audit rules of this machine are locked".to_owned()),
            Err(error) => return Err(format!("the kernel tells no audit status: {error}")),
        }
        let before = audit.list().map_err(|error| format!("cannot list audit rules: {error}"))?;
        Ok(Self { audit, before, _lock: lock })
    }

    /// Rules that were not there.
    fn new_rules(&mut self) -> Vec<Vec<u8>> {
        let mut rules = self.audit.list().unwrap();
        rules.retain(|rule| !self.before.contains(rule));
        rules
    }

    fn undo(&mut self) {
        for rule in self.new_rules() {
            self.audit.delete(&rule).unwrap();
        }
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        // A test may be failing already: what is left behind is told, not another panic.
        let rules = self.audit.list().unwrap_or_default();
        for rule in rules.iter().filter(|rule| !self.before.contains(rule)) {
            if let Err(error) = self.audit.delete(rule) {
                println!("a rule of this test is still loaded: {error}");
            }
        }
    }
}

/// Version of the auditctl that is installed: its first two numbers.
fn auditctl() -> Result<(u32, u32), String> {
    let output = process::Command::new("auditctl").arg("-v").output();
    let output =
        output.map_err(|error| format!("auditctl cannot be run ({error}): install auditd"))?;
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers = version.split_whitespace().last().and_then(|version| {
        let mut parts = version.split('.').map(|part| part.parse().ok());
        Some((parts.next()??, parts.next()??))
    });
    numbers.ok_or_else(|| format!("`auditctl -v` printed no version: {version:?}"))
}

/// Runs auditctl; its output, or what it complained of.
fn run(arguments: &[&str]) -> Result<String, String> {
    let output = process::Command::new("auditctl").args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stdout) + &text(&output.stderr))
    }
}

fn read(name: &str, text: &str, perm_calls: PermCalls) -> Vec<Command> {
    let source = Source { name, first_line: 1, text: text.as_bytes() };
    let set = RuleSet::read([source], &System::read().unwrap().host(perm_calls), false)
        .unwrap_or_else(|error| panic!("{error}"));
    set.commands.into_iter().map(|command| command.value).collect()
}

/// The bytes in the order in which the kernel lists them: by list, then by place on it.
fn listed(commands: &[Command]) -> Vec<Vec<u8>> {
    let mut lists = vec![Vec::new(); 8];
    for command in commands {
        let Command::Add { rule, position } = command else { panic!("{command:?}") };
        let list: &mut Vec<Vec<u8>> = &mut lists[rule.list().number() as usize];
        let at = if *position == Position::First { 0 } else { list.len() };
        list.insert(at, rule.encode(Position::Last));
    }
    lists.concat()
}

fn show(rules: &[Vec<u8>]) -> Vec<String> {
    rules.iter().map(|it| Rule::decode(it).unwrap().to_text(Arch::of_build())).collect()
}

/// As `show auditd-rules` has them.
fn listings(rules: &[Vec<u8>]) -> Vec<String> {
    let list = |rule: &Vec<u8>| {
        Rule::decode(rule).unwrap().to_listing(Arch::of_build(), Numbers::Auditctl)
    };
    rules.iter().map(list).collect()
}

#[test]
fn every_rule_has_the_bytes_that_auditctl_loads() {
    let _one = MACHINE.lock();
    if cfg!(not(target_arch = "x86_64")) {
        println!("skipped: the rule files name calls of x86_64");
        return;
    }
    let version = or_skip!(auditctl());
    let mut machine = or_skip!(Restore::new());
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in FILES {
        let (text, perm_calls) = &comparable(text, version);
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let ours = listed(&read(name, text, *perm_calls));

        load(&path, text);
        let theirs = machine.new_rules();
        assert_eq!(show(&theirs), show(&ours), "{name}");
        assert!(theirs == ours, "the same words in other bytes: {name}");

        // The kernel takes our bytes and tells the same ones back.
        let ours_text = show(&machine.audit.list().unwrap());
        let their_text = run(&["-l"]).unwrap();
        let listed = listings(&machine.audit.list().unwrap());
        assert!(
            listed.contains(&"-w /usr/lib/ -p wa -k libraries".to_owned()) == (name == FILES[0].0)
        );
        assert!(listed.iter().filter(|line| line.starts_with("-w")).all(|line| {
            let line = line.replace("/a\\ b\\\\c", "/a b\\c");
            their_text.lines().any(|theirs| theirs == line)
        }));
        machine.undo();
        for command in read(name, text, *perm_calls) {
            let Command::Add { rule, position } = command else { continue };
            let shown = rule.to_text(Arch::of_build());
            machine.audit.add(&rule.encode(position)).unwrap_or_else(|it| panic!("{shown}: {it}"));
        }
        assert_eq!(show(&machine.new_rules()), show(&ours), "{name}");
        assert!(machine.new_rules() == ours, "the kernel tells other bytes back: {name}");
        machine.undo();

        // The listing says the same, but for what auditctl could not read again.
        let their_text: Vec<String> = their_text.lines().map(readable).collect();
        assert_eq!(ours_text, their_text, "{name}");
        println!("{name}: {} rules", ours.len());
    }
}

/// auditctl of Debian knows no io_uring.
#[test]
fn the_kernel_takes_io_uring_rules() {
    let _one = MACHINE.lock();
    let mut machine = or_skip!(Restore::new());
    let text = "-a always,io_uring -S openat,connect -F uid=1 -k a\n-A never,io_uring -F uid=2";
    let commands = read("io_uring", text, PermCalls::All);
    for command in &commands {
        let Command::Add { rule, position } = command else { panic!("{command:?}") };
        match machine.audit.add(&rule.encode(*position)) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput && is_before_io_uring() => {
                println!("skipped: this kernel is older than 5.16");
                return;
            }
            result => result.unwrap(),
        }
    }
    let theirs = machine.new_rules();
    assert_eq!(show(&theirs), show(&listed(&commands)));
    assert!(theirs == listed(&commands), "the kernel tells other bytes back");
}

fn is_before_io_uring() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|part| part.parse().unwrap_or(0_u32));
    (numbers.next(), numbers.next()) < (Some(5), Some(16))
}

/// From version 4 on, auditctl adds calls to rules with an architecture and `perm`: those of 4.2 are
/// known, with other releases these rules cannot be compared.
fn comparable(text: &str, version: (u32, u32)) -> (String, PermCalls) {
    let (known, perm_calls) = match version {
        (..=3, _) => (true, PermCalls::All),
        (4, 2) => (true, PermCalls::Listed),
        _ => (false, PermCalls::All),
    };
    let varies = |line: &&str| !known && line.contains("arch=") && line.contains("perm=");
    (text.lines().filter(|line| !varies(line)).flat_map(|line| [line, "\n"]).collect(), perm_calls)
}

/// Loads a file, or tells which of its lines auditctl refuses.
fn load(path: &Path, text: &str) {
    if run(&["-R", path.to_str().unwrap()]).is_ok() {
        return;
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let refused: Vec<String> = lines
        .filter_map(|line| {
            let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
            let why = run(&words).err().filter(|why| !why.contains("Rule exists"))?;
            Some(format!("{line}: {why}"))
        })
        .collect();
    panic!("auditctl refuses {}:\n{}", path.display(), refused.join("\n"));
}

/// What auditctl lists in a form that it does not take itself, or takes for another rule: file types
/// and newer file systems are numbers, spaces have no backslash, `exe!=` is told as `exe=`, every
/// architecture is one of this host, and a slash at the end of a directory is told in a watch, which
/// would drop it.
fn readable(line: &str) -> String {
    let arch = ["s390", "s390x"].into_iter().find(|arch| line.ends_with(&format!("key={arch}")));
    let line = arch.map_or(line.to_owned(), |arch| {
        line.replace("arch=b32", &format!("arch={arch}"))
            .replace("arch=b64", &format!("arch={arch}"))
    });
    line.replace("filetype!=16384", "filetype!=dir")
        .replace("filetype=32768", "filetype=file")
        .replace("fstype!=1667723888", "fstype!=cgroup2")
        .replace("/a b\\c", "/a\\ b\\\\c")
        .replace("exe=/usr/bin/ls", "exe!=/usr/bin/ls")
        .replace(
            "-w /usr/lib/ -p wa -k libraries",
            "-a always,exit -S all -F dir=/usr/lib/ -F perm=wa -F key=libraries",
        )
}

#[test]
fn what_auditctl_refuses_is_an_error() {
    let _one = MACHINE.lock();
    or_skip!(auditctl());
    let machine = or_skip!(Restore::new());
    let wrong = include_str!("data/wrong.rules");
    let lines = wrong.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        assert!(run(&words).is_err(), "auditctl takes {line}");
        let source = Source { name: "wrong", first_line: 1, text: line.as_bytes() };
        let read = RuleSet::read([source], &System::read().unwrap().host(PermCalls::All), false);
        assert!(read.is_err(), "taken: {line}");
    }
    drop(machine);
}
