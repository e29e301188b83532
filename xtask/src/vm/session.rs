//! A running machine as seen from the host.

use std::{
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

/// Ends the emulator when it goes out of scope.
pub(super) struct Session {
    child: Child,
    pieces: Receiver<Vec<u8>>,
    decoder: Decoder,
    deadline: Instant,
    ready: bool,
    statuses: Vec<u8>,
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
        let deadline = Instant::now() + timeout;
        let decoder = Decoder::default();
        Ok(Self { child, pieces, decoder, deadline, ready: false, statuses: Vec::new() })
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
                    Frame::Exit(status) => self.statuses.push(*status),
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

    pub(super) fn into_statuses(mut self) -> Vec<u8> {
        std::mem::take(&mut self.statuses)
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
        (stop, frames, session.into_statuses())
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
