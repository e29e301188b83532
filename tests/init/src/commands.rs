//! Runs the commands and carries what they print.

use std::{
    fs,
    io::{ErrorKind, Read},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context as _, Result};
use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{WaitStatus, waitpid},
    },
    unistd::Pid,
};
use vm_init::Frame;

use crate::{conversation::Conversation, port::Port};

/// Statuses that a shell gives to what it cannot run.
const NOT_FOUND: u8 = 127;
const NOT_RUNNABLE: u8 = 126;

/// Runs every command in order, whatever became of the one before.
pub(crate) fn run_all(port: &Port) -> Result<()> {
    for number in 0.. {
        let path = vm_init::command_file(number);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => break,
            Err(error) => return Err(error).with_context(|| format!("read {path}")),
        };
        let status = run(&vm_init::decode_command(&text), port)?;
        port.send(&Frame::Exit(status))?;
    }
    Ok(())
}

fn run(command: &[String], port: &Port) -> Result<u8> {
    let (program, arguments) = command.split_first().context("the command is empty")?;
    // The test runner makes traffic of its own.
    let _conversation = (!program.ends_with("scenarios")).then(Conversation::start);
    let spawned = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs([
            ("PATH", "/bin"),
            ("HOME", "/root"),
            ("TMPDIR", "/tmp"),
            ("TERM", "dumb"),
            ("DISPOSABLE_MACHINE", "1"),
        ])
        .current_dir("/root")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            port.send(&Frame::Problem(format!("cannot run {program} in the guest: {error}")))?;
            let missing = error.kind() == ErrorKind::NotFound;
            return Ok(if missing { NOT_FOUND } else { NOT_RUNNABLE });
        }
    };
    let stdout = child.stdout.take().context("the command has no standard output")?;
    let stderr = child.stderr.take().context("the command has no standard error")?;
    thread::scope(|scope| {
        let out = scope.spawn(|| carry(stdout, port, Frame::Stdout));
        let err = scope.spawn(|| carry(stderr, port, Frame::Stderr));
        let status = wait(Pid::from_raw(child.id().cast_signed()));
        // What it left running would hold the pipes open, and disturb the next command.
        end_all();
        for carrier in [out, err] {
            carrier.join().map_err(|_| anyhow::anyhow!("a carrier of output panicked"))??;
        }
        status
    })
}

/// Waits for one child, and as the first process for everyone else's orphans meanwhile.
fn wait(main: Pid) -> Result<u8> {
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, status)) if pid == main => return Ok(status as u8),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == main => {
                return Ok(128 + signal as u8);
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context("wait for the command"),
        }
    }
}

fn end_all() {
    // Fails only when there is nobody to end.
    if kill(Pid::from_raw(-1), Signal::SIGKILL).is_ok() {
        while waitpid(None, None).is_ok() {}
    }
}

fn carry(mut from: impl Read, port: &Port, frame: fn(Vec<u8>) -> Frame) -> Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => port.send(&frame(buffer[..count].to_vec()))?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("read the command's output"),
        }
    }
}
