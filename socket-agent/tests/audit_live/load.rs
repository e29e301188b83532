//! 20,000 programs in a minute.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{
    agent::{Agent, module, program, text},
    host::Host,
};

const PROGRAMS: u32 = 20_000;
const TIME: Duration = Duration::from_secs(60);
/// One connection for so many programs.
const CONNECTS: u32 = 10;

/// Processor time that a process has taken, its own and the kernel's for it.
fn processor_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// What the agent takes is shown: give it a release build by `SOCKET_AGENT`.
#[test]
#[ignore = "takes a minute: run it alone with `-- --ignored --nocapture load`"]
fn nothing_of_20000_programs_is_lost() {
    let host = or_skip!(Host::take());
    let rules = "-w /etc/passwd -p rwa -k identity\n-w /etc/shadow -p rwa -k identity\n\
                 -w /etc/ssh -p wa -k ssh\n\
                 -a always,exit -F arch=b64 -S execve,execveat -k exec\n\
                 -a always,exit -F arch=b64 -S connect -k net";
    let configuration = module(rules, "audit.restore_rules: true");
    let agent = Agent::start_as(Command::new(program()), &configuration, 1);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (start, before) = (Instant::now(), processor_time(agent.pid()));
    for number in 0..PROGRAMS {
        let due = TIME * number / PROGRAMS;
        thread::sleep(due.saturating_sub(start.elapsed()));
        let mut cat = Command::new("/bin/cat");
        cat.arg("/etc/passwd").stdout(std::process::Stdio::null());
        assert!(cat.status().unwrap().success());
        if number % CONNECTS == 0 {
            TcpStream::connect(address).unwrap();
            listener.accept().unwrap();
        }
    }
    let (took, used) = (start.elapsed(), processor_time(agent.pid()) - before);
    let resident = fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
    let resident = resident.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    let stopped = agent.stop();

    stopped.assert_nothing_lost();
    let own = u64::from(std::process::id());
    let of_children = |action: &str| {
        let of = |it: &&&serde_json::Value| {
            text(it, "/event/action") == action && it["process"]["parent"]["pid"] == own
        };
        stopped.documents.iter().collect::<Vec<_>>().iter().filter(of).count()
    };
    assert_eq!(of_children("executed"), PROGRAMS as usize);
    assert_eq!(of_children("opened-file"), PROGRAMS as usize);
    let connects = stopped.find(|it| it["destination"]["port"] == address.port()).len();
    assert_eq!(connects, (PROGRAMS / CONNECTS) as usize);
    let share = used.as_secs_f64() / TIME.as_secs_f64() * 100.0;
    println!(
        "{PROGRAMS} programs in {took:.1?}: {} documents, {used:.2?} of processor time, {share:.1} % \
         of one core in a minute; {resident}",
        stopped.documents.len()
    );
    assert!(share < 10.0, "{used:?} for the programs of a minute");
    drop(host);
}
