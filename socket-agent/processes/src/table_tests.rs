use std::{
    io::{Read, Write},
    process::{Command, Stdio},
};

use socket_common::{Header, kind};

use super::*;
use crate::entry::IMAGES;
use crate::testing::{FakeProc, exec};

const TICK: u64 = 10_000_000;
const SECOND: u64 = 1_000_000_000;
const ID: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90";

fn table_with(proc: &FakeProc, options: TableOptions) -> ProcessTable {
    let identity = Identity::new("machine", "boot");
    ProcessTable::of(options, Clock::now(), identity, Ticks::per_second(100), proc.path())
}

fn table(proc: &FakeProc) -> ProcessTable {
    table_with(proc, TableOptions::default())
}

fn fork(pid: u32, start: u64, parent: u32, parent_start: u64) -> ForkEvent {
    ForkEvent { header: Header { kind: kind::FORK, length: 0 }, start, parent_start, pid, parent }
}

fn exit(pid: u32, start: u64, time: u64) -> ExitEvent {
    ExitEvent { header: Header { kind: kind::EXIT, length: 0 }, start, time, pid, code: 0 }
}

fn owner(pid: u32, start: u64) -> Owner {
    let mut comm = [0; 16];
    comm[..5].copy_from_slice(b"short");
    Owner { pid, start, ..Owner::default() }.with_comm(comm)
}

fn name(table: &mut ProcessTable, pid: u32, start: u64) -> String {
    table.lookup(&owner(pid, start)).unwrap().image.name.to_string()
}

#[test]
fn a_process_that_is_gone_is_known_by_its_records() {
    let proc = FakeProc::new();
    let mut table = table(&proc);
    table.on_exec(&exec(10, SECOND, "/bin/sh", b"sh\0-c\0curl\0"));
    table.on_fork(&fork(11, 2 * SECOND, 10, SECOND));
    let child = table.lookup(&owner(11, 2 * SECOND)).unwrap();
    assert_eq!(child.image.args, ["sh", "-c", "curl"], "inherited until it executes");
    assert_eq!((child.pid, child.parent_pid), (11, 10));

    let mut curl = exec(11, 2 * SECOND, "/usr/bin/curl", b"curl\0http://x/\0");
    curl.time = 3 * SECOND;
    curl.parent = 10;
    table.on_exec(&curl);
    table.on_exit(&exit(11, 2 * SECOND, 4 * SECOND));
    let process = table.lookup(&owner(11, 2 * SECOND)).unwrap();
    assert_eq!(&*process.image.name, "curl");
    assert_eq!(process.image.executable.as_deref(), Some("/usr/bin/curl"));
    assert_eq!(process.entity_id, child.entity_id);
    assert_eq!(process.parent_pid, 10);
    assert_eq!(process.start_ns, 2 * SECOND);
    assert_eq!(table.counters(), ProcessCounters::default());
}

#[test]
fn the_image_of_the_time_is_found() {
    let proc = FakeProc::new();
    let mut table = table(&proc);
    table.on_exec(&exec(9, SECOND, "/bin/bash", b"bash\0"));
    table.on_fork(&fork(10, 2 * SECOND, 9, SECOND));
    for (time, program) in [(3, "/bin/one"), (5, "/bin/two")] {
        let mut event = exec(10, 2 * SECOND, program, b"");
        event.time = time * SECOND;
        table.on_exec(&event);
    }
    for (time, expected) in [(0, "bash"), (2, "bash"), (3, "one"), (4, "one"), (5, "two")] {
        let found = table.lookup_at(&owner(10, 2 * SECOND), time * SECOND).unwrap();
        assert_eq!(&*found.image.name, expected, "at {time}");
    }
    assert_eq!(name(&mut table, 10, 2 * SECOND), "two");

    for step in 6..100 {
        let mut event = exec(10, 2 * SECOND, &format!("/bin/{step}"), b"");
        event.time = step * SECOND;
        table.on_exec(&event);
    }
    let oldest = table.lookup_at(&owner(10, 2 * SECOND), 0).unwrap();
    assert_eq!(&*oldest.image.name, "96", "only the last {IMAGES} images are kept");
}

#[test]
fn proc_is_believed_only_for_the_same_start() {
    let proc = FakeProc::new();
    proc.add(20, 150, "/usr/sbin/sshd", "/usr/sbin/sshd -D");
    let mut table = table(&proc);
    let process = table.lookup(&owner(20, 150 * TICK + 7)).unwrap();
    assert_eq!(process.image.args, ["/usr/sbin/sshd", "-D"]);
    assert_eq!(process.image.working_directory.as_deref(), Some("/srv"));
    assert_eq!(process.start_ns, 150 * TICK + 7, "the kernel is more exact");
    assert_eq!(process.created, table.clock.wall(150 * TICK + 7));

    // The pid has been given to another process since.
    let before = table.lookup(&owner(20, 100 * TICK)).unwrap();
    assert_eq!(&*before.image.name, "short");
    assert!(before.image.args.is_empty());
    assert_ne!(before.entity_id, process.entity_id);
    let counters = table.counters();
    assert_eq!((counters.read_late, counters.unresolved), (1, 1));
    assert_eq!(table.lookup(&owner(0, 0)), None);
}

#[test]
fn arguments_that_were_not_there_yet_are_asked_for_once_more() {
    let proc = FakeProc::new();
    proc.add(20, 150, "/usr/sbin/sshd", "/usr/sbin/sshd -D");
    let cmdline = proc.path().join("20/cmdline");
    let whole = std::fs::read(&cmdline).unwrap();
    std::fs::write(&cmdline, b"").unwrap();
    let mut table = table(&proc);
    table.on_exec(&exec(20, 150 * TICK, "/usr/sbin/sshd", b""));
    std::fs::write(&cmdline, &whole).unwrap();
    let process = table.lookup(&owner(20, 150 * TICK)).unwrap();
    assert_eq!(process.image.args, ["/usr/sbin/sshd", "-D"]);

    // Programs may have none: they are not asked about each time.
    table.on_exec(&exec(20, 150 * TICK, "/usr/sbin/sshd", b""));
    std::fs::write(&cmdline, b"").unwrap();
    assert!(table.lookup(&owner(20, 150 * TICK)).unwrap().image.args.is_empty());
    std::fs::write(&cmdline, whole).unwrap();
    assert!(table.lookup(&owner(20, 150 * TICK)).unwrap().image.args.is_empty());
}

#[test]
fn a_scan_finds_processes_and_gives_the_ids_that_records_give() {
    let proc = FakeProc::new();
    proc.add(1, 1, "/sbin/init", "/sbin/init");
    proc.add(20, 150, "/usr/sbin/sshd", "/usr/sbin/sshd");
    std::fs::create_dir(proc.path().join("sys")).unwrap();
    let mut scanned = table(&proc);
    assert_eq!(scanned.scan_proc().unwrap(), 2);
    assert_eq!(scanned.len(), 2);
    proc.remove(20);
    let old = scanned.lookup(&owner(20, 150 * TICK + 99)).unwrap();
    assert_eq!(&*old.image.name, "sshd");
    assert_eq!(old.cgroup_path.as_deref(), Some("/user.slice"));

    let mut recorded = table(&FakeProc::new());
    recorded.on_exec(&exec(20, 150 * TICK + 99, "/usr/sbin/sshd", b"/usr/sbin/sshd\0"));
    let new = recorded.lookup(&owner(20, 150 * TICK + 99)).unwrap();
    assert_eq!(old.entity_id, new.entity_id);
    // Both know the start by the kernel's word, so that documents show the same.
    assert_eq!(old.start_ns, new.start_ns);

    // A record that is older than the scan changes nothing.
    scanned.on_fork(&fork(1, TICK, 0, 0));
    assert_eq!(name(&mut scanned, 1, TICK), "init");
}

#[test]
fn a_scan_without_proc_says_what_to_do() {
    let proc = FakeProc::new();
    let mut table = table(&proc);
    table.proc = Proc::new(Path::new("/nonexistent"));
    table.proc_root = "/nonexistent".into();
    let message = table.scan_proc().unwrap_err().to_string();
    assert!(message.contains("/nonexistent") && message.contains("mount proc"), "{message}");
}

#[test]
fn children_of_unseen_parents() {
    let proc = FakeProc::new();
    proc.add(30, 100, "/usr/bin/make", "make -j");
    proc.add(32, 300, "/usr/bin/cc", "cc -c x.c");
    let mut table = table(&proc);
    table.on_fork(&fork(31, 200 * TICK, 30, 100 * TICK));
    assert_eq!(name(&mut table, 31, 200 * TICK), "make");
    // The parent is gone, or its pid is another's by now.
    table.on_fork(&fork(32, 300 * TICK, 30, 99 * TICK));
    assert_eq!(name(&mut table, 32, 300 * TICK), "cc");
    table.on_fork(&fork(33, 300 * TICK, 30, 99 * TICK));
    assert_eq!(name(&mut table, 33, 300 * TICK), "short");
}

#[test]
fn containers() {
    let proc = FakeProc::new();
    let path = format!("/system.slice/docker-{ID}.scope");
    let [id, runtime] = proc.mount_cgroups([&path, "/system.slice/docker.service"]);
    proc.add(40, 100, "/usr/bin/app", "app");
    proc.set_cgroup(40, &format!("0::{path}\n"));
    let mut table = table(&proc);
    table.on_exec(&ExecEvent { cgroup: id, ..exec(40, 100 * TICK, "/usr/bin/app", b"app\0") });
    let found = table.lookup(&owner(40, 100 * TICK)).unwrap();
    let container = found.container.clone().unwrap();
    assert_eq!((&*container.id, container.runtime), (ID, Some("docker")));
    assert_eq!(found.cgroup_id, id);

    // The container and its short-lived child are gone before the child's record is read.
    std::fs::remove_dir(proc.path().join("cgroup2").join(&path[1..])).unwrap();
    table.on_exec(&ExecEvent { cgroup: id, ..exec(41, 200 * TICK, "/bin/date", b"date\0") });
    let found = table.lookup(&owner(41, 200 * TICK)).unwrap();
    assert_eq!(found.container.as_deref(), Some(&*container));
    // One that no record reported, known by its owner alone.
    let found = table.lookup(&Owner { cgroup: id, ..owner(42, 300 * TICK) }).unwrap();
    assert_eq!(found.container.as_deref(), Some(&*container));

    // Executed by the runtime outside, then moved into the container, then read from /proc.
    proc.add(43, 400, "/usr/bin/runc", "runc init");
    proc.set_cgroup(43, &format!("0::{path}\n"));
    let moved = ExecEvent { cgroup: runtime, ..exec(43, 400 * TICK, "/usr/bin/runc", b"runc\0") };
    table.on_exec(&moved);
    let found = table.lookup(&Owner { cgroup: id, ..owner(43, 400 * TICK) }).unwrap();
    assert_eq!(found.container.as_deref(), Some(&*container));
    // That must not have put the runtime itself into it.
    let found = table.lookup(&Owner { cgroup: runtime, ..owner(44, 401 * TICK) }).unwrap();
    assert_eq!(found.container, None);
    assert_eq!(found.cgroup_path.as_deref(), Some("/system.slice/docker.service"));
}

#[test]
fn processes_that_are_gone_are_dropped_after_the_grace_time() {
    let proc = FakeProc::new();
    let options = TableOptions { keep_exited: 1, ..TableOptions::default() };
    let mut table = table_with(&proc, options);
    for pid in 1..=3 {
        table.on_exec(&exec(pid, SECOND, "/bin/x", b"x\0"));
        table.on_exit(&exit(pid, SECOND, 2 * SECOND));
        table.on_exit(&exit(pid, SECOND, 2 * SECOND));
    }
    table.expire(122 * SECOND);
    assert_eq!(table.len(), 3, "within the grace time");
    table.expire(122 * SECOND + 1);
    assert_eq!(table.len(), 1, "the latest is kept");
    assert_eq!(name(&mut table, 3, SECOND), "x");
    assert_eq!(name(&mut table, 1, SECOND), "short");
    assert_eq!(table.counters().evicted_exited, 0, "nothing was dropped early");
}

#[test]
fn a_full_table_drops_the_gone_first_and_then_the_least_used() {
    let proc = FakeProc::new();
    let mut table = table_with(&proc, TableOptions { capacity: 3, ..TableOptions::default() });
    for pid in 1..=3 {
        table.on_exec(&exec(pid, SECOND, "/bin/x", b"x\0"));
    }
    table.on_exit(&exit(2, SECOND, SECOND));
    table.on_exec(&exec(4, SECOND, "/bin/x", b"x\0"));
    assert_eq!((table.len(), table.counters().evicted_exited), (3, 1));
    assert_eq!(name(&mut table, 1, SECOND), "x", "used: not the next to go");
    table.on_exec(&exec(5, SECOND, "/bin/x", b"x\0"));
    assert_eq!((table.len(), table.counters().evicted_running), (3, 1));
    assert_eq!(name(&mut table, 1, SECOND), "x");
    assert_eq!(table.counters().unresolved, 0);
    assert_eq!(name(&mut table, 3, SECOND), "short", "the least used has gone");
}

#[test]
fn a_real_child() {
    let mut table = ProcessTable::new(TableOptions::default(), Clock::now(), "machine");
    let mut child = Command::new("cat")
        .arg("-")
        .current_dir("/usr")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The kernel reports the exec before the new arguments can be read: wait until it runs.
    let mut echo = [0];
    child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut echo).unwrap();
    let pid = child.id();
    let snapshot = Proc::new(Path::new("/proc")).read(pid).unwrap();
    let start = table.ticks.to_nanos(snapshot.start_ticks) + 1;
    let process = table.lookup(&owner(pid, start)).unwrap();
    assert_eq!(process.image.args, ["cat", "-"]);
    assert_eq!(&*process.image.name, "cat");
    assert_eq!(process.image.working_directory.as_deref(), Some("/usr"));
    assert_eq!(process.parent_pid, std::process::id());
    assert!(process.image.executable.as_deref().is_some_and(|path| path.starts_with('/')));

    // A table of the next run of the agent gives the same id.
    let mut next = ProcessTable::new(TableOptions::default(), Clock::now(), "machine");
    assert!(next.scan_proc().unwrap() >= 2);
    assert_eq!(next.lookup(&owner(pid, start)).unwrap().entity_id, process.entity_id);
    assert_eq!(next.counters().read_late, 0, "the scan had it");
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn processes_by_pid_alone() {
    let proc = FakeProc::new();
    proc.add(7, 100, "/bin/one", "one");
    let mut table = table(&proc);
    let at = |ticks: u64| ticks * TICK;
    assert_eq!(table.with_pid(8, at(200)), None);
    let one = table.with_pid(7, at(200)).unwrap();
    assert_eq!((one.pid, &*one.image.name), (7, "one"));
    assert_eq!(table.with_pid(7, at(50)), None, "it had not begun");
    // The kernel's time may be a little early.
    assert_eq!(table.with_pid(7, at(99)).as_ref(), Some(&one));

    // Moved into a container, as a runtime does with what it starts.
    proc.set_cgroup(7, &format!("0::/docker/{ID}\n"));
    let one = table.with_pid(7, at(200)).unwrap();
    assert_eq!(one.container.as_ref().map(|it| &*it.id), Some(ID));

    // Gone for a moment, and for longer than its number may stay unused.
    proc.remove(7);
    assert_eq!(table.with_pid(7, at(201)).as_ref(), Some(&one));
    assert_eq!(table.with_pid(7, at(201) + 3 * SECOND), None);
    // The next with that number.
    proc.add(7, 300, "/bin/two", "two");
    let two = table.with_pid(7, at(301)).unwrap();
    assert_eq!(&*two.image.name, "two");
    assert_ne!(two.entity_id, one.entity_id);
    assert_eq!(table.with_pid(7, at(250)), None, "the number is another's now");

    // Where the kernel reports processes, those that /proc never showed are known as well.
    proc.remove(7);
    table.scan_proc().unwrap();
    table.on_exec(&exec(9, SECOND, "/bin/short", b"short\0"));
    table.on_exit(&exit(9, SECOND, SECOND + 1));
    assert_eq!(&*table.with_pid(9, SECOND + 1).unwrap().image.name, "short");
    assert_eq!(table.with_pid(9, SECOND / 2), None);
}

#[test]
fn without_records_few_processes_are_kept() {
    let proc = FakeProc::new();
    let mut table = table(&proc);
    for pid in 1..=UNFED as u32 + 10 {
        proc.add(pid, 100, "/bin/x", "x");
        assert!(table.with_pid(pid, SECOND * 2).is_some());
    }
    assert_eq!((table.len(), table.newest.len()), (UNFED, UNFED));
}
