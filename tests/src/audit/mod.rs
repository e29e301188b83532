//! What the audit framework reports: a process that does one of everything, and an agent that
//! watches it.

pub mod acts;
pub mod recorder;

use std::{os::unix::process::CommandExt as _, path::Path, process::Command};

use anyhow::{Context, Result, ensure};

use crate::{
    agent::{Agent, Options, Stopped, Timeouts},
    net::Netns,
    skip::skip,
};

/// The group of the acting process, by which rules know what it does.
const GROUP: u32 = 4_242;
/// The folder that it works in, which is watched.
const FOLDER: &str = "/tmp/audit-acts";

/// Rules about all that it does.
fn rules() -> String {
    const CALLS: &str = "execve,execveat,connect,bind,listen,accept4,sendto,openat2,rename,\
        renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,chmod,fchmodat,\
        chown,fchownat,ftruncate,setxattr,mount,umount2,sethostname,kill,ptrace,memfd_create,setuid,\
        setresuid,setgroups,bpf,io_uring_setup,landlock_create_ruleset,pidfd_open,pipe2,capset";
    format!(
        "-a always,exit -F arch=b64 -F gid={GROUP} -S {CALLS} -k acts\n\
         -w {FOLDER}/ -p wa -k watched"
    )
}

/// An agent with the audit dataset alone.
///
/// # Errors
/// It does not start.
pub fn agent(program: &Path, rules: &str, options: &str) -> Result<Agent> {
    Agent::start(&module(program, rules, options), &Netns::current()?)
}

/// A configuration of the audit dataset alone.
pub fn configuration(rules: &str, options: &str) -> String {
    let indented = |text: &str, by: &str| -> String {
        text.lines().map(|line| format!("{by}{line}\n")).collect()
    };
    let (rules, options) = (indented(rules, "    "), indented(options, "  "));
    format!("modules:\n- module: auditd\n  audit_rules: |\n{rules}{options}")
}

/// Whether an agent can own this machine's audit framework for a while, and put back what it finds there.
///
/// # Errors
/// It cannot, which is a reason to skip, or it cannot be asked.
pub fn free(program: &Path) -> Result<()> {
    let output = Command::new(program).args(["show", "auditd-status"]).output().context("show")?;
    let status = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "show auditd-status: {output:?}");
    let is_free = status.lines().any(|line| line == "pid 0");
    let can_change = status.lines().any(|line| line == "enabled 0" || line == "enabled 1");
    if is_free && can_change {
        return Ok(());
    }
    Err(skip("somebody else owns the audit framework of this machine"))
}

fn module(program: &Path, rules: &str, options: &str) -> Options {
    let modules = configuration(rules, options);
    Options {
        program: program.to_owned(),
        hooks: String::new(),
        timeouts: Timeouts::default(),
        settings: &[],
        modules: Some(modules),
        btf: None,
        perf_rings: false,
        output: None,
        before: None,
        log: None,
    }
}

/// Lets a process do one of everything while an agent watches; the documents have the text of the
/// records.
///
/// # Errors
/// The agent does not start or does not end well, or the process cannot do what it is to do.
pub fn watch(program: &Path) -> Result<Stopped> {
    acts::prepare(Path::new(FOLDER))?;
    let agent = agent(program, &rules(), "audit.restore_rules: true\ninclude_raw_message: true")?;
    let actor = std::env::current_exe().context("which program is this")?;
    let mut command = Command::new(actor);
    command.args(["audit-act", FOLDER]).gid(GROUP);
    let output = command.output().context("starting the process that acts")?;
    ensure!(
        output.status.success(),
        "the process that acts: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let stopped = agent.stop()?;
    ensure!(stopped.status.success(), "the agent: {}: {:?}", stopped.status, stopped.log);
    Ok(stopped)
}
