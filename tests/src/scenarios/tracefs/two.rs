//! Two agents on one host.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::probes;
use crate::{
    agent::Timeouts,
    endpoint::{Endpoint, Family},
    expect::Session,
    fixture::{Fixture, same_conversation},
    scenarios::pair::Pair,
};

/// Two agents have groups of their own and both see all there is; what one leaves does not disturb the
/// other.
pub(super) fn agents(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let before = groups()?;
    let first = fixture.agent(Timeouts::default())?;
    let alone = groups()?;
    let own = added(&before, &alone)?;
    let second = fixture.agent(Timeouts::default())?;
    let both = groups()?;
    let other = added(&alone, &both)?;
    ensure!(both[&own] == alone[&own], "the second agent changed the probes of the first");

    talk(fixture, &endpoint, &[&first, &second])?;
    first.stop()?;
    let left = groups()?;
    ensure!(!left.contains_key(&own), "the agent that was stopped left {own}");
    ensure!(left.get(&other) == both.get(&other), "it took probes of the other along: {left:?}");
    talk(fixture, &endpoint, &[&second])?;
    second.stop()?;
    ensure!(groups()? == before, "probes are left");
    Ok(())
}

/// A conversation, of which each agent has to tell both ends.
fn talk(fixture: &Fixture<'_>, endpoint: &Endpoint, sessions: &[&Session]) -> Result<()> {
    let pair = Pair::meet(fixture, endpoint, Family::V4)?;
    pair.echo(500)?;
    pair.close_client_first()?;
    let (one, two) = pair.sides("fin_local", "fin_remote")?;
    for session in sessions {
        let one = session.expect(fixture.name, &one, &endpoint.capture)?;
        let two = session.expect(fixture.name, &two, &endpoint.capture)?;
        same_conversation(&one, &two)?;
    }
    Ok(())
}

/// Groups of agents' probes, with how many probes are in each.
fn groups() -> Result<BTreeMap<String, usize>> {
    let mut groups = BTreeMap::new();
    for probe in probes()? {
        let group = probe.split('/').next().unwrap_or_default();
        *groups.entry(group.to_owned()).or_default() += 1;
    }
    Ok(groups)
}

/// The one group that is new.
fn added(before: &BTreeMap<String, usize>, now: &BTreeMap<String, usize>) -> Result<String> {
    let new: Vec<&String> = now.keys().filter(|group| !before.contains_key(*group)).collect();
    match new[..] {
        [group] => Ok(group.clone()),
        _ => anyhow::bail!("the agent that was started has {new:?} for its group"),
    }
}
