//! With fewer rights, and where there is no audit framework.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use socket_agent::audit::{netlink::Setting, rules::Enabled};
use tempfile::TempDir;

use crate::{
    agent::{Agent, module, text},
    host::{Host, needs, run},
};

/// A copy of the agent where everybody may execute it.
fn copy() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = folder.path().join("socket-agent");
    fs::copy(env!("CARGO_BIN_EXE_socket-agent"), &path).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

fn nobody(capabilities: &[&str], agent: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    command.args(capabilities).arg(agent);
    command
}

#[test]
fn the_right_to_read_is_enough_to_listen() {
    let mut host = or_skip!(Host::take());
    or_skip!(needs("setpriv", "install util-linux").and(needs("auditctl", "install auditd")));
    run("auditctl", &["-w", "/etc/passwd", "-p", "r", "-k", "before"]);
    host.control.set(Setting::Enabled(Enabled::On)).unwrap();
    let (rules, settings) = (host.rules(), host.settings());
    let (_folder, agent) = copy();
    let read = ["--inh-caps=+audit_read", "--ambient-caps=+audit_read"];
    let agent = Agent::start_as(nobody(&read, &agent), &module("-w /etc/group -p wa", ""), 1);
    run("cat", &["/etc/passwd"]);
    // Without the right to ask, nothing tells when the kernel has handed over everything.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while host.control.status().unwrap().backlog > 0 && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    let stopped = agent.stop();
    stopped.one("the file read", |it| {
        text(it, "/tags/0") == "before" && text(it, "/process/name") == "cat"
    });
    let warned = |line: &String| line.contains("WARN") && line.contains("needs CAP_AUDIT_CONTROL");
    assert!(stopped.log.iter().any(warned), "{:#?}", stopped.log);
    assert_eq!((host.rules(), host.settings()), (rules, settings));
}

#[test]
fn without_rights_it_says_which() {
    let host = or_skip!(Host::take());
    or_skip!(needs("setpriv", "install util-linux"));
    let (_folder, agent) = copy();
    let said = Agent::refused(nobody(&[], &agent), &module("", ""));
    assert!(said.contains("grant CAP_AUDIT_READ"), "{said}");
    let said = Agent::refused(nobody(&[], &agent), &module("", "socket_type: unicast"));
    assert!(said.contains("grant CAP_AUDIT_CONTROL"), "{said}");
    drop(host);
}

#[test]
fn in_a_container_that_is_shut_off_it_says_so() {
    let host = or_skip!(Host::take());
    or_skip!(needs("unshare", "install util-linux"));
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", env!("CARGO_BIN_EXE_socket-agent")]);
    let said = Agent::refused(command, &module("-w /etc/passwd -p wa", ""));
    assert!(said.contains("Connection refused") && said.contains("initial user"), "{said}");
    drop(host);
}
