//! Processes that come, change and go.

use std::collections::HashMap;

use socket_common::{ARGS_MAX, ExecEvent, ExitEvent, FILENAME_MAX, ForkEvent, Header, Owner, kind};

use super::{
    aggregate::Context,
    decode::Values,
    probe::{ARGUMENT_WORDS, Field, Task},
    tasks::TaskTable,
};
use crate::sensor::Event;

/// Paths of images that are about to be executed, by thread.
#[derive(Debug, Default)]
pub(super) struct Processes {
    paths: HashMap<u32, Vec<u8>>,
}

#[expect(clippy::cast_possible_truncation, reason = "values are as wide as their fields")]
impl Processes {
    /// Takes in a record about a process. Returns what the table of processes is to know.
    pub(super) fn take(
        &mut self,
        told: Task,
        values: &Values<'_>,
        context: Context,
        tasks: &mut TaskTable,
    ) -> Option<Event> {
        let get = |field| values.get(field);
        match told {
            Task::Fork => {
                let (pid, tgid) = (get(Field::Pid) as u32, get(Field::Tgid) as u32);
                if pid != tgid {
                    return None;
                }
                tasks.set(owner(values));
                Some(Event::Fork(ForkEvent {
                    header: Header { kind: kind::FORK, length: 0 },
                    start: get(Field::Start),
                    parent_start: get(Field::ParentStart),
                    pid,
                    parent: get(Field::Parent) as u32,
                }))
            }
            Task::ExecPath => {
                let path = values.layout.text(values.raw, Field::Filename);
                self.paths.insert(context.tid, path.to_vec());
                None
            }
            Task::Exec => {
                let owner = owner(values);
                tasks.set(owner);
                // The thread that executes takes the process's id.
                let path = self.paths.remove(&context.tid).unwrap_or_default();
                Some(Event::Exec(Box::new(exec(values, &owner, &path, context.now))))
            }
            Task::Exit => {
                self.paths.remove(&context.tid);
                if get(Field::Dead) as u32 == 0 {
                    return None;
                }
                Some(Event::Exit(ExitEvent {
                    header: Header { kind: kind::EXIT, length: 0 },
                    start: get(Field::Start),
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
}

/// Everything that a record says of a task's process.
#[expect(clippy::cast_possible_truncation, reason = "values are as wide as their fields")]
fn owner(values: &Values<'_>) -> Owner {
    let get = |field| values.get(field);
    Owner {
        start: get(Field::Start),
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

#[expect(clippy::cast_possible_truncation, reason = "values are as wide as their fields")]
fn exec(values: &Values<'_>, owner: &Owner, path: &[u8], now: u64) -> ExecEvent {
    let total = values.get(Field::ArgEnd).wrapping_sub(values.get(Field::ArgStart)) as u32;
    let carried = values.layout.bytes(values.raw, Field::Arguments, 8 * ARGUMENT_WORDS);
    let length = (total as usize).min(carried.len());
    let mut event = ExecEvent {
        header: Header { kind: kind::EXEC, length: length as u32 },
        start: owner.start,
        time: now,
        cgroup: owner.cgroup,
        pid: owner.pid,
        parent: values.get(Field::Parent) as u32,
        uid: owner.uid,
        gid: owner.gid,
        euid: owner.euid,
        egid: owner.egid,
        args_total: total,
        filename_length: 0,
        filename: [0; FILENAME_MAX],
        args: [0; ARGS_MAX],
    };
    event.args[..length].copy_from_slice(&carried[..length]);
    let path = &path[..path.len().min(FILENAME_MAX - 1)];
    event.filename[..path.len()].copy_from_slice(path);
    event.filename_length = path.len() as u32 + 1;
    event
}
