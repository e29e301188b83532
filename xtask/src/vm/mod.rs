//! Virtual machines that boot a kernel, run commands in it and give back what they printed.

mod file;
mod machine;
mod qemu;
mod session;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use vm_init::Frame;

pub(crate) use self::{
    file::SharedFile,
    machine::{End, Ended, Machine},
    qemu::ensure as ensure_emulator,
    session::{Exit, Spent},
};
use crate::{
    build::{self, Target},
    cli::VmOptions,
    kernel::{self, List},
    paths::Paths,
    pins::Pins,
};

/// The machine ran out of time.
const TIMED_OUT: u8 = 124;
/// The machine itself failed.
const FAILED: u8 = 125;

/// `cargo xtask vm`.
pub(crate) fn command(paths: &Paths, pins: &Pins, options: &VmOptions) -> Result<ExitCode> {
    let arch = &options.arch;
    ensure_emulator(paths, pins, arch)?;
    for file in &options.files {
        file.check()?;
    }
    let list = List::read(paths)?;
    let kernel = match (&options.kernel, &options.kernel_image) {
        (_, Some(image)) => kernel::from_image(image, arch, &list)?,
        (Some(name), None) => kernel::ensure(paths, &list, list.find(name, arch)?)?,
        (None, None) => bail!("which kernel? give --kernel NAME or --kernel-image FILE"),
    };
    let programs = build::for_target(paths, pins, &Target::of_arch(arch), "release")?;
    let machine = Machine {
        kernel: &kernel,
        commands: std::slice::from_ref(&options.command),
        files: &options.files,
        timeout: options.timeout,
        cmdline: &options.cmdline,
        cpus: options.cpus,
        memory: options.memory,
        nice: 0,
    };
    let ended = machine.run(paths, &programs, &mut |frame| print(frame))?;
    let code = match ended.end {
        End::Done => ended.exits.first().context("the guest did not run the command")?.status,
        End::TimedOut(reason) => {
            eprintln!("error: {reason}");
            TIMED_OUT
        }
        End::Panicked(reason) | End::Failed(reason) => {
            eprintln!("error: {reason}");
            FAILED
        }
    };
    Ok(ExitCode::from(code))
}

/// Passes on what the guest says.
pub(crate) fn print(frame: &Frame) -> Result<()> {
    match frame {
        Frame::Stdout(bytes) => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes).and_then(|()| stdout.flush()).context("write the output")
        }
        Frame::Stderr(bytes) => {
            io::stderr().lock().write_all(bytes).context("write the guest's standard error")
        }
        Frame::Problem(reason) => {
            eprintln!("guest: {reason}");
            Ok(())
        }
        Frame::Ready | Frame::Exit(_) | Frame::Done => Ok(()),
    }
}
