//! Hooks that are there more than once.
//!
//! The kernel skips a tracepoint or trampoline program that it finds running on that CPU: when it is hit
//! in an interrupt of itself, and, where a task may be put aside in the midst of such a program, when
//! another task comes to it meanwhile. What the first copy misses the next sees, unless it is skipped as
//! well. Where tasks may be put aside the copies can be far apart in time, on different CPUs, with others
//! between them: there each notes what it has done, so that everything is dealt with once. Programs of
//! cgroups are never skipped, those of trace events seldom: one that is shown the same goes before all
//! copies.

use aya_ebpf::bindings::BPF_ANY;
use socket_common::{CopiedHook, HOOKS_COPIED, SUBSTITUTES};

use crate::{
    flow::atomic_add,
    kernel::sock::Sock,
    maps::{HANDLED, RECOVERED, settings},
};

/// A note of what the program ahead of all copies has dealt with and the first copy has not been shown.
const AHEAD: u64 = 1;
/// Any other note.
const NOTED: u64 = 0;

/// Number of a copy of a hook.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Copy {
    First,
    /// The second of three.
    Middle,
    /// The second of two, or the third.
    Last,
}

impl Copy {
    /// Whether it is this copy's turn to deal with what `hook` is shown, which the address of a kernel
    /// object tells from all else that the hook may be shown meanwhile.
    #[inline(always)]
    pub fn has_turn(self, hook: CopiedHook, object: usize) -> bool {
        if settings().is_none_or(|settings| settings.features & HOOKS_COPIED == 0) {
            return true;
        }
        let key = key(hook, object);
        if let Some(note) = HANDLED.get_ptr_mut(&key) {
            match self {
                Self::First => {
                    // SAFETY: a valid element, which only this program and those before it write.
                    let note = unsafe { &mut *note };
                    if *note == AHEAD {
                        // Should it stay, it must not stand for the next of the same object.
                        *note = NOTED;
                        recovered(hook, SUBSTITUTES - 1, u64::MAX);
                        return false;
                    }
                }
                Self::Middle => return false,
                Self::Last => {
                    let _ = HANDLED.remove(&key);
                    return false;
                }
            }
        }
        // What cannot be noted is left to the next copy.
        if self != Self::Last && !note(key, NOTED) {
            return false;
        }
        if self != Self::First {
            recovered(hook, (self == Self::Last) as u32, 1);
        }
        true
    }
}

/// Whether the program ahead of all copies is to deal with what `hook` will be shown: else they do.
#[inline(always)]
pub fn ahead_has_turn(hook: CopiedHook, object: usize) -> bool {
    if !note(key(hook, object), AHEAD) {
        return false;
    }
    // The first copy takes it back when it is run for that: what remains it has been skipped for.
    recovered(hook, SUBSTITUTES - 1, 1);
    true
}

/// Notes that what all copies were skipped for is dealt with behind them, where it shows: true.
#[inline(always)]
pub fn recovered_later(hook: CopiedHook) -> bool {
    recovered(hook, SUBSTITUTES - 1, 1);
    true
}

/// What a change of state is noted by: a note of one that no copy has removed must not stand for the next of
/// the same socket.
#[inline(always)]
pub fn change(sock: Sock, old: u8, new: u8) -> usize {
    sock.0 ^ ((old as usize) << 56 | (new as usize) << 48)
}

/// A connection has come out of a listener, or, at the index [`ESTABLISHED`], has been established.
#[inline(always)]
pub fn child(index: u32) {
    if settings().is_some_and(|settings| settings.features & HOOKS_COPIED != 0) {
        add(index, 1);
    }
}

/// Objects are aligned to more than there are hooks.
#[inline(always)]
fn key(hook: CopiedHook, object: usize) -> u64 {
    object as u64 | hook as u64
}

/// Whether the table had capacity for the note.
#[inline(always)]
fn note(key: u64, note: u64) -> bool {
    HANDLED.insert(&key, &note, BPF_ANY as u64).is_ok()
}

/// Adds to what has been dealt with in the first copy's stead.
#[inline(always)]
fn recovered(hook: CopiedHook, index: u32, more: u64) {
    add(SUBSTITUTES * hook as u32 + index, more);
}

#[inline(always)]
fn add(index: u32, more: u64) {
    if let Some(recovered) = RECOVERED.get_ptr_mut(index) {
        // SAFETY: a valid element of this CPU; tasks may come between.
        unsafe { atomic_add(recovered, more) }
    }
}
