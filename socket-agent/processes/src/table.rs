//! The processes that are known, and how they come and go.

use linux::procfs::{Proc, Snapshot};
use std::{
    collections::{HashMap, VecDeque},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use lru::LruCache;
use socket_common::{ExecEvent, ExitEvent, ForkEvent, Owner};

use super::{
    Container, Identity, Image, Key, Process, ProcessCounters, ScanError, TableOptions, Ticks,
    cgroup::Cgroups, entry::ProcessEntry, exec::ExecParts,
};
use linux::clock::Clock;

/// How long executing a program takes on a busy machine.
const EXEC: u64 = 200_000_000;
/// How long a process that `/proc` has no more is still meant by its pid.
const MEMORY: u64 = 1_000_000_000;
/// Processes that are kept where no record says that they are gone.
const UNFED: usize = 1_024;
/// Times of other sources are this much too early at most: the kernel stamps audit records with the
/// time of its last tick.
const SLACK: u64 = 20_000_000;

/// Processes by pid and start time. Records must be given in the order of the ring.
#[derive(Debug)]
pub struct ProcessTable {
    options: TableOptions,
    clock: Clock,
    ticks: Ticks,
    identity: Identity,
    proc_root: PathBuf,
    proc: Proc,
    cgroups: Cgroups,
    entries: LruCache<Key, ProcessEntry>,
    /// The process that has each pid, or had it last.
    newest: HashMap<u32, Newest>,
    /// Whether the kernel's records of processes come.
    fed: bool,
    /// Exit times, boottime nanoseconds, in order.
    exits: VecDeque<(u64, Key)>,
    counters: ProcessCounters,
}

/// The latest process with a pid.
#[derive(Clone, Copy, Debug)]
struct Newest {
    key: Key,
    /// Time of the latest event of it that was looked up, boottime nanoseconds.
    seen: u64,
}

// === impl ProcessTable ===

impl ProcessTable {
    /// An empty table of this host. `machine_id` may be empty; entity ids then differ per boot only.
    pub fn new(options: TableOptions, clock: Clock, machine_id: &str) -> Self {
        let proc = Path::new("/proc");
        let identity = Identity::of_this_boot(machine_id, proc);
        Self::of(options, clock, identity, Ticks::of_this_host(), proc)
    }

    fn of(
        options: TableOptions,
        clock: Clock,
        identity: Identity,
        ticks: Ticks,
        proc: &Path,
    ) -> Self {
        Self {
            options,
            clock,
            ticks,
            identity,
            proc_root: proc.to_owned(),
            proc: Proc::new(proc),
            cgroups: Cgroups::of_this_host(proc),
            entries: LruCache::unbounded(),
            newest: HashMap::new(),
            fed: false,
            exits: VecDeque::new(),
            counters: ProcessCounters::default(),
        }
    }

    /// Reads the processes there are and returns how many. Call it once the kernel side reports new
    /// ones, so that none falls in between.
    pub fn scan_proc(&mut self) -> Result<usize, ScanError> {
        let pids = self
            .proc
            .pids()
            .map_err(|source| ScanError { path: self.proc_root.clone(), source })?;
        self.fed = true;
        let mut found = 0;
        for pid in pids {
            let Some(snapshot) = self.proc.read(pid) else { continue };
            let key = Key { pid, start_ticks: snapshot.start_ticks };
            if !self.entries.contains(&key) {
                let process = self.process_of(key, &snapshot);
                self.insert(key, ProcessEntry::new(process));
            }
            found += 1;
        }
        Ok(found)
    }

    /// No more records of the kernel come: from now on a pid is whose `/proc` says it is.
    pub fn feeds_no_more(&mut self) {
        self.fed = false;
    }

    /// A process replaced its image. `/proc` is asked only for what the record lacks.
    pub fn on_exec(&mut self, event: &ExecEvent) {
        let key = self.key(event.pid, event.start);
        let parts = ExecParts::of(event);
        let lacks_something = parts.executable.is_none()
            || parts.directory.is_none()
            || parts.args_cut
            || (parts.cgroup.is_none() && parts.legacy_cgroup.is_none());
        let snapshot = if lacks_something { self.read(key) } else { None };
        let image = Image::from_exec(&parts, snapshot.as_ref());
        self.counters.args_truncated += u64::from(image.args_truncated);
        let before = self.entries.get(&key).and_then(ProcessEntry::current).cloned();

        let mut process = self.process(key, event.start, event.parent, Arc::new(image));
        process.image_since = event.time;
        if let Some(before) = &before {
            process.cgroup_path.clone_from(&before.cgroup_path);
            process.container.clone_from(&before.container);
        }
        self.set_cgroup_of_exec(&mut process, event, &parts, snapshot.as_ref());
        match self.entries.get_mut(&key) {
            Some(entry) => entry.replace_image(process),
            None => self.insert(key, ProcessEntry::new(process)),
        }
    }

    /// A process was created. It runs its parent's image until it replaces it.
    pub fn on_fork(&mut self, event: &ForkEvent) {
        let key = self.key(event.pid, event.start);
        if self.entries.contains(&key) {
            return; // Read from /proc meanwhile, which is not older than this record.
        }
        let parent = self.key(event.parent, event.parent_start);
        let Some(model) = self.known_or_read(parent) else {
            if let Some(snapshot) = self.read(key) {
                let process = self.process_of(key, &snapshot);
                self.insert(key, ProcessEntry::new(process));
            }
            return;
        };
        let fresh = self.process(key, event.start, event.parent, model.image.clone());
        let child = Process {
            cgroup_id: model.cgroup_id,
            cgroup_path: model.cgroup_path.clone(),
            container: model.container.clone(),
            ..fresh
        };
        self.insert(key, ProcessEntry::new(child));
    }

    /// A process is gone. It is kept for a while.
    pub fn on_exit(&mut self, event: &ExitEvent) {
        let key = self.key(event.pid, event.start);
        if let Some(entry) = self.entries.peek_mut(&key)
            && !entry.exited
        {
            entry.exited = true;
            self.exits.push_back((event.time, key));
        }
        self.expire(event.time);
    }

    /// Drops processes that have been gone for longer than the grace time. `now` is boottime.
    pub fn expire(&mut self, now: u64) {
        let grace = u64::try_from(self.options.grace.as_nanos()).unwrap_or(u64::MAX);
        while self.exits.len() > self.options.keep_exited
            && self.exits.front().is_some_and(|(time, _)| time.saturating_add(grace) < now)
        {
            self.drop_oldest_exited();
        }
    }

    /// The process behind a socket, as it is now; `None` if the owner has no pid.
    ///
    /// From the table; else from `/proc`, if the process there started at the same time; else with
    /// no more than the owner says.
    pub fn lookup(&mut self, owner: &Owner) -> Option<Arc<Process>> {
        self.lookup_at(owner, u64::MAX)
    }

    /// As [`lookup`](Self::lookup), but with the image that the process had at a time, boottime
    /// nanoseconds. For a flow that is its last packet: a shell that connects, closes and then
    /// executes something else is named as the shell.
    pub fn lookup_at(&mut self, owner: &Owner, time: u64) -> Option<Arc<Process>> {
        if owner.pid == 0 {
            return None;
        }
        let key = self.key(owner.pid, owner.start);
        if !self.entries.contains(&key) {
            self.admit(key, owner);
        }
        self.correct(key, owner);
        self.complete(key);
        self.entries.get(&key)?.at(time).cloned()
    }

    /// The process that had this pid at a time, boottime nanoseconds, for sources that tell no start
    /// time: from the table where the kernel's records feed it, else as `/proc` has it now. `None`
    /// if it is gone, or if the pid is another's now.
    pub fn with_pid(&mut self, pid: u32, time: u64) -> Option<Arc<Process>> {
        let latest = time.saturating_add(SLACK);
        let started = |key: &Key| self.ticks.to_nanos(key.start_ticks) <= latest;
        let newest = self.newest.get(&pid).copied().filter(|newest| started(&newest.key));
        let key = if self.fed
            && let Some(newest) = newest
        {
            newest.key
        } else if let Some(start_ticks) = self.proc.start_ticks(pid) {
            Some(Key { pid, start_ticks }).filter(started)?
        } else {
            // Gone: it was alive a moment ago, too short for its number to be another's since.
            newest.filter(|newest| latest.saturating_sub(newest.seen) <= MEMORY)?.key
        };
        let known = self.entries.contains(&key);
        self.known_or_read(key)?;
        if known && !self.fed {
            self.follow(key);
        }
        if let Some(newest) = self.newest.get_mut(&pid).filter(|newest| newest.key == key) {
            newest.seen = newest.seen.max(time);
        }
        while !self.fed && self.entries.len() > UNFED {
            if let Some((key, _)) = self.entries.pop_lru() {
                self.forget(key);
            }
        }
        // An exec has the time of its beginning, and the program that of its end.
        self.entries.get(&key)?.at(time.saturating_add(EXEC)).cloned()
    }

    /// Where no record reports it, a process may have been moved into a container meanwhile.
    fn follow(&mut self, key: Key) {
        let text = self.proc.cgroup(key.pid);
        let (container, path) = Container::from_proc_cgroup(&text);
        let Some(newest) = self.entries.peek_mut(&key).and_then(|entry| entry.images.last_mut())
        else {
            return;
        };
        if path.is_some() && newest.cgroup_path.as_deref() != path {
            let mut process = Process::clone(newest);
            process.container = container.map(Arc::new);
            process.cgroup_path = path.map(Arc::from);
            *newest = Arc::new(process);
        }
    }

    /// A process that runs, by pid and start in clock ticks after boot; `None` if it is gone.
    pub fn running(&mut self, pid: u32, start_ticks: u64) -> Option<Arc<Process>> {
        self.known_or_read(Key { pid, start_ticks })
    }

    /// Start times of processes that become known from now on are converted with this clock.
    pub fn set_clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    /// Counters so far.
    pub fn counters(&self) -> ProcessCounters {
        self.counters
    }

    /// Number of processes held.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the table has no processes.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn key(&self, pid: u32, start: u64) -> Key {
        Key { pid, start_ticks: self.ticks.of_nanos(start) }
    }

    fn read(&self, key: Key) -> Option<Snapshot> {
        self.proc.read(key.pid).filter(|snapshot| snapshot.start_ticks == key.start_ticks)
    }

    fn known_or_read(&mut self, key: Key) -> Option<Arc<Process>> {
        if !self.entries.contains(&key) {
            let snapshot = self.read(key)?;
            let process = self.process_of(key, &snapshot);
            self.insert(key, ProcessEntry::new(process));
        }
        self.entries.get(&key)?.current().cloned()
    }

    /// Takes in an owner of whom no record was seen.
    fn admit(&mut self, key: Key, owner: &Owner) {
        if let Some(snapshot) = self.read(key) {
            self.counters.read_late += 1;
            let process = self.process_of(key, &snapshot);
            self.insert(key, ProcessEntry::new(process));
        } else {
            self.counters.unresolved += 1;
            let image = Arc::new(Image::from_comm(&owner.comm_bytes()));
            let process = self.process(key, owner.start, 0, image);
            self.insert(key, ProcessEntry { exited: true, ..ProcessEntry::new(process) });
            self.exits.push_back((Clock::boottime(), key));
        }
    }

    /// What the kernel says of an owner is more exact than `/proc`, and newer.
    fn correct(&mut self, key: Key, owner: &Owner) {
        let Some(current) = self.entries.peek(&key).and_then(ProcessEntry::current) else { return };
        let cut = current.start_ns == self.ticks.to_nanos(key.start_ticks);
        let finer = cut && owner.start != current.start_ns;
        let moved = owner.cgroup != 0 && owner.cgroup != current.cgroup_id;
        if !finer && !moved {
            return;
        }
        let mut process = Process::clone(current);
        if finer {
            process.start_ns = owner.start;
            process.created = self.clock.wall(owner.start);
        }
        if moved {
            self.set_cgroup_by_id(&mut process, owner.cgroup);
        }
        if let Some(newest) = self.entries.peek_mut(&key).and_then(|entry| entry.images.last_mut())
        {
            *newest = Arc::new(process);
        }
    }

    /// Reads the arguments of an image that had none when it was read, while it began: once.
    fn complete(&mut self, key: Key) {
        let Some(entry) = self.entries.peek_mut(&key) else { return };
        let image = entry.current().map(|process| &process.image);
        let bare = image.is_some_and(|it| it.args.is_empty() && it.executable.is_some());
        if !bare || entry.asked || entry.exited {
            return;
        }
        entry.asked = true;
        let Some(snapshot) = self.read(key) else { return };
        let image = Image::from_proc(&snapshot);
        let entry = self.entries.peek_mut(&key);
        if let Some(newest) = entry.and_then(|entry| entry.images.last_mut())
            && newest.image.executable == image.executable
        {
            *newest = Arc::new(Process { image: Arc::new(image), ..Process::clone(newest) });
        }
    }

    fn process_of(&mut self, key: Key, snapshot: &Snapshot) -> Process {
        let image = Image::from_proc(snapshot);
        self.counters.args_truncated += u64::from(image.args_truncated);
        let start = self.ticks.to_nanos(key.start_ticks);
        let mut process = self.process(key, start, snapshot.parent, Arc::new(image));
        self.set_cgroup_of(&mut process, snapshot, 0);
        process
    }

    fn process(&self, key: Key, start_ns: u64, parent_pid: u32, image: Arc<Image>) -> Process {
        Process {
            pid: key.pid,
            start_ns,
            created: self.clock.wall(start_ns),
            parent_pid,
            entity_id: self.identity.entity_id(key).into(),
            image,
            image_since: 0,
            cgroup_id: 0,
            cgroup_path: None,
            container: None,
        }
    }

    fn set_cgroup_of_exec(
        &mut self,
        process: &mut Process,
        event: &ExecEvent,
        parts: &ExecParts<'_>,
        snapshot: Option<&Snapshot>,
    ) {
        if let Some(path) = &parts.cgroup {
            process.cgroup_id = event.cgroup;
            process.cgroup_path = Some(self.cgroups.is(event.cgroup, path));
            process.container = Container::from_cgroup_path(path).map(Arc::new);
        } else if let Some(path) = &parts.legacy_cgroup {
            process.container = Container::from_cgroup_path(path).map(Arc::new);
            process.cgroup_path = Some(path.as_str().into());
            self.set_cgroup_by_id(process, event.cgroup);
        } else if let Some(snapshot) = snapshot {
            self.set_cgroup_of(process, snapshot, event.cgroup);
        } else {
            self.set_cgroup_by_id(process, event.cgroup);
        }
    }

    /// `id` is what the kernel said a moment ago, or 0. It is kept only if it is that of the path;
    /// else the owner of a flow brings the right one.
    fn set_cgroup_of(&mut self, process: &mut Process, snapshot: &Snapshot, id: u64) {
        let (container, path) = Container::from_proc_cgroup(&snapshot.cgroup);
        process.container = container.map(Arc::new);
        process.cgroup_path = path.map(Arc::from);
        let unified = snapshot.cgroup.lines().any(|line| line.starts_with("0::"));
        let same = unified && path.is_some_and(|path| self.cgroups.confirm(id, path));
        process.cgroup_id = if same { id } else { 0 };
    }

    /// A container found before stays where the id leads to none: on hosts with both kinds of
    /// hierarchies the old ones name it.
    fn set_cgroup_by_id(&mut self, process: &mut Process, id: u64) {
        let Some(path) = self.cgroups.path(id, Instant::now()) else { return };
        process.cgroup_id = id;
        if let Some(container) = Container::from_cgroup_path(&path) {
            process.container = Some(Arc::new(container));
        }
        process.cgroup_path = Some(path);
    }

    fn insert(&mut self, key: Key, entry: ProcessEntry) {
        while self.entries.len() >= self.options.capacity.max(1) {
            if self.exits.is_empty() {
                if let Some((key, _)) = self.entries.pop_lru() {
                    self.forget(key);
                }
                self.counters.evicted_running += 1;
            } else if self.drop_oldest_exited() {
                self.counters.evicted_exited += 1;
            }
        }
        let newest = self.newest.entry(key.pid).or_insert(Newest { key, seen: 0 });
        if newest.key.start_ticks < key.start_ticks {
            *newest = Newest { key, seen: 0 };
        }
        self.entries.put(key, entry);
    }

    fn forget(&mut self, key: Key) {
        if self.newest.get(&key.pid).is_some_and(|newest| newest.key == key) {
            self.newest.remove(&key.pid);
        }
    }

    fn drop_oldest_exited(&mut self) -> bool {
        let Some((_, key)) = self.exits.pop_front() else { return false };
        // An owner that was taken for gone may have shown itself alive.
        let exited = self.entries.peek(&key).is_some_and(|entry| entry.exited);
        if exited {
            self.entries.pop(&key);
            self.forget(key);
        }
        exited
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
