//! The audit dataset, on kernels that nobody else audits: in virtual machines. `audit_live`, among the
//! tests of the agent, is about this machine.

use std::{env, net::TcpListener, net::TcpStream, path::Path, process::Command, thread};

use anyhow::{Context, Result, ensure};

use super::Scenario;
use crate::{
    agent::Stopped,
    audit::{self, acts},
    fixture::Fixture,
    skip::skip,
};

/// Once a kernel: with the set that runs on all of them, and last.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::own("audit/told_in_full", reported_in_full).only("kprobe"),
    Scenario::own("audit/backpressure", backpressure).only("kprobe"),
    Scenario::own("audit/locked", locked).only("kprobe"),
];

/// A machine whose audit framework is nobody else's.
const DISPOSABLE: &str = "DISPOSABLE_MACHINE";

fn needs_a_machine_of_its_own() -> Result<()> {
    if env::var_os(DISPOSABLE).is_some() && cfg!(target_arch = "x86_64") {
        return Ok(());
    }
    Err(skip("it would change this machine's audit rules; `audit_live` tests them here"))
}

/// `socket-agent show WORDS`.
fn show(program: &Path, words: &[&str]) -> Result<String> {
    let output = Command::new(program).arg("show").args(words).output().context("socket-agent")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "show {words:?}: {text}{output:?}");
    Ok(text)
}

fn rules(program: &Path) -> Result<String> {
    show(program, &["auditd-rules", "-n", "-z"])
}

/// A setting of the kernel.
fn setting(program: &Path, name: &str) -> Result<String> {
    let status = show(program, &["auditd-status"])?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line.with_context(|| format!("no {name} in {status}"))?.to_owned())
}

pub(super) fn ended_well(stopped: &Stopped) -> Result<()> {
    const NO_LOSS: [&str; 5] = [
        "audit_evicted",
        "audit_kernel_waited",
        "audit_own",
        "audit_queue_waits",
        "audit_timed_out",
    ];
    let lost: Vec<_> = stopped
        .counters
        .iter()
        .filter(|(name, count)| **count > 0 && !NO_LOSS.contains(&name.as_str()))
        .collect();
    ensure!(stopped.status.success() && lost.is_empty(), "{lost:?}: {:?}", stopped.log);
    Ok(())
}

/// One of everything: a document of each, and the host is as it was before.
fn reported_in_full(fixture: &Fixture<'_>) -> Result<()> {
    needs_a_machine_of_its_own()?;
    let program = &fixture.options.program;
    let state = || Ok::<_, anyhow::Error>((rules(program)?, setting(program, "pid")?));
    let before = state()?;
    let stopped = audit::watch(program)?;
    ended_well(&stopped)?;
    for action in acts::ACTIONS {
        let has = stopped.documents.iter().any(|doc| doc.text("event.action") == action);
        ensure!(has, "nothing was told of {action}");
    }
    let started = stopped.documents.iter().find(|doc| {
        doc.text("event.action") == "executed" && doc.text("process.args").contains("two words")
    });
    let started = started.context("the program with strange arguments is missing")?;
    let arguments = started.field("process.args").and_then(|args| args.as_array());
    let arguments = arguments.into_iter().flatten().filter_map(|it| it.as_str());
    let reported: Vec<&str> = arguments.skip(3).collect();
    ensure!(reported == ["two words", "a\ttab", "é", "\"quoted\"", ""], "{reported:?}");
    ensure!(state()? == before, "the host is not as it was: {before:?}, {:?}", state()?);
    Ok(())
}

/// Audited calls that make a few records each, of a thread that began after auditing did.
fn connects(address: std::net::SocketAddr, count: usize) -> Result<()> {
    let work = move || -> std::io::Result<()> {
        for _ in 0..count {
            TcpStream::connect(address)?;
        }
        Ok(())
    };
    thread::spawn(work).join().map_err(|_| anyhow::anyhow!("a thread panicked"))?.context("connect")
}

/// Every strategy loads and lets events through, and the kernel's wait time follows it.
fn backpressure(fixture: &Fixture<'_>) -> Result<()> {
    needs_a_machine_of_its_own()?;
    let program = &fixture.options.program;
    let listener = TcpListener::bind("127.0.0.1:0").context("bind")?;
    let address = listener.local_addr()?;
    let wait = setting(program, "backlog_wait_time")?;
    for (strategy, waits) in
        [("none", true), ("userspace", true), ("kernel", false), ("both", false), ("auto", false)]
    {
        let options = format!("backpressure_strategy: {strategy}\naudit.restore_rules: true");
        let agent = audit::agent(program, "-a always,exit -F arch=b64 -S connect -k c", &options)?;
        let expected = if waits { wait.as_str() } else { "0" };
        let set = setting(program, "backlog_wait_time")?;
        ensure!(set == expected, "{strategy}: backlog_wait_time is {set}, not {expected}");
        connects(address, 20)?;
        let stopped = agent.stop()?;
        ended_well(&stopped).with_context(|| strategy.to_owned())?;
        let port = u64::from(address.port());
        let reported = stopped.documents.iter();
        let reported = reported.filter(|doc| doc.number("destination.port") == Some(port)).count();
        ensure!(reported == 20, "{strategy}: {reported} of 20 connects");
        let set = setting(program, "backlog_wait_time")?;
        ensure!(set == wait, "{strategy}: {set} is left behind, not {wait}");
    }
    Ok(())
}

/// `immutable`: rules and settings stay until the next boot, whoever asks; events come all the same.
fn locked(fixture: &Fixture<'_>) -> Result<()> {
    needs_a_machine_of_its_own()?;
    let program = &fixture.options.program;
    let rule = "-a always,exit -F arch=b64 -S connect -F key=locked";
    let agent = audit::agent(program, rule, "immutable: true\naudit.restore_rules: true")?;
    let now = (setting(program, "enabled")?, rules(program)?);
    ensure!(now.0 == "2" && now.1.contains("-S connect"), "{now:?}");
    ended_well(&agent.stop()?)?;
    ensure!((setting(program, "enabled")?, rules(program)?) == now, "it did not stay locked");

    let listener = TcpListener::bind("127.0.0.1:0").context("bind")?;
    let address = listener.local_addr()?;
    let agent = audit::agent(program, "-w /etc/hostname -p wa", "")?;
    connects(address, 5)?;
    let stopped = agent.stop()?;
    ended_well(&stopped)?;
    let reported = stopped.documents.iter().filter(|doc| {
        doc.number("destination.port") == Some(u64::from(address.port()))
            && doc.text("tags").contains("locked")
    });
    ensure!(reported.count() == 5, "not every connect was told: {:?}", stopped.log);
    let warned =
        |line: &String| line.contains("WARN") && line.contains("locked until the next boot");
    ensure!(stopped.log.iter().any(warned), "no warning: {:?}", stopped.log);
    ensure!((setting(program, "enabled")?, rules(program)?) == now, "another agent changed it");
    Ok(())
}
