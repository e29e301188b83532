//! A bounded list of records on their way from one thread to another.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// See the module. While it is closed, all that is put in is dropped.
pub(super) struct Handover<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

/// What waits. Locked to put records in.
pub(super) struct State<T> {
    items: Vec<T>,
    capacity: usize,
    open: bool,
    /// Somebody waits for a change.
    awaited: bool,
}

// === impl Handover ===

impl<T> Handover<T> {
    /// A closed one for so many records.
    pub(super) fn new(capacity: usize) -> Self {
        let state = State { items: Vec::new(), capacity, open: false, awaited: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Takes records from now on.
    pub(super) fn open(&self) {
        self.lock().open = true;
    }

    /// Takes no more records, and drops those that are there; nobody waits any more.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.open = false;
        state.items = Vec::new();
        drop(state);
        self.changed.notify_all();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().items.is_empty()
    }

    /// Takes all records in exchange for an empty list.
    pub(super) fn take(&self, empty: Vec<T>) -> Vec<T> {
        debug_assert!(empty.is_empty());
        let mut state = self.lock();
        if state.items.is_empty() {
            return empty;
        }
        let items = std::mem::replace(&mut state.items, empty);
        let awaited = std::mem::take(&mut state.awaited);
        drop(state);
        if awaited {
            self.changed.notify_all();
        }
        items
    }

    /// Waits until there is room for another record.
    pub(super) fn wait_for_capacity(&self) {
        drop(self.wait(State::is_full));
    }

    /// Waits until so many records wait; whether it is still open.
    pub(super) fn wait_for(&self, records: usize) -> bool {
        self.wait(|state| state.open && state.items.len() < records).open
    }

    fn wait(&self, waits: impl Fn(&State<T>) -> bool) -> MutexGuard<'_, State<T>> {
        let mut state = self.lock();
        while waits(&state) {
            state.awaited = true;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    /// Tells whoever waits that records have been put in.
    pub(super) fn notify(&self) {
        if std::mem::take(&mut self.lock().awaited) {
            self.changed.notify_all();
        }
    }
}

// === impl State ===

impl<T> State<T> {
    pub(super) fn is_full(&self) -> bool {
        self.open && self.items.len() >= self.capacity
    }

    pub(super) fn push(&mut self, item: T) {
        if self.open {
            self.items.push(item);
        }
    }
}
