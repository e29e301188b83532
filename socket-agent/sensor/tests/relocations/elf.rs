//! The few parts of an ELF file that matter here.

use object::{Object as _, ObjectSection as _, read::elf::ElfFile64};

pub(crate) type Elf<'data> = ElfFile64<'data, object::Endianness>;

pub(crate) fn parse(bytes: &[u8]) -> Elf<'_> {
    Elf::parse(bytes).unwrap()
}

/// Content of a section.
pub(crate) fn section<'data>(elf: &Elf<'data>, name: &str) -> Option<&'data [u8]> {
    elf.section_by_name(name).map(|section| section.data().unwrap())
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The NUL-terminated text at `at`.
pub(crate) fn text_at(bytes: &[u8], at: usize) -> &str {
    let end = bytes[at..].iter().position(|byte| *byte == 0).unwrap();
    str::from_utf8(&bytes[at..at + end]).unwrap()
}
