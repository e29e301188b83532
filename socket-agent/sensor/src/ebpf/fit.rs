//! Fits an object to a kernel before it is loaded, so that the loader has nothing to do with types.
//!
//! Old kernels need that twice. Those before 4.18 know no BTF, and those of about 4.19 refuse that of the object.
//! And a field that a kernel lacks leaves an instruction that no verifier takes, which newer ones never look at, as
//! they see that it is not reached: verifiers of before 5.1 follow both ways of most conditions.
//!
//! What the loader's library makes of each field is held against the agent's own reader of types. Of a bit field the
//! library gives the start of the unit that holds it, which is where no program finds it.

use std::ops::Range;

use aya_obj::{Function, Object, btf::Btf};
use object::{Endianness, Object as _, ObjectSection as _, SectionIndex};

use super::relocations::{Question, Relocation, relocations};
use crate::{
    btf::{Member, Members, Types},
    error::one_line,
};

/// Bytes of an instruction.
const INSTRUCTION: usize = 8;
/// `BPF_JMP | BPF_CALL`: what the library puts where the offset of a field would be that is not there.
const CALL: u8 = 0x85;
/// Sections that describe types.
const TYPES: [&str; 2] = [".BTF", ".BTF.ext"];
/// Fields that may be bit fields, and how many bits the programs can read: `sk_protocol` of eight, which then has
/// `sk_type` right behind it, and both of sixteen.
const BIT_FIELDS: [(&str, &str, &[u32]); 2] = [("sock", PROTOCOL, &[8, 16]), ("sock", KIND, &[16])];
const PROTOCOL: &str = "sk_protocol";
const KIND: &str = "sk_type";

/// The object with the offsets of a kernel in its instructions, and without types. Offsets of fields that are not
/// there stay as the compiler left them: the programs do not use them.
///
/// # Errors
///
/// The types are none, or do not go with the object; a field lies in a way that no program was written for; or the
/// two readers of types disagree.
pub fn fit(bytes: &[u8], kernel: &[u8]) -> Result<Vec<u8>, String> {
    let target = Btf::parse(kernel, Endianness::default()).map_err(|error| one_line(&error))?;
    let types = Types::parse(kernel.to_vec()).ok_or("the types of the kernel cannot be read")?;
    fit_to(bytes, &target, &types)
}

/// As [`fit`], with types that have been read already by both readers.
pub(super) fn fit_to(bytes: &[u8], target: &Btf, types: &Types) -> Result<Vec<u8>, String> {
    let members = types.members();
    let mut fitted = Object::parse(bytes).map_err(|error| one_line(&error))?;
    fitted.relocate_btf(target).map_err(|error| one_line(&error))?;
    let file = object::File::parse(bytes).map_err(|error| error.to_string())?;
    let mut new = bytes.to_vec();
    for relocation in relocations(&file)? {
        let (function, index) =
            instruction(&fitted, &relocation).ok_or("a relocation outside of the programs")?;
        let Some(value) = value(function, index, &relocation, &members)? else { continue };
        let section = file
            .section_by_index(SectionIndex(relocation.section))
            .map_err(|error| error.to_string())?;
        let (start, _) = section.file_range().ok_or("a section without content")?;
        let at = usize::try_from(start).map_err(|error| error.to_string())? + relocation.at;
        let place = new.get_mut(at + 4..at + INSTRUCTION).ok_or("a section is cut")?;
        place.copy_from_slice(&value.to_le_bytes());
    }
    for range in names(bytes, &file)? {
        // Sections that nobody knows are left alone.
        new.get_mut(range).ok_or("a name is cut")?[0] = b'_';
    }
    Ok(new)
}

/// The function with the instruction that a relocation is of, and the number of that in it.
fn instruction<'f>(fitted: &'f Object, relocation: &Relocation) -> Option<(&'f Function, usize)> {
    let inside = |function: &&Function| {
        let length = function.instructions.len() * INSTRUCTION;
        function.section_index.0 == relocation.section
            && (function.section_offset..function.section_offset + length).contains(&relocation.at)
    };
    let function = fitted.functions.values().find(inside)?;
    Some((function, (relocation.at - function.section_offset) / INSTRUCTION))
}

/// What an instruction has to hold; `None` if it stays as it is.
fn value(
    function: &Function,
    index: usize,
    relocation: &Relocation,
    members: &Members<'_>,
) -> Result<Option<i32>, String> {
    let Relocation { structure, path, question, .. } = relocation;
    let found = function.instructions.get(index).ok_or("a relocation outside of its program")?;
    let own = members.find(structure, path);
    let disagree = |reason: String| format!("{structure}.{path}: {reason}");
    match (question, own) {
        // One of another kind than the programs expect is none to them.
        (Question::Exists, own) if found.imm == 0 || own.is_some() => Ok(Some(found.imm)),
        (Question::Offset, _) if found.code == CALL => Ok(None),
        (Question::Exists, _) | (Question::Offset, None) => {
            Err(disagree("the loader finds it in the kernel's types, the agent does not".into()))
        }
        (Question::Offset, Some(own)) => {
            let place = i32::try_from(own.offset).map_err(|error| disagree(error.to_string()))?;
            if own.bits.is_some() {
                readable(structure, path, own, members).map_err(disagree)?;
            } else if place != found.imm {
                return Err(disagree(format!(
                    "the loader takes it for {}, the agent for {place} bytes behind the start",
                    found.imm
                )));
            }
            Ok(Some(place))
        }
    }
}

/// Whether the programs can read a bit field.
fn readable(
    structure: &str,
    path: &str,
    field: Member,
    members: &Members<'_>,
) -> Result<(), String> {
    let count = field.bits.map_or(0, |bits| bits.count);
    let known = BIT_FIELDS.iter().find(|(own, name, _)| (*own, *name) == (structure, path));
    let beside = || members.find(structure, KIND).is_some_and(|k| k.offset == field.offset + 1);
    let narrow = path == PROTOCOL && count == 8;
    match known {
        Some((.., widths))
            if field.is_whole() && widths.contains(&count) && (!narrow || beside()) =>
        {
            Ok(())
        }
        _ => Err(format!("a bit field of {count} bits here, which no program was written to read")),
    }
}

/// Where the names of the sections that describe types stand.
fn names(bytes: &[u8], file: &object::File<'_>) -> Result<Vec<Range<usize>>, String> {
    let object::File::Elf64(elf) = file else { return Err("not a 64-bit ELF file".into()) };
    let endian = elf.endian();
    let sections = elf.elf_section_table();
    let header = elf.elf_header();
    let index = object::read::elf::FileHeader::shstrndx(header, endian, bytes)
        .map_err(|error| error.to_string())?;
    let strings = sections.section(SectionIndex(index as usize)).map_err(|e| e.to_string())?;
    let start = usize::try_from(strings.sh_offset.get(endian)).map_err(|e| e.to_string())?;
    let mut found = Vec::new();
    for section in sections.iter() {
        let at = start + section.sh_name.get(endian) as usize;
        let named = |name: &&str| {
            bytes.get(at..).is_some_and(|rest| {
                rest.starts_with(name.as_bytes()) && rest.get(name.len()) == Some(&0)
            })
        };
        if TYPES.iter().any(named) {
            found.push(at..at + 1);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        btf::{Known, with_bit_fields, write},
        ebpf::{EARLY_OBJECT, OBJECT},
    };

    fn instructions(bytes: &[u8], program: &str) -> Vec<(u8, i32)> {
        let object = Object::parse(bytes).unwrap();
        let function = object.functions.values().find(|function| function.name == program).unwrap();
        function.instructions.iter().map(|one| (one.code, one.imm)).collect()
    }

    #[test]
    fn offsets_are_in_place_and_nothing_is_poisoned() {
        let known = [Known { structure: "task_struct", path: "pid", offset: 4711, size: 4 }];
        let fitted = fit(EARLY_OBJECT, &write(&known)).unwrap();
        let before = instructions(EARLY_OBJECT, "early_fork");
        let after = instructions(&fitted, "early_fork");
        assert!(after.iter().any(|(_, imm)| *imm == 4711));
        assert!(before.iter().zip(&after).all(|(before, after)| before.0 == after.0));
        let there = |object: &[(u8, i32)]| object.iter().filter(|(_, imm)| *imm == 1).count();
        assert!(there(&after) < there(&before), "what is not there is told");
        let object = Object::parse(&fitted).unwrap();
        assert!(object.btf.is_none() && object.btf_ext.is_none());
    }

    /// `struct sock` with these fields: name, first bit and number of bits.
    fn of_sock(fields: &[(&str, u32, u32)], object: &[u8]) -> Result<Vec<u8>, String> {
        fit(object, &with_bit_fields("sock", fields))
    }

    fn holds(fitted: &[u8], offset: i32) -> bool {
        let object = Object::parse(fitted).unwrap();
        let mut all = object.functions.values().flat_map(|function| &function.instructions);
        all.any(|instruction| instruction.imm == offset)
    }

    /// As 5.4 has them: flags, protocol and type in one unit of 32 bits.
    #[test]
    fn a_bit_field_is_read_where_it_begins_and_not_where_its_unit_does() {
        let fields =
            [("sk_userlocks", 37_124, 4), ("sk_protocol", 37_128, 8), ("sk_type", 37_136, 16)];
        for object in [OBJECT, EARLY_OBJECT] {
            let fitted = of_sock(&fields, object).unwrap();
            assert!(holds(&fitted, 4641), "sk_protocol");
            assert!(holds(&fitted, 4642), "sk_type");
            assert!(!holds(&fitted, 4640), "the unit that holds both");
        }
    }

    #[test]
    fn a_bit_field_that_no_program_can_read_is_refused() {
        for (wrong, fields) in [
            ("alone", vec![("sk_protocol", 128, 8), ("sk_type", 144, 16)]),
            ("narrow", vec![("sk_protocol", 128, 8), ("sk_type", 136, 8)]),
            ("shifted", vec![("sk_protocol", 131, 8), ("sk_type", 139, 16)]),
            ("another", vec![("sk_err", 128, 32)]),
        ] {
            let error = of_sock(&fields, EARLY_OBJECT).unwrap_err();
            assert!(error.contains("a bit field of"), "{wrong}: {error}");
        }
    }
}
