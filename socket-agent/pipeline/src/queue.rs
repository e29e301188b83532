//! A bounded queue of batches that every output reads at its own speed.

mod backlog;

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use self::backlog::{Backlog, Waiting};
use crate::{
    Batch, Tap,
    batch::BatchBuilder,
    packed::{Damaged, Packed},
    publisher::Closed,
    tap::{TapSender, tap},
};

/// A batch is delivered once it has this size in bytes, without being asked for.
pub(crate) const FULL: usize = 64 << 10;

/// The queue. A batch stays in it until every output has settled all of its documents.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Bytes that may wait; who publishes more has to wait.
    limit: usize,
    /// There are batches, or no more will come.
    ready: Condvar,
    /// Something has been settled, or packed.
    settled: Condvar,
    /// There is something to pack, or no more will come.
    to_pack: Condvar,
}

#[derive(Debug)]
struct State {
    building: BatchBuilder,
    backlog: Backlog,
    /// Of each output, the number of the first batch that it has not settled; `None` for an output that
    /// takes nothing any more.
    readers: Vec<Option<u64>>,
    taps: Vec<TapSender>,
    /// Called once no output takes anything any more.
    at_end: AtEnd,
    /// When outputs give up what they cannot deliver; set when no more will come.
    deadline: Option<Instant>,
}

/// A function that is called at most once.
#[derive(Default)]
struct AtEnd(Option<Box<dyn FnOnce() + Send>>);

impl fmt::Debug for AtEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AtEnd").field(&self.0.is_some()).finish()
    }
}

// === impl Queue ===

impl Queue {
    /// A queue for so many outputs, with this limit in bytes.
    pub(crate) fn new(outputs: usize, limit: usize) -> Self {
        let state = State {
            building: BatchBuilder::default(),
            backlog: Backlog::new(limit),
            readers: vec![Some(0); outputs],
            taps: Vec::new(),
            at_end: AtEnd::default(),
            deadline: None,
        };
        Self {
            state: Mutex::new(state),
            limit,
            ready: Condvar::new(),
            settled: Condvar::new(),
            to_pack: Condvar::new(),
        }
    }

    /// Appends a document; how long that had to wait for capacity.
    ///
    /// # Errors
    ///
    /// No output takes documents any more.
    pub(crate) fn push(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<Duration, Closed> {
        let mut state = self.lock();
        let mut since = None;
        loop {
            if state.is_abandoned() {
                return Err(Closed);
            }
            if state.backlog.size() + state.building.size() < self.limit {
                break;
            }
            since.get_or_insert_with(Instant::now);
            // What is full must not wait for more to come.
            self.seal_in(&mut state);
            state = self.settled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.building.push(write);
        if state.building.size() >= FULL {
            self.seal_in(&mut state);
        }
        Ok(since.map_or(Duration::ZERO, |since| since.elapsed()))
    }

    /// Lets outputs have what has gathered, however little it is.
    pub(crate) fn seal(&self) {
        self.seal_in(&mut self.lock());
    }

    /// Bytes that wait.
    pub(crate) fn size(&self) -> usize {
        let state = self.lock();
        state.backlog.size() + state.building.size()
    }

    /// Waits for a batch by its number; `None` if there will be none.
    ///
    /// # Errors
    ///
    /// It was packed, and its memory was overwritten.
    pub(crate) fn batch(&self, number: u64) -> Option<Result<Arc<Batch>, Damaged>> {
        let mut state = self.lock();
        loop {
            match state.backlog.get(number).cloned() {
                Some(Waiting::Plain(batch) | Waiting::Incompressible(batch)) => {
                    return Some(Ok(batch));
                }
                Some(Waiting::Packed(packed)) => {
                    drop(state);
                    return Some(packed.unpack().map(Arc::new));
                }
                None => {}
            }
            if state.deadline.is_some() {
                return None;
            }
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Notes that an output has settled all documents of its next batch.
    pub(crate) fn settle(&self, output: usize) {
        self.lock_and_release(|state| {
            if let Some(Some(next)) = state.readers.get_mut(output) {
                *next += 1;
            }
        });
    }

    /// Notes that an output takes nothing any more: the others do not wait for it.
    pub(crate) fn abandon(&self, output: usize) {
        self.lock_and_release(|state| {
            if let Some(reader) = state.readers.get_mut(output) {
                *reader = None;
            }
        });
        self.report_end();
    }

    /// Has a function called once no output takes anything any more; at once if that is so already.
    pub(crate) fn at_end(&self, call: Box<dyn FnOnce() + Send>) {
        self.lock().at_end.0 = Some(call);
        self.report_end();
    }

    /// Whether there are outputs, and none takes anything any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.lock().is_abandoned()
    }

    fn report_end(&self) {
        let mut state = self.lock();
        let call = if state.is_abandoned() { state.at_end.0.take() } else { None };
        drop(state);
        if let Some(call) = call {
            call();
        }
    }

    /// Pauses an output after a failure; shorter if the queue ends meanwhile. Whether it may try again.
    pub(crate) fn pause(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let end = match state.deadline {
                Some(deadline) if deadline <= now => return false,
                // In the end there is little time left: tries follow each other quickly.
                Some(deadline) => deadline.min(until).min(now + Duration::from_millis(100)),
                None => until,
            };
            if now >= until {
                return true;
            }
            let ending = state.deadline.is_some();
            state = self
                .ready
                .wait_timeout(state, end.saturating_duration_since(now))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            if ending {
                return state.deadline.is_none_or(|deadline| deadline > Instant::now());
            }
        }
    }

    /// Ends the queue: no more documents come, and outputs give up what they have not delivered by the
    /// deadline.
    pub(crate) fn close(&self, deadline: Instant) {
        let mut state = self.lock();
        self.seal_in(&mut state);
        state.deadline = Some(deadline);
        drop(state);
        self.ready.notify_all();
        self.settled.notify_all();
        self.to_pack.notify_all();
    }

    /// Packs what waits longer than a moment, until the queue ends. The work of a thread of its own: who
    /// publishes and who delivers has no part in it.
    pub(crate) fn pack(&self) {
        let mut buffer = Vec::new();
        let mut state = self.lock();
        while state.deadline.is_none() {
            let State { backlog, readers, .. } = &mut *state;
            let Some((number, batch)) = backlog.next_to_pack(readers) else {
                buffer = Vec::new();
                state = self.to_pack.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            let packed = Packed::of(&batch, &mut buffer);
            drop(batch);
            state = self.lock();
            state.backlog.replace(number, packed);
            self.settled.notify_all();
        }
    }

    /// Waits until every output has settled what was published up to now; `false` if that takes longer
    /// than `patience`.
    pub(crate) fn flush(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut state = self.lock();
        self.seal_in(&mut state);
        let end = state.backlog.end();
        while state.readers.iter().flatten().any(|next| *next < end) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state =
                self.settled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// The number of documents that an output has not settled.
    pub(crate) fn waiting(&self, output: usize) -> u64 {
        let state = self.lock();
        let Some(Some(next)) = state.readers.get(output) else { return 0 };
        (state.backlog.documents_from(*next) + state.building.len()) as u64
    }

    /// Lets somebody look on.
    pub(crate) fn tap(&self, capacity: usize) -> Tap {
        let (sender, tap) = tap(capacity);
        self.lock().taps.push(sender);
        tap
    }

    fn seal_in(&self, state: &mut State) {
        if state.building.is_empty() {
            return;
        }
        let batch = Arc::new(state.building.seal());
        state.taps.retain(|tap| tap.offer(&batch));
        state.backlog.push(batch);
        self.ready.notify_all();
        if state.backlog.exceeds_unpacked() {
            self.to_pack.notify_one();
        }
    }

    fn lock_and_release(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        // What no output waits for goes; all of it if there is no output.
        let next = state.readers.iter().flatten().min().copied();
        let next = next.unwrap_or_else(|| state.backlog.end());
        state.backlog.release(next);
        // What an output has just passed may be packed for the others.
        if state.backlog.exceeds_unpacked() {
            self.to_pack.notify_one();
        }
        drop(state);
        self.settled.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    /// Whether there are outputs, and none that takes anything.
    fn is_abandoned(&self) -> bool {
        !self.readers.is_empty() && self.readers.iter().all(Option::is_none)
    }
}
