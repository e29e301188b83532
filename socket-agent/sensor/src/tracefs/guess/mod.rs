//! Offsets without type information: found by trying.
//!
//! The agent does something whose traces in kernel memory it can predict - it connects to a random
//! loopback address, sends a datagram of a random length - while probes dump the memory that the
//! function concerned is given. Where the predicted values stand, the members are. Nothing leaves the
//! host, and nothing has to be let through: refused connections serve.
//!
//! Guesses run in the order of what they need. One that fails takes along those that need it.

mod buffer;
mod cache;
mod credentials;
mod inode;
mod search;
mod segment;
mod socket;
mod task;
mod trial;
mod trigger;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{
    group::Group,
    offsets::Offsets,
    probe::{Abi, Shapes},
};
use crate::{Degraded, SensorError};

/// Bytes of a pointer.
const WORD: u8 = size_of::<usize>() as u8;

/// What guesses work with, and what they have found.
pub(super) struct Guesses<'g> {
    group: &'g mut Group,
    abi: Abi,
    timeout: Duration,
    offsets: Offsets,
    shapes: Shapes,
}

/// A guess: its name, what is missing if it fails, and the guess itself.
type Guess = (&'static str, &'static str, fn(&mut Guesses<'_>) -> Result<(), String>);

const GUESSES: [Guess; 13] = [
    ("sockets", "everything", |guesses| guesses.sockets()),
    ("ipv6 sockets", "flows over IPv6", |guesses| guesses.sockets6()),
    ("socket files", "who sends on a UDP socket", |guesses| guesses.files()),
    ("inodes", "the inode numbers of sockets that open and close", |guesses| guesses.inodes()),
    ("network namespaces", "the network namespace of flows", |guesses| guesses.namespaces()),
    ("buffers", "everything", |guesses| guesses.buffers()),
    ("headers", "everything", |guesses| guesses.headers()),
    ("segments", "the number of packets in offloaded buffers", |guesses| guesses.segments()),
    ("credentials", "changes of user and group of running processes", |guesses| {
        guesses.credentials()
    }),
    ("tasks", "short-lived processes, but for their names", |guesses| guesses.tasks()),
    ("owners of tasks", "user and group of short-lived processes", |guesses| guesses.owners()),
    ("arguments", "the arguments of short-lived processes", |guesses| guesses.arguments()),
    ("multipath connections", "who uses a subflow that is added to an MPTCP connection", |_| {
        match Path::new(MPTCP).exists() {
            true => Err("no guess looks for it".into()),
            false => Ok(()),
        }
    }),
];
/// There where the kernel has MPTCP: from 5.6 on, with `CONFIG_MPTCP`.
const MPTCP: &str = "/proc/sys/net/mptcp";

/// Result of the guesses.
pub(super) struct Found {
    pub(super) offsets: Offsets,
    pub(super) shapes: Shapes,
    /// Guesses that failed: name, what is missing, reason.
    pub(super) failed: Vec<(&'static str, &'static str, String)>,
}

impl Found {
    /// Effects of the guesses that failed.
    pub(super) fn degraded(self) -> Vec<Degraded> {
        let degraded = self.failed.into_iter().map(|(name, effect, reason)| Degraded {
            hook: format!("guess {name}"),
            reason,
            effect,
        });
        degraded.collect()
    }
}

/// As [`find`], with the error that a user gets.
///
/// # Errors
///
/// A guess failed that everything rests on.
pub(super) fn offsets(
    group: &mut Group,
    timeout: Duration,
    state: &Path,
) -> Result<Found, SensorError> {
    find(group, timeout, state).map_err(refused)
}

/// Finds offsets by trying, whatever is known from an earlier start.
///
/// # Errors
///
/// A guess failed that everything rests on.
pub(super) fn afresh(group: &mut Group, timeout: Duration) -> Result<Found, SensorError> {
    all(group, timeout).map_err(refused)
}

fn refused(reason: String) -> SensorError {
    SensorError::Hook {
        set: "tracefs",
        hook: "offsets".into(),
        reason,
        remedy: "give the type information of the running kernel with --btf FILE",
    }
}

/// Finds offsets by trying, or takes those that were found for this very kernel before.
fn find(group: &mut Group, timeout: Duration, state: &Path) -> Result<Found, String> {
    let key = cache::key();
    if let Some((offsets, shapes, reasons)) = cache::load(state, &key) {
        log::info!(target: "sensor", "offsets of this kernel are known from an earlier start");
        let failed = GUESSES.iter().filter_map(|(name, effect, _)| {
            reasons.get(*name).map(|reason| (*name, *effect, reason.clone()))
        });
        let failed = failed.collect();
        return Ok(Found { offsets, shapes, failed });
    }
    let Found { offsets, shapes, failed } = all(group, timeout)?;
    let reasons = failed.iter().map(|(name, _, reason)| ((*name).to_owned(), reason.clone()));
    let kept = (offsets, shapes, reasons.collect());
    if let Err(error) = cache::save(state, &key, &kept) {
        log::warn!(target: "sensor", "{error}; they will be looked for again at the next start");
    }
    let (offsets, shapes, _) = kept;
    Ok(Found { offsets, shapes, failed })
}

/// Makes all guesses.
///
/// # Errors
///
/// A guess failed that everything rests on.
fn all(group: &mut Group, timeout: Duration) -> Result<Found, String> {
    let abi = Abi::of_this_machine()?;
    let mut guesses =
        Guesses { group, abi, timeout, offsets: Offsets::default(), shapes: Shapes::default() };
    let mut failed: Vec<(&str, &str, String)> = Vec::new();
    let start = Instant::now();
    for (name, effect, guess) in GUESSES {
        let began = Instant::now();
        match guess(&mut guesses) {
            Ok(()) => log::debug!(target: "sensor", "guess {name}: {:?}", began.elapsed()),
            Err(reason) => {
                if effect == "everything" {
                    return Err(format!("guessing {name}: {reason}"));
                }
                failed.push((name, effect, reason));
            }
        }
    }
    let Guesses { offsets, shapes, .. } = guesses;
    log::info!(target: "sensor", "offsets of this kernel found by trying in {:?}", start.elapsed());
    Ok(Found { offsets, shapes, failed })
}
