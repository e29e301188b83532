//! State that the groups of a run work with.

use std::{
    collections::{BTreeMap, BTreeSet},
    env::consts::ARCH,
};

use super::{
    report::{Report, Tally},
    selection::Boot,
};
use crate::{build::Programs, cli::TestOptions, kernel::List, paths::Paths, pins::Pins};

/// Plan of a run.
pub(super) struct Plan<'a> {
    pub(super) options: &'a TestOptions,
    /// Virtual machines of the run.
    pub(super) boots: Vec<Boot<'a>>,
}

/// What groups find, and what they leave to others.
pub(super) struct Work<'a> {
    pub(super) paths: &'a Paths,
    pub(super) pins: &'a Pins,
    pub(super) list: &'a List,
    pub(super) plan: &'a Plan<'a>,
    pub(super) report: Report,
    /// Whether the eBPF objects are there.
    pub(super) has_objects: bool,
    /// The built programs, by architecture.
    pub(super) programs: BTreeMap<String, Programs>,
}

/// Outcome of a group that did not fail.
#[derive(Debug)]
pub(super) enum Done {
    Whole,
    /// With tests, of which this came.
    Tests(Tally),
    /// Not at all, for this reason.
    Not(String),
}

// === impl Plan ===

impl Plan<'_> {
    /// What machines are emulated of other architectures than this one's.
    pub(super) fn other_architectures(&self) -> BTreeSet<&str> {
        self.boots.iter().map(|boot| boot.arch).filter(|arch| *arch != ARCH).collect()
    }
}

// === impl Work ===

impl Work<'_> {
    /// Filter of tests and scenarios.
    pub(super) fn filter(&self) -> Option<&str> {
        self.plan.options.filter.as_deref()
    }
}
