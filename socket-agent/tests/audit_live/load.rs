//! Many programs in a short time: 20,000 a minute.

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

/// Programs in all; `AUDIT_LOAD` gives another number.
const PROGRAMS: u32 = 2_000;
/// Programs a second.
const RATE: f64 = 20_000.0 / 60.0;
/// One connection for so many programs.
const CONNECTS: u32 = 10;

/// Processor time that a process has taken, its own and the kernel's for it.
fn processor_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// What the agent takes is shown, and is worth something with a release build: name that by
/// `SOCKET_AGENT`.
#[test]
fn nothing_of_many_programs_is_lost() {
    let host = or_skip!(Host::take());
    let programs = std::env::var("AUDIT_LOAD").map_or(PROGRAMS, |text| text.parse().unwrap());
    let time = Duration::from_secs_f64(f64::from(programs) / RATE);
    let rules = "-w /etc/passwd -p rwa -k identity\n-w /etc/shadow -p rwa -k identity\n\
                 -w /etc/ssh -p wa -k ssh\n\
                 -a always,exit -F arch=b64 -S execve,execveat -k exec\n\
                 -a always,exit -F arch=b64 -S connect -k net";
    let configuration = module(rules, "audit.restore_rules: true");
    let agent = Agent::start_as(Command::new(program()), &configuration, 1);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (start, before) = (Instant::now(), processor_time(agent.pid()));
    for number in 0..programs {
        let due = time.mul_f64(f64::from(number) / f64::from(programs));
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
    assert_eq!(of_children("executed"), programs as usize);
    assert_eq!(of_children("opened-file"), programs as usize);
    let connects = stopped.find(|it| it["destination"]["port"] == address.port()).len();
    assert_eq!(connects, programs.div_ceil(CONNECTS) as usize);
    let share = used.as_secs_f64() / time.as_secs_f64() * 100.0;
    println!(
        "{programs} programs in {took:.1?}: {} documents, {used:.2?} of processor time, {share:.1} % \
         of one core in {time:.0?}; {resident}",
        stopped.documents.len()
    );
    // A build without optimisation takes several times as much.
    if !cfg!(debug_assertions) || std::env::var_os("SOCKET_AGENT").is_some() {
        assert!(share < 10.0, "{used:?} in {time:?}");
    }
    drop(host);
}
