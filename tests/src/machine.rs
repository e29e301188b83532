//! What a machine has only one of, and tests have to take turns with.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use nix::fcntl::{Flock, FlockArg};

/// Where the locks are: seen by every test of this machine, and gone with the next boot.
const FOLDER: &str = "/run/lock";

/// The audit framework: its rules, its settings, its one daemon. Given back when it is dropped.
#[derive(Debug)]
pub struct AuditLock {
    _lock: Flock<File>,
}

impl AuditLock {
    /// Waits until no other test program changes the audit framework.
    ///
    /// # Errors
    /// The file of the lock cannot be made.
    pub fn take() -> io::Result<Self> {
        fs::create_dir_all(FOLDER)?;
        let path = Path::new(FOLDER).join("socket-agent-audit-tests");
        let mut file = File::options().create(true).truncate(false).write(true).open(path)?;
        loop {
            match Flock::lock(file, FlockArg::LockExclusive) {
                Ok(lock) => return Ok(Self { _lock: lock }),
                Err((same, nix::errno::Errno::EINTR)) => file = same,
                Err((_, error)) => return Err(error.into()),
            }
        }
    }
}
