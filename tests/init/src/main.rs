//! First process of a virtual machine: prepares it, runs the commands its initramfs names, sends
//! their output and statuses to the host and stops the machine.

mod commands;
mod conversation;
mod loopback;
mod port;
mod system;

use std::convert::Infallible;

use anyhow::{Context as _, Result, bail};
use nix::{
    sys::reboot::{RebootMode, reboot},
    unistd::getpid,
};
use vm_init::Frame;

use self::port::Port;

fn main() -> Result<()> {
    if getpid().as_raw() != 1 {
        bail!("vm-init is the first process of a virtual machine: see `cargo xtask vm --help`");
    }
    let Err(error) = serve();
    eprintln!("vm-init: {error:#}");
    halt()
}

/// Ends only with an error that keeps the host from being told anything over the port.
fn serve() -> Result<Infallible> {
    system::mount_all().context("mount the kernel's file systems")?;
    let port = Port::open()?;
    if let Err(error) = work(&port) {
        port.send(&Frame::Problem(format!("{error:#}")))?;
    }
    port.send(&Frame::Done)?;
    port.drain()?;
    halt()
}

fn work(port: &Port) -> Result<()> {
    for problem in system::prepare() {
        port.send(&Frame::Problem(format!("{problem:#}")))?;
    }
    port.send(&Frame::Ready)?;
    commands::run_all(port)
}

/// A restart, which the host's emulator turns into its own end, needs no driver; powering off does.
fn halt<T>() -> Result<T> {
    nix::unistd::sync();
    match reboot(RebootMode::RB_AUTOBOOT).context("stop the machine")? {}
}
