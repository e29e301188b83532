//! What an agent does to itself before it says that it is ready.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::Scenario;
use crate::{
    agent::{Agent, Options},
    btf,
    fixture::Fixture,
    net::Netns,
    skip::skip,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::own("self_test/leaves_no_document", leaves_no_document),
    Scenario::own("self_test/blind_set_is_refused", blind_set_is_refused),
];

/// The agent sees its own connection and datagrams, says so, and reports none of them.
fn leaves_no_document(fixture: &Fixture<'_>) -> Result<()> {
    let settings = &["socket.events: all", "state.period: 1h"];
    let options = Options { settings, ..fixture.options.clone() };
    let agent = Agent::start(&options, &Netns::current()?)?;
    let pid = u64::from(agent.pid());
    let stopped = agent.stop()?;
    let said = stopped.log.iter().find(|line| line.contains("of its own over IPv4"));
    let said = said.context("the agent does not say that it has seen itself")?;
    ensure!(said.contains("were seen within "), "{said}");
    let own = stopped.documents.iter().find(|doc| doc.number("process.pid") == Some(pid));
    ensure!(own.is_none(), "the agent reports itself: {own:?}");
    let counted = stopped.counters.get("late_after_report").copied();
    ensure!(counted == Some(0), "late packets of the test: {counted:?}");
    Ok(())
}

/// A set whose programs are loaded and attached, and see nothing: the type information says where the protocol of a
/// socket is, wrongly.
fn blind_set_is_refused(fixture: &Fixture<'_>) -> Result<()> {
    let mut types = fs::read(btf::KERNEL).unwrap_or_default();
    if types.is_empty() || fixture.options.btf.is_some() {
        return Err(skip("the kernel's own type information is hidden"));
    }
    btf::misplace(&mut types, "sock", "sk_protocol", 64)?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("wrong.btf");
    fs::write(&file, types)?;
    let options = Options { btf: Some(file), ..fixture.options.clone() };
    let Err(error) = Agent::start(&options, &Netns::current()?) else {
        anyhow::bail!("an agent that sees no sockets says that it is ready");
    };
    let said = format!("{error:#}");
    ensure!(said.contains("does not see what the agent itself sent"), "{said}");
    ensure!(said.contains("TCP connection over IPv4"), "{said}");
    Ok(())
}
