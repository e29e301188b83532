//! The scenarios, one file a topic.

mod audit;
mod before;
mod clock;
mod container;
mod direction;
mod dns;
mod failing;
mod input;
mod ipv6_off;
mod long;
mod losses;
mod lost;
mod many_connections;
mod mptcp;
mod owner;
mod pair;
mod process;
mod programs;
mod raw;
mod reload;
mod restricted_host;
mod self_test;
mod sockets;
mod tcp;
mod timeout;
mod tracefs;
mod translated;
mod udp;
mod wire;

use anyhow::Result;

use crate::{agent::Timeouts, fixture::Fixture};

/// The agent that watches a scenario. One agent is started for all scenarios that name the same:
/// starting one costs an emulated machine more than most scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watcher {
    /// Reports what is closed soon, and what is open not at all.
    Prompt,
    /// Reports what is idle for some seconds.
    Idle,
    /// Forgets what is idle for some seconds; reports connections that open and close.
    Forgetful,
    /// Reports what goes on several times a second, and open sockets every other second; reports
    /// connections that open and close.
    Often,
    /// Does not look at IPv6; looks at the wall clock several times a second.
    Narrow,
    /// Reports nothing before its end.
    AtEnd,
    /// The scenario starts what it needs itself, and runs alone.
    Own,
}

/// The part of a scenario after the start of the agent.
pub type Rest = Box<dyn FnOnce(&Fixture<'_>) -> Result<()> + Send>;

/// The function of a scenario.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// All of it with the agent running.
    Whole(fn(&Fixture<'_>) -> Result<()>),
    /// Something that is there before the agent, and what follows when it runs.
    Before(fn(&Fixture<'_>) -> Result<Rest>),
}

/// A scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// `topic/name`.
    pub name: &'static str,
    /// The agent that watches it.
    pub watcher: Watcher,
    /// The hook set it is about; `None` if about all.
    pub hooks: Option<&'static str>,
    /// Whether it comes out the same on every kernel: nothing is loaded into it, or it is about what
    /// the agent makes of what it reads there.
    pub portable: bool,
    /// Whether it runs with nothing beside it, after the others of its agent.
    pub alone: bool,
    /// Its function.
    pub act: Act,
}

impl Watcher {
    /// Those that are shared, in the order they run.
    pub const SHARED: [Self; 6] =
        [Self::Prompt, Self::Idle, Self::Forgetful, Self::Often, Self::Narrow, Self::AtEnd];

    /// Name of the group of its scenarios.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prompt => "all",
            Self::Idle => "idle",
            Self::Forgetful => "forgetful",
            Self::Often => "often",
            Self::Narrow => "narrow",
            Self::AtEnd => "at_end",
            Self::Own => "own",
        }
    }

    /// Timeouts of the agent.
    pub fn timeouts(self) -> Timeouts {
        let patient = Timeouts::default();
        match self {
            Self::Prompt | Self::Often | Self::Narrow | Self::Own => patient,
            // Long enough that no pause between two steps is taken for the end, on an emulated
            // machine too.
            Self::Idle => Timeouts { flow_inactive: "6s", ..patient },
            Self::Forgetful => Timeouts { flow_inactive: "5s", socket_inactive: "5s", ..patient },
            Self::AtEnd => Timeouts { flow_termination: "30m", ..patient },
        }
    }

    /// Further settings of the agent.
    pub fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Prompt | Self::Idle | Self::AtEnd | Self::Own => &[],
            Self::Forgetful => &["socket.events: all"],
            Self::Often => &[
                "socket.flow_report_period: 300ms",
                "socket.events: all",
                "state.period: 1h",
                "socket.state.period: 2s",
            ],
            Self::Narrow => &[
                "socket.enable_ipv6: false",
                "socket.flow_report_period: 300ms",
                "socket.clock_sync_period: 200ms",
            ],
        }
    }
}

impl Scenario {
    const fn new(name: &'static str, watcher: Watcher, act: Act) -> Self {
        Self { name, watcher, hooks: None, portable: false, alone: false, act }
    }

    const fn shared(name: &'static str, run: fn(&Fixture<'_>) -> Result<()>) -> Self {
        Self::new(name, Watcher::Prompt, Act::Whole(run))
    }

    const fn before(name: &'static str, run: fn(&Fixture<'_>) -> Result<Rest>) -> Self {
        Self::new(name, Watcher::Prompt, Act::Before(run))
    }

    const fn watched(
        name: &'static str,
        watcher: Watcher,
        run: fn(&Fixture<'_>) -> Result<()>,
    ) -> Self {
        Self::new(name, watcher, Act::Whole(run))
    }

    const fn own(name: &'static str, run: fn(&Fixture<'_>) -> Result<()>) -> Self {
        Self::new(name, Watcher::Own, Act::Whole(run))
    }

    const fn only(self, hooks: &'static str) -> Self {
        Self { hooks: Some(hooks), ..self }
    }

    const fn portable(self) -> Self {
        Self { portable: true, ..self }
    }

    const fn alone(self) -> Self {
        Self { alone: true, ..self }
    }
}

/// All of them, in the order they run.
pub fn all() -> impl Iterator<Item = &'static Scenario> {
    [
        tcp::SCENARIOS,
        failing::SCENARIOS,
        udp::SCENARIOS,
        translated::SCENARIOS,
        owner::SCENARIOS,
        process::SCENARIOS,
        programs::SCENARIOS,
        sockets::SCENARIOS,
        many_connections::SCENARIOS,
        wire::SCENARIOS,
        wire::AT_END,
        direction::SCENARIOS,
        before::SCENARIOS,
        raw::SCENARIOS,
        mptcp::SCENARIOS,
        container::SCENARIOS,
        timeout::SCENARIOS,
        dns::SHARED,
        dns::OWN,
        long::SCENARIOS,
        ipv6_off::SCENARIOS,
        lost::SCENARIOS,
        clock::SCENARIOS,
        tracefs::SCENARIOS,
        input::SCENARIOS,
        restricted_host::SCENARIOS,
        self_test::SCENARIOS,
        losses::SCENARIOS,
        reload::SCENARIOS,
        audit::SCENARIOS,
    ]
    .into_iter()
    .flatten()
}
