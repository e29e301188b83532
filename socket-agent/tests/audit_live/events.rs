//! Programs, files, connections, failed logins, seccomp: complete documents, and the order to stop
//! takes none away.

use std::{
    fs,
    net::TcpListener,
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
};

use crate::{
    agent::{Agent, module, text},
    host::{Host, needs, run},
};

#[test]
fn what_happens_is_told_in_full() {
    let host = or_skip!(Host::take());
    let folder = tempfile::tempdir().unwrap();
    let watched = folder.path().join("watched file");
    fs::write(&watched, "before\n").unwrap();
    let rules = format!(
        "-w /etc/passwd -p rwa -k identity\n\
         -a always,exit -F arch=b64 -S execve,execveat -k exec\n\
         -a always,exit -F arch=b64 -S connect -k net\n\
         -w '{}' -p wa -k changed\n",
        watched.display()
    );
    let options = "audit.restore_rules: true\ninclude_raw_message: true";
    let agent = Agent::start(&module(&rules, options));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // By its path: titles of programs that are looked for are those of their parents.
    run("/bin/cat", &["/etc/passwd"]);
    run("bash", &["-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port}")]);
    run("sh", &["-c", "echo after >> \"$1\"", "sh", watched.to_str().unwrap()]);
    // At once: what was made until now is in the documents all the same.
    let stopped = agent.stop();

    stopped.assert_nothing_lost();
    let started = stopped.one("cat", |it| {
        text(it, "/event/action") == "executed"
            && it["process"]["args"] == serde_json::json!(["/bin/cat", "/etc/passwd"])
    });
    assert_eq!(text(started, "/event/outcome"), "success");
    assert_eq!(started["tags"], serde_json::json!(["exec"]));
    assert_eq!(text(started, "/user/name"), "root");
    assert!(text(started, "/file/path").ends_with("/cat"));
    let cat = &started["process"]["pid"];

    let read = stopped.one("the file read", |it| {
        text(it, "/file/path") == "/etc/passwd" && it["process"]["pid"] == *cat
    });
    assert_eq!(text(read, "/event/action"), "opened-file");
    assert_eq!(text(read, "/process/title"), "/bin/cat /etc/passwd");
    let raw = text(read, "/event/original");
    for kind in ["SYSCALL", "CWD", "PATH", "PROCTITLE"] {
        assert!(raw.contains(&format!("type={kind} msg=audit(")), "{raw}");
    }

    let connected = stopped.one("the connection", |it| it["destination"]["port"] == port);
    assert_eq!(text(connected, "/event/action"), "connected-to");
    assert_eq!(text(connected, "/destination/ip"), "127.0.0.1");
    assert_eq!(text(connected, "/network/direction"), "egress");
    assert_eq!(text(connected, "/process/name"), "bash");

    let changed = stopped.one("the change", |it| {
        text(it, "/tags/0") == "changed" && text(it, "/auditd/message_type") == "syscall"
    });
    assert_eq!(text(changed, "/file/path"), watched.to_str().unwrap());
    assert_eq!(text(changed, "/process/name"), "sh");
    assert_eq!(text(changed, "/file/owner"), "root");
    drop(host);
}

#[test]
fn a_failed_login_is_told() {
    let host = or_skip!(Host::take());
    or_skip!(needs("su", "install util-linux").and(needs("setpriv", "install util-linux")));
    let agent = Agent::start(&module("-a always,exit -F arch=b64 -S acct", ""));
    // Not as root, who is not asked for a password. The right one is nobody's.
    let mut su = Command::new("setpriv");
    su.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "su", "root", "-c", "true"]);
    let status = su.stdin(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(!status.success());
    let stopped = agent.stop();
    let login = stopped.one("the failed login", |it| text(it, "/event/action") == "authenticated");
    assert_eq!(text(login, "/event/outcome"), "failure");
    assert_eq!(login["event"]["category"], serde_json::json!(["authentication"]));
    assert_eq!(text(login, "/auditd/message_type"), "user_auth");
    assert!(login.to_string().contains("root"), "{login}");
    drop(host);
}

#[test]
fn seccomp_kills_are_told_with_the_name_of_the_call() {
    let host = or_skip!(Host::take());
    let agent = Agent::start(&module("-a always,exit -F arch=b64 -S acct", ""));
    let mut child = Command::new("true");
    // SAFETY: one system call.
    unsafe {
        child.pre_exec(|| {
            libc::prctl(libc::PR_SET_SECCOMP, 1, 0, 0, 0);
            Ok(())
        });
    }
    // Killed by its next call, which is none of the four that are allowed then.
    assert!(!child.spawn().unwrap().wait().unwrap().success());
    let stopped = agent.stop();
    let killed =
        stopped.one("the kill", |it| text(it, "/event/action") == "violated-seccomp-policy");
    let call = text(killed, "/auditd/data/syscall");
    assert!(!call.is_empty() && call.bytes().all(|it| !it.is_ascii_digit()), "{killed}");
    assert!(killed["process"]["pid"].is_u64(), "{killed}");
    drop(host);
}
