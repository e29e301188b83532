//! The kernel's own type information.

use std::{cell::OnceCell, fs, path::Path};

use super::facility::Probe;
use crate::btf::Types;

const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Type information, read once and only if somebody asks for an id.
#[derive(Default)]
pub(super) struct KernelTypes {
    types: OnceCell<Option<Types>>,
}

impl KernelTypes {
    pub(super) fn probe(&self) -> Probe {
        let path = Path::new(VMLINUX);
        match fs::metadata(path) {
            Ok(file) if self.types().is_some() => {
                Probe::available(format!("{VMLINUX}, {} KiB", file.len() / 1024))
            }
            Ok(_) => Probe::missing(
                format!("{VMLINUX} cannot be read or parsed"),
                "check its permissions, or name a BTF file of this kernel with --btf",
            ),
            Err(error) => Probe::missing(
                format!("{VMLINUX}: {error}"),
                "use a kernel with CONFIG_DEBUG_INFO_BTF=y (5.4 or newer), or name a BTF file of \
                 this kernel with --btf",
            ),
        }
    }

    /// Id of a function.
    pub(super) fn function(&self, name: &str) -> Option<u32> {
        self.types()?.function(name)
    }

    /// Id of the prototype of a tracepoint.
    pub(super) fn tracepoint(&self, name: &str) -> Option<u32> {
        self.types()?.typedef(&format!("btf_trace_{name}"))
    }

    fn types(&self) -> Option<&Types> {
        self.types.get_or_init(|| fs::read(VMLINUX).ok().and_then(Types::parse)).as_ref()
    }
}
