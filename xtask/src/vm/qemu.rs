//! The emulator.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

use super::Machine;
use crate::{apt, command, paths::Paths, pins::Pins};

/// How machines of one architecture are emulated.
pub(super) struct Emulator {
    arch: &'static str,
    program: &'static str,
    machine: &'static str,
    cpu: &'static str,
    /// Further arguments: the second serial port, where the machine has but one.
    frames: &'static [&'static str],
    /// What the kernel is told beside what all are told.
    cmdline: &'static str,
}

/// All that the emulator can do, but: string instructions that kernels take for fast are emulated byte
/// by byte, a fifth level of page tables costs with every miss, signed pointers with every call.
/// Kernels that do not know that they are emulated would panic if the timer is late while they try it.
const EMULATORS: [Emulator; 3] = [
    Emulator {
        arch: "x86_64",
        program: "qemu-system-x86_64",
        machine: "q35",
        cpu: "max,erms=off,fsrm=off,la57=off",
        frames: &["-serial", "chardev:frames"],
        cmdline: "console=ttyS0 no_timer_check",
    },
    Emulator {
        arch: "i386",
        program: "qemu-system-i386",
        machine: "q35",
        cpu: "max,erms=off,fsrm=off",
        frames: &["-serial", "chardev:frames"],
        cmdline: "console=ttyS0 no_timer_check",
    },
    Emulator {
        arch: "aarch64",
        program: "qemu-system-aarch64",
        machine: "virt",
        cpu: "max,pauth=off,sve=off,sme=off",
        frames: &["-device", "pci-serial,chardev=frames"],
        cmdline: "console=ttyAMA0",
    },
];

/// Two serial ports: the kernel's log, and frames. A panic ends the machine at once, and so does a
/// kernel fault that would go on half alive.
const CMDLINE: &str = "8250.nr_uarts=4 panic=-1 oops=panic";

/// Installs the emulator of an architecture where it is missing.
pub(crate) fn ensure(paths: &Paths, pins: &Pins, arch: &str) -> Result<()> {
    if command::find(Emulator::of(arch)?.program).is_some() {
        return Ok(());
    }
    let packages = pins
        .debian
        .qemu
        .get(arch)
        .with_context(|| format!("ci/toolchain.toml: debian.qemu has no emulator of {arch}"))?;
    apt::install(paths, packages, "virtual machines need an emulator")
}

// === impl Emulator ===

impl Emulator {
    /// Emulator of an architecture.
    pub(super) fn of(arch: &str) -> Result<&'static Self> {
        EMULATORS.iter().find(|emulator| emulator.arch == arch).with_context(|| {
            let known: Vec<&str> = EMULATORS.iter().map(|emulator| emulator.arch).collect();
            format!("unknown architecture {arch}: virtual machines are {}", known.join(", "))
        })
    }

    /// Whether this machine's processors can run the guest.
    fn can_use_kvm(&self) -> bool {
        self.arch == "x86_64" && kvm_is_usable()
    }
}

/// The command that starts a machine; frames come out of its standard output.
pub(super) fn command(machine: &Machine<'_>, initramfs: &Path, log: &Path) -> Result<Command> {
    let emulator = Emulator::of(&machine.kernel.arch)?;
    // The emulator must not outlive this program, however that ends.
    let mut qemu = if command::find("setpriv").is_some() {
        let mut setpriv = command::nice("setpriv", machine.nice);
        setpriv.args(["--pdeathsig", "KILL", "--", emulator.program]);
        setpriv
    } else {
        command::nice(emulator.program, machine.nice)
    };
    let accelerator = if emulator.can_use_kvm() { "kvm" } else { "tcg" };
    let model = format!("{},accel={accelerator}", emulator.machine);
    let words = [emulator.cmdline, CMDLINE, machine.cmdline].join(" ");
    qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
        .args(["-machine", &model, "-cpu", emulator.cpu])
        .args(["-smp", &machine.cpus.to_string(), "-m", &format!("{}M", machine.memory)])
        .args(["-chardev", &format!("file,id=log,path={}", escape(log)), "-serial", "chardev:log"])
        .args(["-chardev", "stdio,id=frames,signal=off"])
        .args(emulator.frames)
        .arg("-kernel")
        .arg(&machine.kernel.image)
        .arg("-initrd")
        .arg(initramfs)
        .args(["-append", words.trim()]);
    Ok(qemu)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_emulator_has_a_package() {
        let pins = Pins::read(&Paths::find().unwrap()).unwrap();
        for emulator in &EMULATORS {
            assert!(!pins.debian.qemu[emulator.arch].is_empty(), "{}", emulator.arch);
        }
        let error = Emulator::of("mips").err().unwrap().to_string();
        assert!(error.contains("x86_64, i386, aarch64"), "{error}");
    }
}
