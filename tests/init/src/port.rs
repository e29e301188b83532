//! The serial port to the host.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result};
use nix::{
    fcntl::OFlag,
    sys::termios::{SetArg, cfmakeraw, tcdrain, tcgetattr, tcsetattr},
};
use vm_init::{Frame, PORT};

/// Shared by the threads that carry a command's output.
pub(crate) struct Port(Mutex<File>);

// === impl Port ===

impl Port {
    /// Opens the port so that bytes pass unchanged.
    pub(crate) fn open() -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NOCTTY.bits())
            .open(PORT)
            .with_context(|| format!("open {PORT}: the kernel needs a second 8250 serial port"))?;
        let mut settings = tcgetattr(&file).context("read the serial port's settings")?;
        cfmakeraw(&mut settings);
        tcsetattr(&file, SetArg::TCSANOW, &settings).context("set the serial port to raw")?;
        Ok(Self(Mutex::new(file)))
    }

    /// Sends one frame whole.
    pub(crate) fn send(&self, frame: &Frame) -> Result<()> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&frame.encode()).context("write to the serial port")
    }

    /// Waits until the last byte has left.
    pub(crate) fn drain(&self) -> Result<()> {
        let file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tcdrain(&*file).context("wait for the serial port")
    }
}
