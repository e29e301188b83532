//! Processes that come, change and go.

use std::collections::HashMap;

use socket_common::{
    ARGS_MAX, DATA_MAX, ExecEvent, ExitEvent, ForkEvent, Header, NAME_MAX, Owner, kind,
};

use super::{
    aggregate::Context,
    decode::Values,
    probe::{ARGUMENT_WORDS, Field, Task},
    tasks::TaskTable,
};
use crate::Event;

/// Who comes and goes, as the probes report it; where these cannot be had, as perf and `/proc` do.
#[derive(Debug)]
pub(super) struct Processes {
    /// Whether there are probes for processes.
    probed: bool,
    /// Paths of images that are about to be executed, by thread.
    paths: HashMap<u32, Vec<u8>>,
    /// Images of which the path was told and nothing else.
    missed: u64,
}

impl Processes {
    pub(super) fn new(probed: bool) -> Self {
        Self { probed, paths: HashMap::new(), missed: 0 }
    }

    /// Images that the probe has missed, of which a tracepoint told the path: noticed when the thread
    /// executes again, or ends.
    pub(super) fn missed(&self) -> u64 {
        self.missed
    }

    /// Remembers the path until the probe reports the rest.
    fn begins(&mut self, tid: u32, path: &[u8]) {
        self.missed += u64::from(self.paths.insert(tid, path.to_vec()).is_some());
    }

    /// Forgets a thread that ends.
    fn ends(&mut self, tid: u32) {
        self.missed += u64::from(self.paths.remove(&tid).is_some());
    }

    /// A process began, as perf reports it.
    pub(super) fn forked(
        &mut self,
        (pid, parent): (u32, u32),
        now: u64,
        tasks: &mut TaskTable,
    ) -> Option<Event> {
        if self.probed {
            return None;
        }
        let model = tasks.known(parent).unwrap_or_default();
        let child = Owner { pid, tid: pid, start: now, ..model };
        let child = tasks.refresh(pid, child);
        Some(Event::Fork(ForkEvent {
            header: Header { kind: kind::FORK, length: 0 },
            start: child.start,
            parent_start: model.start,
            pid,
            parent,
        }))
    }

    /// The first thread of a process ended, as perf reports it.
    pub(super) fn ended(&mut self, pid: u32, now: u64, tasks: &mut TaskTable) -> Option<Event> {
        if self.probed {
            return None;
        }
        let start = tasks.remembered(pid)?.start;
        let header = Header { kind: kind::EXIT, length: 0 };
        Some(Event::Exit(ExitEvent { header, start, time: now, pid, code: 0 }))
    }
}

/// A process that has a new image, as far as `/proc` shows it.
fn read_exec(path: &[u8], context: Context, tasks: &mut TaskTable) -> Event {
    let pid = context.pid;
    let before = tasks.known(pid).unwrap_or_default();
    let owner = tasks.refresh(pid, Owner { pid, ..before });
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    Event::Exec(Box::new(exec(&owner, path, &arguments, arguments.len(), 0, context.now)))
}

#[expect(clippy::cast_possible_truncation, reason = "values are as wide as their fields")]
impl Processes {
    /// Takes in a record about a process. Returns what the table of processes is to know.
    pub(super) fn take(
        &mut self,
        change: Task,
        values: &Values<'_>,
        context: Context,
        tasks: &mut TaskTable,
    ) -> Option<Event> {
        let get = |field| values.get(field);
        match change {
            Task::Fork => fork(values, tasks),
            Task::ExecPath => {
                let path = values.layout.text(values.raw, Field::Filename);
                if !self.probed {
                    return Some(read_exec(path, context, tasks));
                }
                self.begins(context.tid, path);
                None
            }
            Task::Exec => Some(self.executed(values, context, tasks)),
            Task::Exit => {
                self.ends(context.tid);
                if get(Field::Dead) as u32 == 0 {
                    return None;
                }
                Some(Event::Exit(ExitEvent {
                    header: Header { kind: kind::EXIT, length: 0 },
                    start: values.started(),
                    time: context.now,
                    pid: get(Field::Tgid) as u32,
                    code: get(Field::ExitCode) as u32,
                }))
            }
            Task::Credentials => {
                tasks.change(context.pid, |owner| {
                    owner.uid = get(Field::Uid) as u32;
                    owner.gid = get(Field::Gid) as u32;
                    owner.euid = get(Field::Euid) as u32;
                    owner.egid = get(Field::Egid) as u32;
                });
                None
            }
            Task::Moved => {
                // Hierarchy 0 is that of cgroup v2.
                if get(Field::DstRoot) == 0 {
                    tasks.change(get(Field::Pid) as u32, |owner| owner.cgroup = get(Field::DstId));
                }
                None
            }
        }
    }

    /// A process has executed a program, whose path has been noted before.
    fn executed(&mut self, values: &Values<'_>, context: Context, tasks: &mut TaskTable) -> Event {
        let get = |field| values.get(field);
        let owner = owner(values);
        tasks.set(owner);
        // The thread that executes takes the process's id.
        let path = self.paths.remove(&context.tid).unwrap_or_default();
        let total = get(Field::ArgEnd).wrapping_sub(get(Field::ArgStart)) as u32 as usize;
        let carried = values.layout.bytes(values.raw, Field::Arguments, 8 * ARGUMENT_WORDS);
        let parent = get(Field::Parent) as u32;
        let event = exec(&owner, &path, carried, total, parent, context.now);
        Event::Exec(Box::new(event))
    }
}

/// The event of a new process; `None` for a thread.
#[expect(clippy::cast_possible_truncation, reason = "values are as wide as their fields")]
fn fork(values: &Values<'_>, tasks: &mut TaskTable) -> Option<Event> {
    let get = |field| values.get(field);
    let (pid, tgid) = (get(Field::Pid) as u32, get(Field::Tgid) as u32);
    if pid != tgid {
        return None;
    }
    tasks.set(owner(values));
    Some(Event::Fork(ForkEvent {
        header: Header { kind: kind::FORK, length: 0 },
        start: values.started(),
        parent_start: values.parent_started(),
        pid,
        parent: get(Field::Parent) as u32,
    }))
}

/// Everything that a record says of a task's process.
#[expect(clippy::cast_possible_truncation, reason = "values are as wide as their fields")]
fn owner(values: &Values<'_>) -> Owner {
    let get = |field| values.get(field);
    Owner {
        start: values.started(),
        cgroup: get(Field::Cgroup),
        pid: get(Field::Tgid) as u32,
        tid: get(Field::Pid) as u32,
        uid: get(Field::Uid) as u32,
        gid: get(Field::Gid) as u32,
        euid: get(Field::Euid) as u32,
        egid: get(Field::Egid) as u32,
        comm: [get(Field::Comm), get(Field::CommLow)],
    }
}

/// The record of an image; `total` is the length of the arguments of which `carried` is the beginning.
fn exec(
    owner: &Owner,
    path: &[u8],
    carried: &[u8],
    total: usize,
    parent: u32,
    now: u64,
) -> ExecEvent {
    let small = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let length = total.min(carried.len()).min(ARGS_MAX);
    let path = &path[..path.len().min(NAME_MAX - 1)];
    let before = path.len() + 1;
    let mut event = ExecEvent {
        header: Header { kind: kind::EXEC, length: small(before + length) },
        start: owner.start,
        time: now,
        cgroup: owner.cgroup,
        pid: owner.pid,
        parent,
        uid: owner.uid,
        gid: owner.gid,
        euid: owner.euid,
        egid: owner.egid,
        args_total: small(total),
        args_length: small(length),
        filename_length: small(before),
        executable_length: 0,
        directory_length: 0,
        cgroup_length: 0,
        flags: 0,
        reserved: 0,
        data: [0; DATA_MAX],
    };
    event.data[..path.len()].copy_from_slice(path);
    event.data[before..before + length].copy_from_slice(&carried[..length]);
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_the_probe_does_not_tell_of_are_counted() {
        let mut processes = Processes::new(true);
        processes.begins(7, b"/bin/one");
        assert_eq!(processes.paths.remove(&7).as_deref(), Some(&b"/bin/one"[..]));
        processes.ends(7);
        assert_eq!(processes.missed(), 0);
        processes.begins(7, b"/bin/two");
        processes.begins(7, b"/bin/three");
        assert_eq!(processes.missed(), 1);
        processes.ends(7);
        assert_eq!(processes.missed(), 2);
    }
}
