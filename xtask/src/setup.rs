//! Everything that any command needs; each command also gets its own part by itself.

use anyhow::Result;

use crate::{apt, build, deny, kernel, linker, paths::Paths, pins::Pins, toolchain, vm};

/// Installs what is missing and says so; silent when nothing is.
pub(crate) fn all(paths: &Paths, pins: &Pins) -> Result<()> {
    toolchain::try_again(paths);
    let compiler = toolchain::ensure(paths, pins)?;
    toolchain::ensure_clippy(paths, pins, &compiler)?;
    linker::ensure(paths, pins)?;
    build::ensure_libc(paths, pins)?;
    deny::ensure(paths, pins)?;
    apt::install(paths, &pins.debian.tests, "tests run them against the agent")?;
    apt::install_stopped(
        paths,
        &pins.debian.audit,
        "tests compare audit rules and events with theirs",
    )?;
    vm::ensure_emulator(paths, pins, "x86_64")?;
    let list = kernel::List::read(paths)?;
    // What runs elsewhere is fetched when it is asked for.
    for entry in list.entries().iter().filter(|entry| entry.arch == "x86_64") {
        kernel::ensure(paths, &list, entry)?;
    }
    Ok(())
}
