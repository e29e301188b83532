//! The configuration is changed while the agent runs.

use std::{
    env, fs,
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use tempfile::TempDir;

use super::{Scenario, pair::Pair, timeout::idle_then_ends};
use crate::{
    agent::{Options, Timeouts},
    audit,
    endpoint::Family,
    expect::{Session, Side},
    fixture::Fixture,
    machine::AuditLock,
    skip::skip,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::own("reload/flow_timeout", flow_timeout),
    Scenario::own("reload/broken_file", broken_file),
    Scenario::own("reload/datasets", datasets),
    Scenario::own("reload/audit_rules", audit_rules),
];

/// The agent reads a few lines, and starts hooks at most; on an emulated machine too.
const PATIENCE: Duration = Duration::from_secs(120);
/// Directories that are made before the rules are changed, and after.
const DIRECTORIES: usize = 200;

/// Lines of the log that hold a text.
fn logged(session: &Session, text: &str) -> usize {
    session.log().iter().filter(|line| line.contains(text)).count()
}

/// A shorter timeout holds for a flow that is older; nothing is lost, and hooks stay where they are.
fn flow_timeout(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let session = fixture.agent(Timeouts::default())?;
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    pair.echo(300)?;
    let timeouts = Timeouts { flow_inactive: "3s", ..Timeouts::default() };
    session.reconfigure(&Options { timeouts, ..fixture.options.clone() }.configuration())?;
    session.wait_logged("the dataset socket goes on with changed options", PATIENCE)?;
    idle_then_ends(fixture, &session, &endpoint, &pair)?;
    let starts = logged(&session, "ready: hooks=");
    ensure!(starts == 1, "hooks were attached {starts} times");
    session.end()?;
    Ok(())
}

/// A file that is wrong changes nothing, and the log says what is wrong where.
fn broken_file(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let session = fixture.agent(Timeouts::default())?;
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    pair.echo(300)?;
    let text = "modules:\n- module: system\n  datasets: [socket]\n  socket.events: sometimes\n";
    session.reconfigure(text)?;
    session
        .wait_logged("agent.yml:4:18: socket.events is \"sometimes\"; allowed: off", PATIENCE)?;
    session.wait_logged("the configuration stays as it was", PATIENCE)?;
    pair.echo(4000)?;
    pair.close_client_first()?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    session.expect(fixture.name, &client, &endpoint.capture)?;
    session.expect(fixture.name, &server, &endpoint.capture)?;
    let starts = logged(&session, "ready: hooks=");
    ensure!(starts == 1, "hooks were attached {starts} times");
    session.end()?;
    Ok(())
}

/// A dataset that is added starts beside the other; one that is taken out reports what it has seen, and can
/// come back.
fn datasets(fixture: &Fixture<'_>) -> Result<()> {
    // Other rules would make events, and events that are left out gaps.
    let _turn = AuditLock::take().context("waiting for the audit framework")?;
    let endpoint = fixture.loopback()?;
    // All in the file: options of the command line are for a dataset that has to be there.
    let mut options = Options { log: fixture.log(), ..fixture.options.clone() };
    let mut own = format!("{}  socket.hooks: {}\n", options.configuration(), options.hooks);
    if let Some(btf) = options.btf.take() {
        own += &format!("  socket.btf: {}\n", btf.display());
    }
    options.modules = Some(own.clone());
    let session = Session::start(&options)?;
    // Datagrams: no acknowledgement is still to come when the dataset stops.
    let (server, client) = fixture.couple(&endpoint)?;
    let at_server = server.udp(endpoint.any_port(Family::V4)?)?;
    let at_client = client.udp(endpoint.any_port(Family::V4)?)?;
    let exchange = |bytes| {
        client.send_to(at_client, bytes, at_server.local)?;
        server.receive(at_server, bytes)
    };
    exchange(300)?;
    // Without rules, and beside whoever audits: it changes nothing of this machine.
    let beside = "- module: auditd\n  socket_type: multicast\n";
    session.reconfigure(&format!("{own}{beside}"))?;
    session.wait_logged("the dataset auditd starts", PATIENCE)?;
    session.wait_logged("audit: ready: multicast", PATIENCE)?;
    exchange(200)?;

    session.reconfigure(&format!("modules:\n{beside}"))?;
    for side in [
        Side::sender(&client, at_client.local, at_server.local).ended("open"),
        Side::receiver(&server, at_server.local, at_client.local).ended("open"),
    ] {
        session.expect(fixture.name, &side, &endpoint.capture)?;
    }
    session.wait_logged("the dataset socket stops", PATIENCE)?;

    session.reconfigure(&own)?;
    session.wait_logged("the dataset auditd stops", PATIENCE)?;
    session.wait_logged("the dataset socket starts", PATIENCE)?;
    session.wait_logged_times("ready: hooks=", 2, PATIENCE)?;
    let later = Pair::meet(fixture, &endpoint, Family::V4)?;
    later.echo(100)?;
    later.close_client_first()?;
    let (client, server) = later.sides("fin_local", "fin_remote")?;
    session.expect(fixture.name, &client, &endpoint.capture)?;
    session.expect(fixture.name, &server, &endpoint.capture)?;
    // What the kernel reports of programs that are loaded meanwhile are events without an end, and of processes
    // that came and went while no hooks were attached there are no records.
    session.end()?.whole_but(&["audit_own", "audit_timed_out", "process_unresolved"])
}

/// Makes numbered directories until it is told to stop, and removes each; how many.
fn make_directories(folder: &Path, made: &AtomicUsize, enough: &AtomicBool) -> Result<()> {
    while !enough.load(Ordering::Relaxed) {
        let path = folder.join(format!("d{}", made.load(Ordering::Relaxed)));
        fs::create_dir(&path).context("making a directory")?;
        fs::remove_dir(&path).context("removing it")?;
        made.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Other rules are loaded while events come that both are about: each is reported once.
fn audit_rules(fixture: &Fixture<'_>) -> Result<()> {
    if !cfg!(target_arch = "x86_64") {
        return Err(skip("the rules name calls of x86_64"));
    }
    let _turn = AuditLock::take().context("waiting for the audit framework")?;
    let program = &fixture.options.program;
    if env::var_os("DISPOSABLE_MACHINE").is_none() {
        audit::free(program)?;
    }
    let made = "-a always,exit -F arch=b64 -S mkdir,mkdirat -F success=1 -k made";
    let removed = "-a always,exit -F arch=b64 -S rmdir,unlinkat -F success=1 -k removed";
    let options = "audit.restore_rules: true\nbacklog_limit: 65536\nreassembler.queue_size: 65536";
    let agent = audit::agent(program, made, options)?;
    let folder = TempDir::new()?;
    let (count, enough) = (AtomicUsize::new(0), AtomicBool::new(false));
    let changed = thread::scope(|scope| {
        // A thread that is older than auditing has no events.
        let maker = scope.spawn(|| make_directories(folder.path(), &count, &enough));
        let reach = |number| {
            while count.load(Ordering::Relaxed) < number && !maker.is_finished() {
                thread::yield_now();
            }
        };
        reach(DIRECTORIES);
        // The rule that stays moves behind the new one.
        let rules = format!("{removed}\n{made}");
        let changed = agent
            .reconfigure(&audit::configuration(&rules, options))
            .and_then(|()| agent.wait_logged("rules changed: 1 added, ", PATIENCE));
        let then = count.load(Ordering::Relaxed);
        reach(then + DIRECTORIES);
        enough.store(true, Ordering::Relaxed);
        let result =
            maker.join().map_err(|_| anyhow!("the thread that makes directories panicked"));
        changed.and(result.and_then(|result| result)).map(|()| then)
    });
    let then = changed?;
    let stopped = agent.stop()?;
    super::audit::ended_well(&stopped)?;
    let made = count.into_inner();
    let reported = |tag: &str, number: usize| {
        let path = folder.path().join(format!("d{number}")).display().to_string();
        let about = stopped
            .documents
            .iter()
            .filter(|doc| doc.text("tags").contains(tag) && doc.text("file.path") == path);
        about.count()
    };
    for number in 0..made {
        let documents = reported("made", number);
        ensure!(documents == 1, "directory {number} of {made}: {documents} documents");
    }
    let after = (then..made).filter(|number| reported("removed", *number) == 1).count();
    ensure!(after == made - then, "{after} of {} removed ones are told", made - then);
    Ok(())
}
