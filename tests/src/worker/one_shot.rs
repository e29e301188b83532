//! One-shot processes, which send one datagram and exit, each in its own unusual way.

use std::{
    ffi::{CStr, CString},
    fs,
    io::{self, Write},
    net::{SocketAddr, TcpListener, UdpSocket},
    os::unix::{ffi::OsStrExt, process::CommandExt as _},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    thread,
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sys::memfd::{MFdFlags, memfd_create},
    unistd::{fexecve, getpid},
};

use super::executable;
use crate::net::Netns;

/// Length of the datagram.
pub const BYTES: u64 = 321;
/// The executable of [`Way::Memory`], as the kernel calls it.
pub const MEMORY: &str = "/memfd:worker";
/// First argument of [`Way::Disguised`].
const DISGUISE: &str = "[kworker/0:1]";

/// In which way a one-shot process sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// Sends as any program would.
    Plain,
    /// A thread sends when the leader of the process has exited.
    Leaderless,
    /// Executes itself from memory (`memfd_create`, `execveat`), then sends.
    Memory,
    /// A thread executes the program anew, which makes it the leader.
    FromThread,
    /// As any program would, under the name of a thread of the kernel.
    Disguised,
    /// Sends nothing, but listens there until it is ended.
    Listening,
}

/// A one-shot process that has been started.
#[derive(Debug)]
pub struct OneShot {
    /// Process id.
    pub pid: u32,
    /// All of its arguments, as it sends.
    pub arguments: Vec<String>,
    /// In which way it sends.
    pub way: Way,
    child: Option<Child>,
}

impl OneShot {
    /// Starts a process that sends to `target`; `extra` are further arguments that mean nothing.
    pub fn start(netns: &Netns, target: SocketAddr, way: Way, extra: &[String]) -> Result<Self> {
        let program = executable()?;
        let mut command = Command::new(&program);
        let rest = arguments(target, way, extra);
        if way == Way::Disguised {
            command.arg0(DISGUISE);
        }
        command.args(&rest).stdin(Stdio::null()).stdout(Stdio::null());
        let child = netns.run(|| command.spawn().context("starting a one-shot process"))?;
        // From memory and from a thread it executes itself as a plain one.
        let last = match way {
            Way::Memory | Way::FromThread => arguments(target, Way::Plain, extra),
            Way::Plain | Way::Leaderless | Way::Disguised | Way::Listening => rest,
        };
        let first = if way == Way::Disguised { Path::new(DISGUISE) } else { &program };
        let arguments = whole(first, last);
        Ok(Self { pid: child.id(), arguments, way, child: Some(child) })
    }

    /// As [`OneShot::start`], with a process id that is free: `None` if it is not any more.
    pub fn start_as(pid: u32, netns: &Netns, target: SocketAddr) -> Result<Option<Self>> {
        let program = executable()?;
        let arguments = whole(&program, arguments(target, Way::Plain, &["again".to_owned()]));
        let path = CString::new(program.as_os_str().as_bytes())?;
        let words: Vec<CString> =
            arguments.iter().map(|word| CString::new(word.as_str())).collect::<Result<_, _>>()?;
        match netns.run(|| Ok(clone_and_execute(pid, &path, &words)))? {
            Ok(()) => Ok(Some(Self { pid, arguments, way: Way::Plain, child: None })),
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(None),
            Err(error) => Err(error).context("clone3 with a given pid"),
        }
    }

    /// Waits until the process has exited.
    pub fn wait(&mut self) -> Result<()> {
        let good = match &mut self.child {
            Some(child) => child.wait()?.success(),
            None => {
                let pid = nix::unistd::Pid::from_raw(self.pid.cast_signed());
                let status = nix::sys::wait::waitpid(pid, None)?;
                matches!(status, nix::sys::wait::WaitStatus::Exited(_, 0))
            }
        };
        ensure!(good, "one-shot process {} failed", self.pid);
        Ok(())
    }
}

fn arguments(target: SocketAddr, way: Way, extra: &[String]) -> Vec<String> {
    let way = clap::ValueEnum::to_possible_value(&way).map(|value| value.get_name().to_owned());
    let fixed = ["one-shot".to_owned(), target.to_string(), way.unwrap_or_default()];
    fixed.into_iter().chain(extra.iter().cloned()).collect()
}

fn whole(program: &Path, rest: Vec<String>) -> Vec<String> {
    [program.to_string_lossy().into_owned()].into_iter().chain(rest).collect()
}

/// `struct clone_args` (5.5), which is not known of every architecture. Source: `linux/sched.h`.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    unused: [u64; 4],
    exit_signal: u64,
    /// Stack, its size, thread-local storage.
    memory: [u64; 3],
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// A child with the given pid that executes a program.
fn clone_and_execute(pid: u32, program: &CStr, words: &[CString]) -> io::Result<()> {
    let mut pointers: Vec<*const libc::c_char> = words.iter().map(|word| word.as_ptr()).collect();
    pointers.push(std::ptr::null());
    let environment = [std::ptr::null()];
    let wanted = [pid.cast_signed()];
    let request = CloneArguments {
        exit_signal: libc::SIGCHLD as u64,
        set_tid: wanted.as_ptr() as u64,
        set_tid_size: wanted.len() as u64,
        ..CloneArguments::default()
    };
    // SAFETY: a fork by another name; the child does nothing but what is safe after one.
    match unsafe { libc::syscall(libc::SYS_clone3, &raw const request, size_of_val(&request)) } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: valid strings in arrays that end with a null pointer.
        0 => unsafe {
            libc::execve(program.as_ptr(), pointers.as_ptr(), environment.as_ptr());
            libc::_exit(127)
        },
        _ => Ok(()),
    }
}

/// The main function of a one-shot process.
pub fn main(target: SocketAddr, way: Way, extra: &[String]) -> ExitCode {
    let result = match way {
        Way::Plain | Way::Disguised => send(target),
        Way::Listening => listen(target),
        Way::Leaderless => leaderless(target),
        Way::Memory => from_memory(target, extra),
        Way::FromThread => thread::scope(|scope| {
            let again = scope.spawn(|| execute(&fs::File::open("/proc/self/exe")?, target, extra));
            again.join().unwrap_or_else(|_| bail!("the thread panicked"))
        }),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("one-shot process {}: {error:#}", getpid());
            ExitCode::FAILURE
        }
    }
}

fn send(target: SocketAddr) -> Result<()> {
    let any = SocketAddr::new(target.ip(), 0);
    let socket = UdpSocket::bind(any)?;
    socket.send_to(&[0; BYTES as usize], target)?;
    Ok(())
}

fn listen(target: SocketAddr) -> Result<()> {
    let _listener = TcpListener::bind(target)?;
    loop {
        thread::park();
    }
}

fn leaderless(target: SocketAddr) -> Result<()> {
    let leader = format!("/proc/self/task/{}/stat", getpid());
    thread::spawn(move || {
        // The state stands behind the name; a leader that has exited stays as a zombie.
        while !fs::read_to_string(&leader).is_ok_and(|stat| stat.contains(") Z ")) {
            thread::yield_now();
        }
        let good = send(target).is_ok();
        std::process::exit(i32::from(!good));
    });
    // SAFETY: ends this thread alone, which holds nothing that another needs.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    bail!("the leader is still there")
}

fn from_memory(target: SocketAddr, extra: &[String]) -> Result<()> {
    let memory = memfd_create("worker", MFdFlags::MFD_CLOEXEC)?;
    let mut memory = fs::File::from(memory);
    memory.write_all(&fs::read("/proc/self/exe")?)?;
    execute(&memory, target, extra)
}

/// Executes `file` as a plain one-shot process.
fn execute(file: &fs::File, target: SocketAddr, extra: &[String]) -> Result<()> {
    let program = std::env::args_os().next().context("no first argument")?;
    let words = whole(Path::new(&program), arguments(target, Way::Plain, extra));
    let words: Vec<CString> = words.into_iter().map(CString::new).collect::<Result<_, _>>()?;
    let environment: [&CStr; 0] = [];
    fexecve(file, &words, &environment)?;
    Ok(())
}
