//! The wall clock is set while flows go on.

use std::{
    env,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, ensure};
use nix::{
    sys::time::{TimeSpec, TimeValLike as _},
    time::{ClockId, clock_gettime, clock_settime},
};

use super::{Scenario, Watcher, pair::Pair};
use crate::{agent::Doc, endpoint::Family, expect::Side, fixture::Fixture, skip::skip};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::watched("clock/set_back", Watcher::Narrow, |fixture| step(fixture, -7200)).alone(),
    Scenario::watched("clock/set_ahead", Watcher::Narrow, |fixture| step(fixture, 7200)).alone(),
];

/// Set where nobody minds: on a machine that is made for one run.
const DISPOSABLE: &str = "DISPOSABLE_MACHINE";

/// Sets the clock, and sets it right again when dropped.
struct Step(i64);

impl Step {
    fn by(seconds: i64) -> Result<Self> {
        shift(seconds)?;
        Ok(Self(seconds))
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        // It worked a moment ago; if it does not now, the machine is thrown away with its clock.
        let _ = shift(-self.0);
    }
}

fn shift(seconds: i64) -> Result<()> {
    let now = clock_gettime(ClockId::CLOCK_REALTIME)?;
    let then = now + TimeSpec::seconds(seconds);
    clock_settime(ClockId::CLOCK_REALTIME, then).context("setting the clock")
}

/// One flow lies before the step, one across it, one after it.
fn step(fixture: &Fixture<'_>, seconds: i64) -> Result<()> {
    if env::var_os(DISPOSABLE).is_none() {
        return Err(skip("it would set this machine's clock"));
    }
    let endpoint = fixture.loopback()?;
    let session = fixture.shared()?;
    let start = SystemTime::now();
    let before = Pair::meet(fixture, &endpoint, Family::V4)?;
    before.echo(100)?;
    before.close_client_first()?;
    let (near, far) = before.sides("fin_local", "fin_remote")?;
    let old = session.expect(fixture.name, &near, &endpoint.capture)?;
    session.expect(fixture.name, &far, &endpoint.capture)?;
    let mut sides: Vec<Side> = vec![near, far];
    let across = Pair::meet(fixture, &endpoint, Family::V4)?;
    across.echo(100)?;

    let step = Step::by(seconds)?;
    let (near, far) = across.sides("fin_local", "fin_remote")?;
    // The agent has noticed when a report is given by the new time.
    let moved = Duration::from_secs(seconds.unsigned_abs());
    for size in 200.. {
        across.echo(size)?;
        let reported = session
            .wait_for(|docs| docs.iter().rev().find(|doc| near.is_reported_by(doc)).cloned())
            .context("no report came")?;
        if distance(time(&reported, "@timestamp")?, start) > moved / 2 {
            break;
        }
    }
    across.close_client_first()?;
    let long = session.expect(fixture.name, &near, &endpoint.capture)?;
    session.expect(fixture.name, &far, &endpoint.capture)?;
    sides.extend([near, far]);
    let after = Pair::meet(fixture, &endpoint, Family::V4)?;
    after.echo(100)?;
    after.close_client_first()?;
    let (near, far) = after.sides("fin_local", "fin_remote")?;
    let new = session.expect(fixture.name, &near, &endpoint.capture)?;
    session.expect(fixture.name, &far, &endpoint.capture)?;
    sides.extend([near, far]);

    ensure!(distance(time(&old, "event.start")?, start) < moved / 2, "the first flow has moved");
    for doc in [&long, &new] {
        let at = time(doc, "event.start")?;
        ensure!(distance(at, start) > moved / 2, "a later flow has not moved: {at:?}");
    }
    let documents = session.documents();
    drop(step);
    for doc in documents.iter().filter(|doc| sides.iter().any(|side| side.is_reported_by(doc))) {
        let (start, end) = (time(doc, "event.start")?, time(doc, "event.end")?);
        ensure!(start <= end, "it ends before it starts: {doc:?}");
        let long = distance(start, end);
        ensure!(long < moved / 2, "it took {long:?}: {doc:?}");
    }
    Ok(())
}

fn time(doc: &Doc, field: &str) -> Result<SystemTime> {
    let text = doc.text(field);
    humantime::parse_rfc3339(&text).with_context(|| format!("{field} is {text:?}"))
}

fn distance(one: SystemTime, two: SystemTime) -> Duration {
    one.duration_since(two).or_else(|_| two.duration_since(one)).unwrap_or_default()
}
