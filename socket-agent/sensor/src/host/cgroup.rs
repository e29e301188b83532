//! Control groups, version 2, and programs on them, on which the `cgroup` set rests.

use std::{fs::File, io, os::fd::AsFd};

use super::{
    bpf::{AttachType, ProgramType, create_link, load},
    facility::Probe,
    mounts::cgroup2_mount,
};

/// Anywhere will do: without controllers, the hierarchy can be mounted beside those of version 1.
const MOUNT: &str = "mkdir -p /run/cgroup2 && mount -t cgroup2 none /run/cgroup2";

pub(super) fn probe_mount() -> Probe {
    match cgroup2_mount() {
        Some(path) => Probe::available(path.display().to_string()),
        None => Probe::missing("not mounted", MOUNT),
    }
}

/// Attaches a program that lets everything pass to the root of the hierarchy, for a moment.
pub(super) fn probe_skb() -> Probe {
    let program = match load(ProgramType::CgroupSkb, AttachType::CgroupEgress, 0, 1) {
        Ok(program) => program,
        Err(error) => {
            let remedy = "use a kernel with CONFIG_CGROUP_BPF=y, 4.10 or newer";
            return Probe::failed("loading a program", &error, remedy);
        }
    };
    let Some(mount) = cgroup2_mount() else {
        return Probe::missing("loads; there is no cgroup v2 to attach to", MOUNT);
    };
    let attached = File::open(&mount).and_then(|group| {
        create_link(program.as_fd(), Some(group.as_fd()), AttachType::CgroupEgress)
    });
    let mount = mount.display();
    match attached {
        Ok(_) => Probe::available(format!("attached to {mount}")),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            // No links before 5.7, and attaching without one would outlive a crash.
            Probe::available("loads; attaching was not tried, as this kernel has no links for it")
        }
        Err(error) => Probe::failed(
            &format!("loads, but attaching to {mount} is refused"),
            &error,
            "see which program is there with `bpftool cgroup tree`: one that was attached alone \
             keeps others out",
        ),
    }
}
