//! Where the members of kernel structures are that the probes fetch.

mod members;

pub(super) use members::Member;

use std::path::Path;

use super::probe::Shapes;
use crate::{
    SensorError,
    btf::{self, Types},
};

/// Where the kernel publishes its own type information (5.4 with CONFIG_DEBUG_INFO_BTF).
pub(super) const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Offset and size of a member, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MemberLayout {
    pub(super) offset: u32,
    pub(super) size: u8,
}

/// Offsets of the members that are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offsets {
    layouts: [Option<MemberLayout>; Member::COUNT],
}

impl Default for Offsets {
    fn default() -> Self {
        Self { layouts: [None; Member::COUNT] }
    }
}

impl Offsets {
    /// Offset and size of a member, if they are known.
    pub(super) fn get(&self, member: Member) -> Option<MemberLayout> {
        self.layouts[member as usize]
    }

    /// Sets the offset and size of a member.
    pub(super) fn set(&mut self, member: Member, layout: MemberLayout) {
        self.layouts[member as usize] = Some(layout);
    }

    /// The members whose offset is not known.
    pub(super) fn missing(&self) -> Vec<Member> {
        Member::ALL.iter().copied().filter(|member| self.get(*member).is_none()).collect()
    }

    /// Looks all members up in type information.
    fn of_types(types: &Types) -> Self {
        let described = types.members();
        let mut offsets = Self::default();
        for member in Member::ALL {
            let (structure, path) = member.path();
            if let Some(found) = described.find(structure, path).filter(btf::Member::is_whole)
                && let Ok(size) = u8::try_from(found.size)
            {
                let offset = found.offset;
                offsets.set(*member, MemberLayout { offset, size });
            }
        }
        offsets
    }
}

/// Offsets from type information: the file that is given, else the kernel's own. `None` if there is
/// neither.
///
/// # Errors
///
/// The file that is given is unreadable or no type information of a kernel.
pub(super) fn from_btf(file: Option<&Path>) -> Result<Option<(Offsets, Shapes)>, SensorError> {
    let Some(path) = file else {
        let types = std::fs::read(KERNEL_BTF).ok().and_then(Types::parse);
        return Ok(types.map(|types| described(&types)));
    };
    let wrong = |reason: String| SensorError::Btf {
        place: path.into(),
        reason,
        remedy: "give the BTF of the running kernel, or leave the option out: offsets are then \
                 found by trying",
    };
    let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let bytes = section_of_elf(&bytes).unwrap_or(bytes);
    let types = Types::parse(bytes).ok_or_else(|| wrong("the file is not BTF".into()))?;
    if !types.has_struct("sock_common") {
        return Err(wrong("it does not describe a kernel: struct sock_common is not in it".into()));
    }
    Ok(Some(described(&types)))
}

fn described(types: &Types) -> (Offsets, Shapes) {
    (Offsets::of_types(types), Shapes::of(|function| types.arguments(function)))
}

/// The section `.BTF` of an ELF file.
fn section_of_elf(bytes: &[u8]) -> Option<Vec<u8>> {
    use object::{Object as _, ObjectSection as _};
    let file = object::File::parse(bytes).ok()?;
    Some(file.section_by_name(".BTF")?.data().ok()?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_kernel_has_what_a_socket_needs() {
        let Ok(Some((offsets, shapes))) = from_btf(None) else {
            eprintln!("skipped: this kernel publishes no BTF");
            return;
        };
        for member in [Member::SkcDaddr, Member::SkbLen, Member::TaskPid, Member::GsoSize] {
            assert!(offsets.get(member).is_some(), "{member:?}");
        }
        assert_eq!((shapes.output_buffer, shapes.taking_socket), (2, 0));
        assert_eq!(offsets.get(Member::SkcDport).map(|layout| layout.size), Some(2));
    }

    #[test]
    fn a_file_that_is_no_btf_is_refused() {
        let error = from_btf(Some(Path::new("/proc/self/exe"))).unwrap_err();
        assert!(error.to_string().contains("not BTF"), "{error}");
    }
}
