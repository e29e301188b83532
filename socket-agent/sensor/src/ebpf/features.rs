//! What this kernel's type information says about its functions.

use std::path::Path;

use object::{Object as _, ObjectSection as _};

use crate::{SensorError, btf::Types};

/// Where the kernel publishes its own type information (5.4 with CONFIG_DEBUG_INFO_BTF).
pub(super) const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Function prototypes of the running kernel, and its other types.
pub(super) struct Prototypes(Option<Types>);

impl Prototypes {
    /// Reads the running kernel's own type information; without it nothing is known.
    pub(super) fn of_kernel() -> Self {
        Self(std::fs::read(KERNEL_BTF).ok().and_then(Types::parse))
    }

    /// The types they are part of.
    pub(super) fn types(&self) -> Option<&Types> {
        self.0.as_ref()
    }

    /// Number of arguments of a function; `None` if it is unknown or has several prototypes.
    pub(super) fn arguments(&self, function: &str) -> Option<usize> {
        self.0.as_ref()?.arguments(function)
    }

    /// Whether replies sent without a socket carry the socket they answer for, so that cgroup
    /// programs skip them: `ip_send_unicast_reply` got an argument for it in 6.13.
    pub(super) fn hides_replies(&self) -> bool {
        self.arguments("ip_send_unicast_reply").is_some_and(|count| count >= 10)
    }
}

/// Reads the type information of a kernel from a file given by the user: BTF as it is, or an ELF file
/// with a section `.BTF`.
///
/// # Errors
///
/// The file is missing, unreadable, holds no BTF, or has none of the kernel's socket types.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, SensorError> {
    let remedy = "give the BTF of the running kernel (for example from BTFHub), or leave the option \
                  out where /sys/kernel/btf/vmlinux exists";
    let wrong = |reason: String| SensorError::Btf { place: path.into(), reason, remedy };
    let mut bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    if bytes.starts_with(b"\x7fELF") {
        bytes = section(&bytes).map_err(wrong)?;
    }
    let types = Types::parse(bytes.clone()).ok_or_else(|| wrong("the file is not BTF".into()))?;
    if types.has_struct("sock_common") {
        Ok(bytes)
    } else {
        Err(wrong("it does not describe a kernel: struct sock_common is not in it".into()))
    }
}

/// The section `.BTF` of an ELF file.
fn section(file: &[u8]) -> Result<Vec<u8>, String> {
    let file = object::File::parse(file).map_err(|error| format!("not a whole ELF: {error}"))?;
    let section = file.section_by_name(".BTF").ok_or("the ELF file has no section .BTF")?;
    let data = section.data().map_err(|error| format!("section .BTF: {error}"))?;
    Ok(data.to_vec())
}
