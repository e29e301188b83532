//! Hooks that are there more than once.
//!
//! The kernel skips a tracepoint or trampoline program that it finds running on that CPU: when it is hit
//! in an interrupt of itself, and, where a task may be put aside in the midst of such a program, when
//! another task comes to it meanwhile. What the first copy misses the next sees, unless it is skipped as
//! well. Where tasks may be put aside the copies can be far apart in time, on different CPUs, with others
//! between them: there each notes what it has done, so that everything is dealt with once.

use aya_ebpf::bindings::BPF_ANY;
use socket_common::{TWICE, Twin};

use crate::maps::{CAUGHT, DONE, settings};

/// Which of the copies a program is.
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
    pub fn has_turn(self, hook: Twin, object: usize) -> bool {
        if settings().is_none_or(|settings| settings.features & TWICE == 0) {
            return true;
        }
        // Objects are aligned to more than there are hooks.
        let key = object as u64 | hook as u64;
        // SAFETY: the value is not used.
        if self != Self::First && unsafe { DONE.get(&key) }.is_some() {
            if self == Self::Last {
                let _ = DONE.remove(&key);
            }
            return false;
        }
        // What cannot be noted is left to the next copy.
        if self != Self::Last && DONE.insert(&key, &key, BPF_ANY as u64).is_err() {
            return false;
        }
        if self != Self::First {
            let index = 2 * hook as u32 + (self == Self::Last) as u32;
            if let Some(caught) = CAUGHT.get_ptr_mut(index) {
                // SAFETY: a valid element of this CPU, where the copy runs but once at a time.
                unsafe { *caught += 1 }
            }
        }
        true
    }
}
