//! Threads of the agent.
//!
//! A name that is given to a thread becomes its `comm`, which audit records and other tools take for the name
//! of the program. So threads keep the program's own, and are named for the messages of panics alone.

use std::{
    io,
    thread::{Builder, JoinHandle, Scope, ScopedJoinHandle},
};

use nix::sys::prctl::{get_name, set_name};

/// Starts a thread.
///
/// # Errors
///
/// The kernel gives none.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(as_program(work))
}

/// Starts a thread that ends before `scope` does.
///
/// # Errors
///
/// The kernel gives none.
pub fn spawn_scoped<'s, T: Send + 's>(
    scope: &'s Scope<'s, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 's,
) -> io::Result<ScopedJoinHandle<'s, T>> {
    Builder::new().name(name.to_owned()).spawn_scoped(scope, as_program(work))
}

/// The same work, under the `comm` of the calling thread.
fn as_program<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let program = get_name().ok();
    move || {
        // Refused, it keeps a name of its own, which does no other harm.
        let _ = program.map(|program| set_name(&program));
        work()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn threads_are_called_like_the_program() {
        let program = get_name().unwrap();
        let seen = || (get_name().unwrap(), thread::current().name().map(str::to_owned));
        let expected = (program, Some("auditd".to_owned()));
        assert_eq!(spawn("auditd", seen).unwrap().join().unwrap(), expected);
        // Of a thread that such a thread starts, too.
        let nested = move || spawn("auditd", seen).unwrap().join().unwrap();
        assert_eq!(spawn("dataset", nested).unwrap().join().unwrap(), expected);
        let scoped =
            thread::scope(|scope| spawn_scoped(scope, "auditd", seen).unwrap().join().unwrap());
        assert_eq!(scoped, expected);
    }
}
