//! Reading records until it is time to stop.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use super::{Queue, Session};
use crate::{AuditConfig, netlink::Received};

/// How often the kernel is asked how it is doing.
const CHECK: Duration = Duration::from_secs(2);
/// Records taken before the order to stop is looked at.
const TURN: usize = 4096;

/// Settings that change while records are read; the descriptor becomes readable when they do.
pub trait Updates: AsFd {
    /// The settings, if they have changed since this was last called.
    fn take(&self) -> Option<AuditConfig>;
}

/// Moves records from the session into the queue until `stop` becomes readable; then releases the
/// session, moves what had been made until then, and closes the queue, which then has all counters.
///
/// # Errors
/// The socket is of no more use. The queue is closed then too.
pub fn read(
    session: Session,
    queue: &Queue,
    stop: BorrowedFd<'_>,
    updates: &impl Updates,
) -> io::Result<()> {
    let result = until_stopped(session, queue, stop, updates);
    queue.close();
    result
}

fn until_stopped(
    mut session: Session,
    queue: &Queue,
    stop: BorrowedFd<'_>,
    updates: &impl Updates,
) -> io::Result<()> {
    for (kind, record) in session.take_early() {
        queue.push(kind, &record);
    }
    let mut check = Instant::now() + CHECK;
    let result = loop {
        match wait(&session, stop, updates.as_fd(), check) {
            Ok([true, _]) => break Ok(()),
            Ok([_, true]) => {
                if let Some(config) = updates.take() {
                    session.reconfigure(&config);
                }
            }
            Ok(_) => {}
            Err(error) => break Err(error),
        }
        if let Err(error) = drain(&mut session, queue, TURN) {
            break Err(error);
        }
        if Instant::now() >= check {
            check = Instant::now() + CHECK;
            session.check(|kind, record| queue.push(kind, record));
            queue.note(session.counters());
        }
    };
    queue.note(session.release(|session| drain(session, queue, usize::MAX)));
    result
}

/// Takes what waits, at most so many messages.
fn drain(session: &mut Session, queue: &Queue, most: usize) -> io::Result<()> {
    for _ in 0..most {
        match session.receive(|kind, record| queue.push(kind, record)) {
            Ok(Received::Something) => {}
            Ok(Received::Nothing) => break,
            // Counted; what comes next can be read.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits for a record, the order to stop, other settings, or a time; returns whether it was the order, and whether
/// there are other settings.
fn wait(
    session: &Session,
    stop: BorrowedFd<'_>,
    updates: BorrowedFd<'_>,
    until: Instant,
) -> io::Result<[bool; 2]> {
    let left = until.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
    let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
    let mut descriptors = [session.as_fd(), stop, updates]
        .map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN));
    match poll(&mut descriptors, left) {
        Ok(_) => Ok([1, 2].map(|index| descriptors[index].any().unwrap_or(true))),
        Err(Errno::EINTR) => Ok([false; 2]),
        Err(error) => Err(error.into()),
    }
}
