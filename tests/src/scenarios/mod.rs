//! The scenarios, one file a topic.

mod before;
mod crowd;
mod dns;
mod failing;
mod input;
mod owner;
mod pair;
mod tcp;
mod timeout;
mod udp;
mod wire;

use anyhow::Result;

use crate::lab::Lab;

/// What a scenario needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The agent that is shared.
    Shared,
    /// It starts an agent itself.
    Own,
}

/// A scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// `topic/name`.
    pub name: &'static str,
    /// What it needs.
    pub needs: Needs,
    /// The hook set it is about; `None` if about all.
    pub hooks: Option<&'static str>,
    /// Does it.
    pub run: fn(&Lab<'_>) -> Result<()>,
}

impl Scenario {
    const fn shared(name: &'static str, run: fn(&Lab<'_>) -> Result<()>) -> Self {
        Self { name, needs: Needs::Shared, hooks: None, run }
    }

    const fn own(name: &'static str, run: fn(&Lab<'_>) -> Result<()>) -> Self {
        Self { name, needs: Needs::Own, hooks: None, run }
    }

    const fn only(self, hooks: &'static str) -> Self {
        Self { hooks: Some(hooks), ..self }
    }
}

/// All of them, in the order they run.
pub fn all() -> impl Iterator<Item = &'static Scenario> {
    [
        tcp::SCENARIOS,
        failing::SCENARIOS,
        udp::SCENARIOS,
        owner::SCENARIOS,
        crowd::SCENARIOS,
        wire::SCENARIOS,
        wire::OWN,
        before::SCENARIOS,
        timeout::SCENARIOS,
        dns::SHARED,
        dns::OWN,
        input::SCENARIOS,
    ]
    .into_iter()
    .flatten()
}
