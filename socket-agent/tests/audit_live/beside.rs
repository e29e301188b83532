//! Beside the socket dataset.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    agent::{Agent, module, text},
    auditd::Auditd,
    host::{Host, run},
};

const LIMIT: Duration = Duration::from_secs(60);

fn both(rules: &str, options: &str) -> String {
    module(rules, options) + "- {module: system, datasets: [socket]}\n"
}

/// Whether the socket dataset can run here: it needs more of a kernel than audit does.
fn has_sockets() -> Result<(), String> {
    let doctor = Command::new(env!("CARGO_BIN_EXE_socket-agent")).arg("doctor").output().unwrap();
    if doctor.status.success() {
        Ok(())
    } else {
        Err("no hook set can be attached here".to_owned())
    }
}

fn agent() -> Command {
    Command::new(env!("CARGO_BIN_EXE_socket-agent"))
}

#[test]
fn a_process_has_the_same_id_in_both_and_one_that_is_gone_too() {
    let host = or_skip!(Host::take());
    or_skip!(has_sockets());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let rules = "-a always,exit -F arch=b64 -S connect -k net\n\
                 -a always,exit -F arch=b64 -S execve -k exec";
    let agent = Agent::start_as(agent(), &both(rules, ""), 2);
    run("bash", &["-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port}")]);
    for _ in 0..50 {
        run("true", &["gone at once"]);
    }
    let stopped = agent.stop();
    stopped.assert_nothing_lost();

    let connect = stopped.one("the call", |it| {
        text(it, "/event/module") == "auditd" && it["destination"]["port"] == port
    });
    let flow = stopped.one("the flow", |it| {
        text(it, "/event/dataset") == "socket"
            && it["destination"]["port"] == port
            && text(it, "/process/name") == "bash"
    });
    assert_eq!(connect["process"]["pid"], flow["process"]["pid"]);
    assert_eq!(text(connect, "/process/entity_id"), text(flow, "/process/entity_id"));
    assert!(!text(connect, "/process/entity_id").is_empty());

    let gone =
        stopped.find(|it| it["process"]["args"] == serde_json::json!(["true", "gone at once"]));
    assert_eq!(gone.len(), 50);
    let known = gone.iter().filter(|it| !text(it, "/process/entity_id").is_empty()).count();
    assert_eq!(known, 50, "the kernel has told of every one");
    drop(host);
}

/// A cgroup as a container's; removed when dropped.
struct Cgroup(PathBuf);

impl Cgroup {
    fn make(id: &str) -> Result<Self, String> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let of_kind = |line: &&str| line.split(' ').nth(2) == Some("cgroup2");
        let mount = mounts.lines().find(of_kind).and_then(|line| line.split(' ').nth(1));
        let mount = mount.ok_or("no cgroup v2 hierarchy is mounted")?;
        let path = Path::new(mount).join(format!("docker-{id}.scope"));
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn containers_are_named_with_the_socket_dataset_and_without() {
    let host = or_skip!(Host::take());
    let id = format!("{:064x}", std::process::id());
    let cgroup = or_skip!(Cgroup::make(&id));
    let rules = "-a always,exit -F arch=b64 -S execve -k exec";
    // Before and after it moves, it lives until the agent has seen it: without the kernel's records
    // there is only /proc.
    let script = "/bin/sleep 1; echo $$ > \"$1\"/cgroup.procs && exec /bin/sleep 0.5";
    let mut configurations = vec![(module(rules, ""), 1)];
    if has_sockets().is_ok() {
        configurations.push((both(rules, ""), 2));
    }
    for (configuration, count) in configurations {
        let agent = Agent::start_as(agent(), &configuration, count);
        run("/bin/sh", &["-c", script, "sh", cgroup.0.to_str().unwrap()]);
        let stopped = agent.stop();
        let inside = stopped.one("the program inside", |it| {
            it["process"]["args"] == serde_json::json!(["/bin/sleep", "0.5"])
        });
        assert_eq!(text(inside, "/container/id"), id, "{count} datasets: {inside}");
        assert_eq!(text(inside, "/container/runtime"), "docker");
        let outside = stopped.one("the program outside", |it| {
            it["process"]["args"][0] == "/bin/sh" && it["process"]["args"][3] == "sh"
        });
        assert_ne!(text(outside, "/container/id"), id, "{count} datasets: {outside}");
    }
    drop(host);
}

#[test]
fn one_that_cannot_start_does_not_end_the_other() {
    let mut host = or_skip!(Host::take());
    or_skip!(has_sockets());
    let daemon = or_skip!(Auditd::start(&mut host));
    let mut running = Agent::start_as(agent(), &both("", "socket_type: unicast"), 1);
    running.wait_for_line(LIMIT, "cannot start");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    run("bash", &["-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port}")]);
    running.terminate();
    let stopped = running.wait();
    assert!(stopped.status.success());
    let mentions = |line: &String| {
        line.contains("ERROR agent: the dataset auditd cannot start, the others go on: ")
    };
    assert!(stopped.log.iter().any(mentions), "{:#?}", stopped.log);
    assert!(!stopped.find(|it| it["destination"]["port"] == port).is_empty());
    drop(daemon);

    // The other way round: hooks that no kernel has without the means for them.
    let hooks = both("-a always,exit -S acct", "") + "  socket.btf: /nonexistent/btf\n";
    let hooks = hooks.replace(
        "- {module: system, datasets: [socket]}\n",
        "- module: system\n  datasets: [socket]\n",
    );
    let mut running = Agent::start_as(agent(), &hooks, 1);
    running.wait_for_line(LIMIT, "cannot start");
    let stopped = running.stop();
    let mentions = |line: &String| {
        line.contains("ERROR agent: the dataset socket cannot start, the others go on: ")
    };
    assert!(stopped.log.iter().any(mentions), "{:#?}", stopped.log);

    // Neither can.
    let neither = hooks.replace("- module: auditd\n", "- module: auditd\n  socket_type: unicast\n");
    let daemon = or_skip!(Auditd::start(&mut host));
    let said = Agent::refused(agent(), &neither);
    assert!(said.contains("error: no dataset can start: "), "{said}");
    assert!(said.contains("socket: ") && said.contains("auditd: "), "{said}");
    drop(daemon);
}
