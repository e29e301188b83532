//! Fits an object to a kernel before it is loaded, so that the loader has nothing to do with types.
//!
//! Old kernels need that twice. Those before 4.18 know no BTF, and those of about 4.19 refuse that of the object.
//! And a field that a kernel lacks leaves an instruction that no verifier takes, which newer ones never look at, as
//! they see that it is not reached: verifiers of before 5.1 follow both ways of most conditions.

use std::ops::Range;

use aya_obj::{Object, btf::Btf};
use object::{Object as _, ObjectSection as _, SectionIndex};

use crate::error::one_line;

/// Bytes of an instruction.
const INSTRUCTION: usize = 8;
/// `BPF_JMP | BPF_CALL`: what the loader puts where the offset of a field would be that is not there.
const CALL: u8 = 0x85;
/// Sections that describe types.
const TYPES: [&str; 2] = [".BTF", ".BTF.ext"];

/// The object with the offsets of `target` in its instructions, and without types. Offsets of fields that are not
/// there stay as the compiler left them: the programs do not use them.
pub(super) fn fit(bytes: &[u8], target: &Btf) -> Result<Vec<u8>, String> {
    let original = Object::parse(bytes).map_err(|error| one_line(&error))?;
    let mut fitted = Object::parse(bytes).map_err(|error| one_line(&error))?;
    fitted.relocate_btf(target).map_err(|error| one_line(&error))?;
    let file = object::File::parse(bytes).map_err(|error| error.to_string())?;
    let mut new = bytes.to_vec();
    for (key, function) in &fitted.functions {
        let before = original.functions.get(key).ok_or("a function has gone")?;
        let section = file
            .section_by_index(SectionIndex(function.section_index.0))
            .map_err(|error| error.to_string())?;
        let (start, _) = section.file_range().ok_or("a section without content")?;
        let start = usize::try_from(start).map_err(|error| error.to_string())?;
        let pairs = function.instructions.iter().zip(&before.instructions);
        for (index, (instruction, before)) in pairs.enumerate() {
            let poisoned = instruction.code == CALL && before.code != CALL;
            if poisoned || instruction.imm == before.imm {
                continue;
            }
            let at = start + function.section_offset + index * INSTRUCTION;
            let place = new.get_mut(at + 4..at + INSTRUCTION).ok_or("a section is cut")?;
            place.copy_from_slice(&instruction.imm.to_le_bytes());
        }
    }
    for range in names(bytes, &file)? {
        // Sections that nobody knows are left alone.
        new.get_mut(range).ok_or("a name is cut")?[0] = b'_';
    }
    Ok(new)
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
        btf::{Known, write},
        ebpf::EARLY_OBJECT,
    };

    fn instructions(bytes: &[u8], program: &str) -> Vec<(u8, i32)> {
        let object = Object::parse(bytes).unwrap();
        let function = object.functions.values().find(|function| function.name == program).unwrap();
        function.instructions.iter().map(|one| (one.code, one.imm)).collect()
    }

    #[test]
    fn offsets_are_in_place_and_nothing_is_poisoned() {
        let known = [Known { structure: "task_struct", path: "pid", offset: 4711, size: 4 }];
        let target = Btf::parse(&write(&known), object::Endianness::Little).unwrap();
        let fitted = fit(EARLY_OBJECT, &target).unwrap();
        let before = instructions(EARLY_OBJECT, "early_fork");
        let after = instructions(&fitted, "early_fork");
        assert!(after.iter().any(|(_, imm)| *imm == 4711));
        assert!(before.iter().zip(&after).all(|(before, after)| before.0 == after.0));
        let there = |object: &[(u8, i32)]| object.iter().filter(|(_, imm)| *imm == 1).count();
        assert!(there(&after) < there(&before), "what is not there is told");
        let object = Object::parse(&fitted).unwrap();
        assert!(object.btf.is_none() && object.btf_ext.is_none());
    }
}
