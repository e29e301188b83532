//! The relocations of an embedded object, read from its `.BTF.ext` section.
//!
//! Source: include/uapi/linux/bpf.h, `struct bpf_core_relo`; `struct btf_ext_header` of libbpf.

use btf_rs::{Btf, Type};
use object::Object as _;

use crate::elf::{self, text_at, u32_at};

/// What the loader puts into the instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// `BPF_CORE_FIELD_BYTE_OFFSET`
    Offset,
    /// `BPF_CORE_FIELD_EXISTS`
    Exists,
}

/// One relocation.
#[derive(Clone, Debug)]
pub(crate) struct Relocation {
    /// Number of the section in the file.
    pub(crate) section_index: usize,
    /// Of the instruction, bytes from the start of the section.
    pub(crate) at: usize,
    pub(crate) kind: Kind,
    /// `STRUCT.MEMBER[.MEMBER]`
    pub(crate) field: String,
    /// What the instruction holds before it is relocated: the offset in the object's own
    /// description of the struct, or 1.
    pub(crate) local: u64,
}

/// All of an object, in the order of the file.
pub(crate) fn relocations(object: &[u8]) -> Vec<Relocation> {
    let file = elf::parse(object);
    let types = elf::section(&file, ".BTF").unwrap();
    let extra = elf::section(&file, ".BTF.ext").unwrap();
    let btf = Btf::from_bytes(types).unwrap();
    let strings = &types[(u32_at(types, 4) + u32_at(types, 16)) as usize..];

    let start = (u32_at(extra, 4) + u32_at(extra, 24)) as usize;
    let body = &extra[start..start + u32_at(extra, 28) as usize];
    let size = u32_at(body, 0) as usize;
    assert_eq!(size, 16, "size of a relocation record");
    let mut found = Vec::new();
    let mut at = 4;
    while at < body.len() {
        let section = text_at(strings, u32_at(body, at) as usize);
        let section_index = file.section_by_name(section).map(|s| section_number(&s));
        let count = u32_at(body, at + 4) as usize;
        at += 8;
        for record in body[at..at + count * size].chunks_exact(size) {
            let path = text_at(strings, u32_at(record, 8) as usize);
            let (field, offset) = follow(&btf, u32_at(record, 4), path);
            let (kind, local) = match u32_at(record, 12) {
                0 => (Kind::Offset, offset),
                2 => (Kind::Exists, 1),
                other => panic!("{section}: {field}: unexpected kind of relocation {other}"),
            };
            found.push(Relocation {
                section_index: section_index.unwrap_or_else(|| panic!("no section {section}")),
                at: u32_at(record, 0) as usize,
                kind,
                field,
                local,
            });
        }
        at += count * size;
    }
    found
}

fn section_number<'data>(section: &impl object::ObjectSection<'data>) -> usize {
    section.index().0
}

/// The field that an access string such as `0:3:0` leads to, and its offset in bytes.
fn follow(btf: &Btf, id: u32, path: &str) -> (String, u64) {
    let indices: Vec<usize> = path.split(':').map(|index| index.parse().unwrap()).collect();
    assert_eq!(indices[0], 0, "the first step does not move");
    let mut current = btf.resolve_type_by_id(id).unwrap();
    let mut field = btf.resolve_name(current.as_btf_type().unwrap()).unwrap();
    let mut bits = 0;
    for index in &indices[1..] {
        let Type::Struct(structure) = current else { panic!("{field} has no members") };
        let member = &structure.members[*index];
        field = format!("{field}.{}", btf.resolve_name(member).unwrap());
        bits += u64::from(member.bit_offset());
        current = btf.resolve_chained_type(member).unwrap();
    }
    (field, bits / 8)
}
