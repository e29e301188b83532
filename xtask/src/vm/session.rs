//! A running machine as seen from the host.

use std::{
    fs,
    io::Read,
    process::{Child, ChildStdout},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use vm_init::{Decoder, Frame};

/// Time the machine has to stop by itself after its last frame.
const GRACE: Duration = Duration::from_secs(10);
/// `USER_HZ`, the same on every architecture Linux still has.
const TICKS_PER_SECOND: u64 = 100;

/// Ends the emulator when it goes out of scope.
pub(super) struct Session {
    child: Child,
    pieces: Receiver<Vec<u8>>,
    decoder: Decoder,
    started: Instant,
    deadline: Instant,
    ready: bool,
    exits: Vec<Exit>,
    spent: Spent,
}

/// Exit of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) status: u8,
    /// Since the command before it; of the first one, since the machine was started.
    pub(crate) spent: Spent,
}

/// Wall and processor time that a machine took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) wall: Duration,
    /// Processor time of the emulator.
    pub(crate) processor: Duration,
}

/// Why a session is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The guest said that nothing follows.
    Done,
    /// Time ran out first.
    TimedOut,
    /// The emulator ended first.
    Closed,
    /// These bytes were no frame.
    Garbled(String),
}

// === impl Session ===

impl Session {
    /// Takes over an emulator whose standard output is a pipe of frames.
    pub(super) fn new(mut child: Child, timeout: Duration) -> Result<Self> {
        let stdout = child.stdout.take().context("the emulator has no output")?;
        let (sender, pieces) = mpsc::channel();
        thread::spawn(move || read(stdout, &sender));
        let started = Instant::now();
        let deadline = started + timeout;
        let decoder = Decoder::default();
        let (exits, spent) = (Vec::new(), Spent::default());
        Ok(Self { child, pieces, decoder, started, deadline, ready: false, exits, spent })
    }

    /// Hands every frame to `sink` until the machine is over.
    pub(super) fn follow(&mut self, sink: &mut dyn FnMut(&Frame) -> Result<()>) -> Result<Stop> {
        loop {
            loop {
                let frame = match self.decoder.next_frame() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(text) => return Ok(Stop::Garbled(text)),
                };
                match &frame {
                    Frame::Ready => self.ready = true,
                    Frame::Exit(status) => self.exited(*status),
                    Frame::Done => {
                        self.wait();
                        return Ok(Stop::Done);
                    }
                    Frame::Stdout(_) | Frame::Stderr(_) | Frame::Problem(_) => {}
                }
                sink(&frame)?;
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            match self.pieces.recv_timeout(left) {
                Ok(piece) => self.decoder.push(&piece),
                Err(RecvTimeoutError::Timeout) => return Ok(Stop::TimedOut),
                Err(RecvTimeoutError::Disconnected) => return Ok(Stop::Closed),
            }
        }
    }

    /// Whether the guest came as far as its first command.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    pub(super) fn into_exits(mut self) -> Vec<Exit> {
        std::mem::take(&mut self.exits)
    }

    fn exited(&mut self, status: u8) {
        let now = Spent { wall: self.started.elapsed(), processor: processor_time(&self.child) };
        let spent = Spent {
            wall: now.wall.saturating_sub(self.spent.wall),
            processor: now.processor.saturating_sub(self.spent.processor),
        };
        self.spent = now;
        self.exits.push(Exit { status, spent });
    }

    /// Lets the machine stop by itself: the pipe closes with it.
    fn wait(&self) {
        while self.pieces.recv_timeout(GRACE).is_ok() {}
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process has used so far; nothing where the kernel does not report it.
fn processor_time(child: &Child) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    // Behind the name, which may hold anything, the fields are numbered from the third on.
    let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
    let ticks = behind.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}

fn read(mut stdout: ChildStdout, sender: &mpsc::Sender<Vec<u8>>) {
    let mut buffer = vec![0; 65536];
    loop {
        match stdout.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) if sender.send(buffer[..count].to_vec()).is_err() => return,
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// A session with a shell in the emulator's place.
    fn follow(script: &str, timeout: Duration) -> (Stop, Vec<Frame>, Vec<u8>) {
        let child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut session = Session::new(child, timeout).unwrap();
        let mut frames = Vec::new();
        let stop = session
            .follow(&mut |frame| {
                frames.push(frame.clone());
                Ok(())
            })
            .unwrap();
        let statuses = session.into_exits().iter().map(|exit| exit.status).collect();
        (stop, frames, statuses)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_whole_session() {
        let script = r"printf 'R\000\000O\002\000hiX\001\000\003D\000\000'";
        let (stop, frames, statuses) = follow(script, LONG);
        assert_eq!(stop, Stop::Done);
        assert_eq!(frames, [Frame::Ready, Frame::Stdout(b"hi".to_vec()), Frame::Exit(3)]);
        assert_eq!(statuses, [3]);
    }

    #[test]
    fn an_emulator_that_ends_early_is_noticed() {
        assert_eq!(follow(r"printf 'R\000\000O\002\000h'", LONG).0, Stop::Closed);
    }

    #[test]
    fn a_machine_that_says_nothing_runs_out_of_time() {
        assert_eq!(follow("exec sleep 600", Duration::ZERO).0, Stop::TimedOut);
    }

    #[test]
    fn other_output_is_shown() {
        assert_eq!(follow("printf 'oops'", LONG).0, Stop::Garbled("oops".into()));
    }
}
