//! `struct task_struct` and what hangs on it.

use std::cell::RefCell;

use super::{
    Guesses, WORD,
    credentials::{GROUPS, USERS},
    search::{matching_offsets, number, pointers},
    trial::{Hit, Spec, WORDS},
    trigger::{self, Begun},
};
use crate::tracefs::offsets::Member;

/// Pieces of the structure, of [`WORDS`] words each, that are looked at: what is searched for is in
/// its first half, where it is large at all.
const PIECES: usize = 8;
const PIECE: usize = 8 * WORDS;
/// Threads that are looked at.
const TRIES: usize = 4;
/// Words behind the process id among which the parent and the leader are.
const FAMILY: usize = 16;
/// Words before the name among which the credentials are.
const BEFORE_NAME: usize = 6;

impl Guesses<'_> {
    /// Ids, name, start, parent and leader of a task.
    pub(super) fn tasks(&mut self) -> Result<(), String> {
        let task = self.argument(0)?;
        let begun = RefCell::new(Vec::new());
        let action = || {
            begun.borrow_mut().push(trigger::thread(None)?);
            Ok(())
        };
        let (found, own) = self.trial(&pieces(task), action, |hits| {
            let wholes = wholes(hits, begun.borrow().len())?;
            Ok((members(&wholes, &begun.borrow())?, wholes))
        })?;
        let pid = found.pid;
        // The parent and the leader are told by their ids.
        let dumps: Vec<&[u8]> = own.iter().map(Vec::as_slice).collect();
        let near = pid as usize..pid as usize + 8 * FAMILY;
        let candidates: Vec<usize> = pointers(&dumps, size_of::<usize>())
            .into_iter()
            .filter(|at| near.contains(at))
            .collect();
        let mut spec = Spec::dump("wake_up_new_task", &[], task, 0);
        spec.memory =
            candidates.iter().map(|at| (format!("+{at}({task})"), pid.into(), 1)).collect();
        let (leader, parent) = self.trial(
            &[spec],
            || trigger::thread(None).map(drop),
            |hits| family(hits, &candidates),
        )?;
        self.note(Member::TaskPid, pid, 4);
        self.note(Member::TaskTgid, pid + 4, 4);
        self.note(Member::TaskComm, found.name, 16);
        self.note(Member::TaskLeader, leader, WORD);
        self.note(Member::TaskParent, parent, WORD);
        match found.start {
            Some(Start::Nanos(at)) => self.note(Member::TaskStart, at, 8),
            Some(Start::Seconds(at)) => self.note(Member::TaskStartSeconds, at, 8),
            None => {}
        }
        Ok(())
    }

    /// From a task to its credentials.
    pub(super) fn owners(&mut self) -> Result<(), String> {
        let task = self.argument(0)?;
        let at = |member| self.offsets.get(member).map(|place| place.offset);
        let (Some(name), Some(user)) = (at(Member::TaskComm), at(Member::CredUid)) else {
            return Err("tasks and credentials have to be known".into());
        };
        let word = size_of::<usize>() as u32;
        let candidates: Vec<u32> =
            (1..=BEFORE_NAME as u32).filter_map(|words| name.checked_sub(words * word)).collect();
        let mut spec = Spec::dump("wake_up_new_task", &[], task, 0);
        let behind = |at: &u32| (format!("+{at}({task})"), i64::from(user), 1);
        spec.memory = candidates.iter().map(behind).collect();
        // Nearest to the name come the credentials that count, then those that others see.
        let cred = self.trial(
            &[spec],
            || trigger::thread(Some((GROUPS, USERS))).map(drop),
            |hits| {
                let of_child = |index: usize| {
                    hits.len() >= 2 * TRIES
                        && seconds(hits, 0).all(|hit| {
                            let piece = hit.memory.get(index).map_or(&[][..], Vec::as_slice);
                            number(piece, 0, 4) == Some(USERS[0].into())
                        })
                };
                let found = (0..candidates.len()).find(|index| of_child(*index));
                found.map(|index| candidates[index]).ok_or_else(|| {
                    "no pointer before the name of a task leads to its user".to_owned()
                })
            },
        )?;
        self.note(Member::TaskCred, cred, WORD);
        Ok(())
    }

    /// From a task to the arguments in its memory.
    pub(super) fn arguments(&mut self) -> Result<(), String> {
        let task = self.argument(0)?;
        let ends = trigger::argument_ends().ok_or("/proc/self/stat does not tell them")?;
        let wanted = ends.map(usize::to_ne_bytes).concat();
        let begun = RefCell::new(0);
        let action = || {
            *begun.borrow_mut() += 1;
            trigger::thread(None).map(drop)
        };
        // A user's task has its memory twice, one behind the other: that it has, and that it uses.
        let candidates = self.trial(&pieces(task), action, |hits| {
            let wholes = wholes(hits, *begun.borrow())?;
            let dumps: Vec<&[u8]> = wholes.iter().map(Vec::as_slice).collect();
            let word = size_of::<usize>();
            let same = |at: &usize| {
                let value = |dump: &[u8], at| number(dump, at, word);
                let first = value(dumps[0], *at);
                dumps
                    .iter()
                    .all(|dump| value(dump, *at) == first && value(dump, at + word) == first)
            };
            Ok(pointers(&dumps, word).into_iter().filter(same).collect::<Vec<_>>())
        })?;
        for at in candidates {
            let spec = Spec::dump("wake_up_new_task", &[], &format!("+{at}({task})"), WORDS);
            let found = self.trial(
                &[spec],
                || trigger::thread(None).map(drop),
                |hits| {
                    let pairs: Vec<_> = hits.iter().map(|hit| (hit.dump(), &wanted[..])).collect();
                    if pairs.is_empty() {
                        Err("no thread was seen".into())
                    } else {
                        Ok(matching_offsets(&pairs, size_of::<usize>()))
                    }
                },
            )?;
            if let Some(start) = found.first().and_then(|at| u32::try_from(*at).ok()) {
                self.note(Member::TaskMm, u32::try_from(at).unwrap_or(0), WORD);
                self.note(Member::MmArgStart, start, WORD);
                self.note(Member::MmArgEnd, start + u32::from(WORD), WORD);
                return Ok(());
            }
        }
        Err("no pointer of a task leads to the place of its arguments".into())
    }
}

fn pieces(task: &str) -> Vec<Spec> {
    let piece = |index: usize| {
        let mut spec = Spec::dump("wake_up_new_task", &[], task, WORDS);
        spec.memory[0].1 = i64::try_from(index * PIECE).unwrap_or(0);
        spec
    };
    (0..PIECES).map(piece).collect()
}

/// Those hits that are of threads of interest: each was begun by one that was begun for that.
fn seconds(hits: &[Hit], spec: usize) -> impl Iterator<Item = &Hit> {
    hits.iter().filter(move |hit| hit.spec == spec).skip(1).step_by(2)
}

/// The pieces of each task put together, in the order of the tasks.
fn wholes(hits: &[Hit], tasks: usize) -> Result<Vec<Vec<u8>>, String> {
    let of = |spec: usize| hits.iter().filter(|hit| hit.spec == spec).count();
    if tasks < TRIES || (0..PIECES).any(|piece| of(piece) != 2 * tasks) {
        return Err(format!("{} of {} threads were seen", of(0), 2 * tasks));
    }
    let mut wholes = vec![Vec::new(); tasks];
    for piece in 0..PIECES {
        for (whole, hit) in wholes.iter_mut().zip(seconds(hits, piece)) {
            whole.extend_from_slice(hit.dump());
        }
    }
    Ok(wholes)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Members {
    pid: u32,
    name: u32,
    start: Option<Start>,
}

/// Where the boottime is at which a task started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// In nanoseconds: since 3.17.
    Nanos(u32),
    /// In seconds, and nanoseconds behind them.
    Seconds(u32),
}

fn members(wholes: &[Vec<u8>], begun: &[Begun]) -> Result<Members, String> {
    let find = |step: usize, value: &dyn Fn(&Begun) -> Vec<u8>| {
        let values: Vec<_> = begun.iter().map(value).collect();
        let pairs: Vec<_> = wholes.iter().zip(&values).map(|(w, v)| (&w[..], &v[..])).collect();
        matching_offsets(&pairs, step).first().and_then(|at| u32::try_from(*at).ok())
    };
    let me = std::process::id().to_ne_bytes();
    let pid = find(4, &|task| [task.tid.to_ne_bytes(), me].concat());
    let name = find(1, &|task| task.name.to_vec());
    Ok(Members {
        pid: pid.ok_or("the ids of a thread are nowhere")?,
        name: name.ok_or("the name of a thread is nowhere")?,
        start: start(wholes, begun),
    })
}

/// Where the time stands at which each thread began.
fn start(wholes: &[Vec<u8>], begun: &[Begun]) -> Option<Start> {
    let word = size_of::<usize>();
    // The monotonic time comes first; where no time was slept they are the same.
    let place = |size: usize, time: &dyn Fn(&[u8], usize) -> Option<u64>| {
        let started = |at: &usize| {
            let mut pairs = wholes.iter().zip(begun);
            pairs.all(|(whole, task)| time(whole, *at).is_some_and(|it| task.time.contains(&it)))
        };
        let all: Vec<usize> = (0..PIECES * PIECE).step_by(word).filter(started).collect();
        let second = all.iter().map(|at| at + size).find(|at| all.contains(at));
        second.or_else(|| all.first().copied()).and_then(|at| u32::try_from(at).ok())
    };
    let nanos = place(8, &|whole, at| number(whole, at, 8)).map(Start::Nanos);
    let seconds = || {
        let time = |whole: &[u8], at: usize| {
            let nanos = number(whole, at + 8, 8).filter(|nanos| *nanos < 1_000_000_000)?;
            number(whole, at, 8)?.checked_mul(1_000_000_000)?.checked_add(nanos)
        };
        place(16, &time).map(Start::Seconds)
    };
    nanos.or_else(seconds)
}

/// Which pointer leads to the leader of the thread's process, and which to the process's parent.
fn family(hits: &[Hit], candidates: &[usize]) -> Result<(u32, u32), String> {
    if hits.len() < TRIES {
        return Err("too few threads were seen".into());
    }
    let id = |hit: &Hit, index: usize, at: usize| {
        number(hit.memory.get(index).map_or(&[][..], Vec::as_slice), at, 4)
    };
    let (me, parent) =
        (u64::from(std::process::id()), u64::from(std::os::unix::process::parent_id()));
    let first = |is: &dyn Fn(&Hit, usize) -> bool| {
        let found = (0..candidates.len()).find(|index| hits.iter().all(|hit| is(hit, *index)));
        found.and_then(|index| u32::try_from(candidates[index]).ok())
    };
    let leader =
        first(&|hit, index| id(hit, index, 0) == Some(me) && id(hit, index, 4) == Some(me));
    let parent = first(&|hit, index| id(hit, index, 4) == Some(parent));
    leader.zip(parent).ok_or_else(|| "no pointers lead to the leader and to the parent".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads that began `apart` nanoseconds after each other.
    fn threads(apart: u64) -> Vec<Begun> {
        let thread = |n: u32| {
            let time = u64::from(n) * apart;
            Begun {
                tid: 4000 + n,
                name: *format!("sa-{n:012}\0").as_bytes().first_chunk().unwrap(),
                time: time + 5..=time + 900,
            }
        };
        (0..4).map(thread).collect()
    }

    /// A task with its ids at 700, its name at 900 and its start at 408, behind the monotonic one.
    fn task(begun: &Begun) -> Vec<u8> {
        let mut whole = vec![0; PIECES * PIECE];
        let mut put = |at: usize, bytes: &[u8]| whole[at..at + bytes.len()].copy_from_slice(bytes);
        put(700, &begun.tid.to_ne_bytes());
        put(704, &std::process::id().to_ne_bytes());
        put(900, &begun.name);
        put(400, &(begun.time.start() + 1).to_ne_bytes());
        put(408, &(begun.time.start() + 1).to_ne_bytes());
        whole
    }

    #[test]
    fn a_start_may_be_seconds_and_nanoseconds() {
        let begun = threads(1_500_000_000);
        let whole = |begun: &Begun| {
            let mut whole = task(begun);
            let start = begun.time.start() + 1;
            let [seconds, nanos] = [start / 1_000_000_000, start % 1_000_000_000];
            let both = [seconds.to_ne_bytes(), nanos.to_ne_bytes()].concat();
            whole[400..416].copy_from_slice(&both);
            whole[416..432].copy_from_slice(&both);
            whole
        };
        let wholes: Vec<_> = begun.iter().map(whole).collect();
        assert_eq!(members(&wholes, &begun).unwrap().start, Some(Start::Seconds(416)));
    }

    #[test]
    fn a_task_is_found_by_what_is_known_of_it() {
        let begun = threads(1_000_000);
        let wholes: Vec<_> = begun.iter().map(task).collect();
        let found = members(&wholes, &begun).unwrap();
        let start = Some(Start::Nanos(408));
        assert_eq!(found, Members { pid: 700, name: 900, start });
        let none = members(&[vec![0; PIECES * PIECE]], &begun[..1]).unwrap_err();
        assert_eq!(none, "the ids of a thread are nowhere");
    }
}
