//! The emulator.

use std::{fs, path::Path, process::Command};

use anyhow::{Result, bail};

use super::Machine;
use crate::{apt, command, paths::Paths, pins::Pins};

const PROGRAM: &str = "qemu-system-x86_64";

/// Two serial ports: the kernel's log, and frames. A panic ends the machine at once, and so does a
/// kernel fault that would go on half alive.
const CMDLINE: &str = "console=ttyS0 8250.nr_uarts=4 panic=-1 oops=panic";

/// All that the emulator can do, but: string instructions that kernels take for fast are emulated byte
/// by byte, and a fifth level of page tables costs with every miss.
const CPU: &str = "max,erms=off,fsrm=off,la57=off";

/// Installs the emulator where it is missing.
pub(crate) fn ensure(paths: &Paths, pins: &Pins) -> Result<()> {
    if command::find(PROGRAM).is_some() {
        return Ok(());
    }
    apt::install(paths, &pins.debian.qemu, "virtual machines need an emulator")
}

/// Refuses an architecture that cannot be emulated yet.
pub(super) fn check_arch(arch: &str) -> Result<()> {
    if arch == "x86_64" {
        return Ok(());
    }
    bail!("unknown architecture {arch}: virtual machines are x86_64 only");
}

/// The command that starts a machine; frames come out of its standard output.
pub(super) fn command(machine: &Machine<'_>, initramfs: &Path, log: &Path) -> Command {
    // The emulator must not outlive this program, however that ends.
    let mut qemu = if command::find("setpriv").is_some() {
        let mut setpriv = Command::new("setpriv");
        setpriv.args(["--pdeathsig", "KILL", "--", PROGRAM]);
        setpriv
    } else {
        Command::new(PROGRAM)
    };
    let accelerator = if kvm_is_usable() { "kvm" } else { "tcg" };
    qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
        .args(["-machine", &format!("q35,accel={accelerator}"), "-cpu", CPU])
        .args(["-smp", &machine.cpus.to_string(), "-m", &format!("{}M", machine.memory)])
        .args(["-chardev", &format!("file,id=log,path={}", escape(log)), "-serial", "chardev:log"])
        .args(["-chardev", "stdio,id=frames,signal=off", "-serial", "chardev:frames"])
        .arg("-kernel")
        .arg(&machine.kernel.image)
        .arg("-initrd")
        .arg(initramfs)
        .args(["-append", format!("{CMDLINE} {}", machine.cmdline).trim()]);
    qemu
}

/// The device may be there on processors that cannot run guests: such a guest hangs.
fn kvm_is_usable() -> bool {
    let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let capable = flags
        .lines()
        .find(|line| line.starts_with("flags"))
        .is_some_and(|line| line.split_whitespace().any(|flag| flag == "vmx" || flag == "svm"));
    capable && fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok()
}

/// A comma separates the emulator's options unless it is doubled.
fn escape(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}
