//! One output for several writers, none of which waits for it as long as it takes what they give.

use std::{
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{FULL, Output, OutputError};
use crate::threads;

/// Bytes that may wait for an output that is slower than what it is given. With more, who writes waits.
const LIMIT: usize = 16 << 20;

/// A way to an output that others have too. Documents never mix. A thread of the output's own writes
/// them, so that a disk that stands still for a moment does not keep anybody from observing.
#[derive(Clone, Debug)]
pub struct Sink {
    handle: Arc<Handle>,
    documents: u64,
    waited: Duration,
}

/// Ends the thread that writes when the last way to it is gone.
#[derive(Debug)]
struct Handle(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    /// There is something to do for the thread that writes.
    work: Condvar,
    /// It has done something.
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whole documents that wait.
    waiting: Vec<u8>,
    /// They are to be written, however few.
    wanted: bool,
    /// Others are being written.
    busy: bool,
    /// What could not be written is to be tried again.
    stuck: bool,
    failure: Option<OutputError>,
    closed: bool,
}

impl Sink {
    /// The first way to an output; its clones are the others, each with a count of its own. `prepare`
    /// is what the thread that writes does first.
    ///
    /// # Errors
    /// The kernel gives no thread.
    pub fn new(output: Output, prepare: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let writer = Arc::clone(&queue);
        let work = move || {
            prepare();
            writer.write_until_closed(output);
        };
        threads::spawn("output", work)?;
        let handle = Arc::new(Handle(queue));
        Ok(Self { handle, documents: 0, waited: Duration::ZERO })
    }

    /// Takes one document, which `write` appends to the buffer it is given.
    ///
    /// # Errors
    /// `write` failed: nothing is taken. Or what was taken before, from whomever, could not be written.
    pub fn emit(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>,
    ) -> Result<(), OutputError> {
        let mut state = self.handle.0.room(&mut self.waited)?;
        let before = state.waiting.len();
        if let Err(error) = write(&mut state.waiting) {
            state.waiting.truncate(before);
            return Err(error.into());
        }
        state.waiting.push(b'\n');
        self.documents += 1;
        self.handle.0.tell(&state);
        Ok(())
    }

    /// Takes documents that are written already, each ending in a line feed.
    ///
    /// # Errors
    /// What was taken before, from whomever, could not be written.
    pub fn emit_lines(&mut self, lines: &[u8]) -> Result<(), OutputError> {
        let mut state = self.handle.0.room(&mut self.waited)?;
        state.waiting.extend_from_slice(lines);
        self.documents += lines.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.handle.0.tell(&state);
        Ok(())
    }

    /// Lets everything that waits be written soon.
    ///
    /// # Errors
    /// What was taken before, from whomever, could not be written. It is kept, and tried again by
    /// [`flush`](Self::flush).
    pub fn push(&self) -> Result<(), OutputError> {
        let mut state = self.handle.0.lock();
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        if !state.waiting.is_empty() {
            state.wanted = true;
            self.handle.0.work.notify_one();
        }
        Ok(())
    }

    /// Writes everything that waits, from whomever.
    ///
    /// # Errors
    /// It cannot be written. It is kept; calling again goes on where it stopped.
    pub fn flush(&self) -> Result<(), OutputError> {
        let queue = &self.handle.0;
        let mut state = queue.lock();
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        state.stuck = false;
        state.wanted = true;
        queue.work.notify_one();
        while state.busy || state.wanted {
            state = queue.done.wait(state).unwrap_or_else(PoisonError::into_inner);
            if let Some(failure) = state.failure.take() {
                return Err(failure);
            }
            if state.stuck {
                // Somebody else was told why.
                break;
            }
        }
        Ok(())
    }

    /// How many documents have been taken from this way.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// How long this way has waited for the output.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.work.notify_one();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room for more; adds how long that took to `waited`.
    fn room(&self, waited: &mut Duration) -> Result<MutexGuard<'_, State>, OutputError> {
        let mut state = self.lock();
        let mut since = None;
        loop {
            if let Some(failure) = state.failure.take() {
                return Err(failure);
            }
            if state.waiting.len() < LIMIT || state.stuck {
                break;
            }
            since.get_or_insert_with(Instant::now);
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        *waited += since.map_or(Duration::ZERO, |since| since.elapsed());
        Ok(state)
    }

    fn tell(&self, state: &State) {
        if state.waiting.len() >= FULL && !state.busy {
            self.work.notify_one();
        }
    }

    fn write_until_closed(&self, mut output: Output) {
        let mut lot = Vec::with_capacity(2 * FULL);
        let mut state = self.lock();
        loop {
            let ready = state.wanted || state.waiting.len() >= FULL;
            if !ready || state.stuck {
                if state.closed {
                    return;
                }
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            mem::swap(&mut state.waiting, &mut lot);
            state.wanted = false;
            state.busy = true;
            drop(state);
            let result = output.write(&mut lot);
            state = self.lock();
            state.busy = false;
            if let Err(failure) = result {
                // What is left comes before what was given meanwhile.
                lot.append(&mut state.waiting);
                mem::swap(&mut state.waiting, &mut lot);
                state.failure = Some(failure);
                state.stuck = true;
                state.wanted = false;
            }
            lot.shrink_to(2 * FULL);
            self.done.notify_all();
        }
    }
}
