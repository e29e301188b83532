//! What a distribution's boot would have done before a program runs.

use std::{fs, path::Path};

use anyhow::{Context as _, Error, Result};
use nix::{
    errno::Errno,
    kmod::{ModuleInitFlags, finit_module},
    mount::{MsFlags, mount},
    unistd::sethostname,
};

use crate::loopback;

/// File system type and mount point, in the order that parents need; `true` if every kernel has it.
const MOUNTS: [(&str, &str, bool); 9] = [
    ("proc", "/proc", true),
    ("sysfs", "/sys", true),
    ("devtmpfs", "/dev", true),
    ("tmpfs", "/tmp", true),
    ("cgroup2", "/sys/fs/cgroup", false),
    ("debugfs", "/sys/kernel/debug", false),
    ("tracefs", "/sys/kernel/tracing", false),
    ("securityfs", "/sys/kernel/security", false),
    ("bpf", "/sys/fs/bpf", false),
];

/// Files that programs take for granted.
const FILES: [(&str, &str); 5] = [
    ("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
    ("/etc/group", "root:x:0:\nnogroup:x:65534:\n"),
    ("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    ("/etc/machine-id", "5f0c9be1d9a44b0f8f3f7a2b6c1de001\n"),
    ("/etc/os-release", "ID=vm\nNAME=\"Virtual machine\"\nPRETTY_NAME=\"Virtual machine\"\n"),
];

const HOST_NAME: &str = "vm";

/// Mounts what the kernel offers; what a kernel may lack is left out.
pub(crate) fn mount_all() -> Result<()> {
    for (kind, target, required) in MOUNTS {
        // /sys/kernel/security and the like exist only where the kernel made them.
        if let Err(error) = fs::create_dir_all(target)
            && required
        {
            return Err(error).with_context(|| format!("create {target}"));
        }
        match mount(Some(kind), target, Some(kind), MsFlags::empty(), None::<&str>) {
            // A kernel may have mounted its devices already.
            Ok(()) | Err(Errno::EBUSY) => {}
            Err(error) if required => {
                return Err(error).with_context(|| format!("mount {kind} on {target}"));
            }
            Err(_) => {}
        }
    }
    Ok(())
}

/// Does the rest, and returns what went wrong: a command may well do without it.
pub(crate) fn prepare() -> Vec<Error> {
    let steps = [
        write_files(),
        sethostname(HOST_NAME).context("set the host name"),
        loopback::up(),
        load_modules(Path::new(vm_init::MODULES)),
    ];
    steps.into_iter().filter_map(Result::err).collect()
}

fn write_files() -> Result<()> {
    for dir in ["/etc", "/root", "/var/lib", "/run"] {
        fs::create_dir_all(dir).with_context(|| format!("create {dir}"))?;
    }
    for (path, text) in FILES {
        // One that the host put there is meant.
        if !Path::new(path).exists() {
            fs::write(path, text).with_context(|| format!("write {path}"))?;
        }
    }
    Ok(())
}

fn load_modules(list: &Path) -> Result<()> {
    let list = fs::read_to_string(list).with_context(|| format!("read {}", list.display()))?;
    for path in list.lines() {
        let file = fs::File::open(path).with_context(|| format!("open module {path}"))?;
        match finit_module(&file, c"", ModuleInitFlags::empty()) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(error) => return Err(error).with_context(|| format!("load module {path}")),
        }
    }
    Ok(())
}
