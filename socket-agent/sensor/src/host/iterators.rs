//! Iterators over the files of tasks, which find the sockets that are open already.

use std::os::fd::AsFd;

use super::{
    bpf::{AttachType, ProgramType, create_link, load},
    btf::KernelTypes,
    facility::Probe,
};

pub(super) fn probe(types: &KernelTypes) -> Probe {
    let remedy = "use kernel 5.8 or newer with BTF; without, sockets that are open at the start \
                  have no owner";
    let Some(id) = types.function("bpf_iter_task_file") else {
        return Probe::missing("the kernel's BTF has no bpf_iter_task_file", remedy);
    };
    let linked = load(ProgramType::Tracing, AttachType::Iterator, id, 0)
        .and_then(|program| create_link(program.as_fd(), None, AttachType::Iterator));
    match linked {
        Ok(_) => Probe::available("task_file can be iterated"),
        Err(error) => Probe::failed("linking to task_file", &error, remedy),
    }
}
