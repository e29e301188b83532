//! What an object asks of the kernel's types: which instruction needs the offset of which field.
//!
//! Source: `include/uapi/linux/bpf.h`, `struct bpf_core_relo`; `struct btf_ext_header` of libbpf.

use object::{Object as _, ObjectSection as _};

use crate::btf::Types;

/// `BPF_CORE_FIELD_BYTE_OFFSET`.
const OFFSET: u32 = 0;
/// `BPF_CORE_FIELD_EXISTS`.
const EXISTS: u32 = 2;
/// Words of a relocation: position, type, path and kind.
const WORDS: usize = 4;

/// Kind of information that a relocation asks about a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Bytes from the start of its structure.
    Offset,
    /// Whether the kernel has the field.
    Exists,
}

/// An instruction whose number depends on the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Relocation {
    /// Number of the section in the file.
    pub(super) section: usize,
    /// Bytes from the start of the section.
    pub(super) at: usize,
    pub(super) question: Question,
    pub(super) structure: String,
    /// Names of members, separated by dots.
    pub(super) path: String,
}

/// All of an object, in the order of the file.
pub(super) fn relocations(file: &object::File<'_>) -> Result<Vec<Relocation>, String> {
    let section = |name: &str| -> Result<Vec<u8>, String> {
        let section = file.section_by_name(name).ok_or_else(|| format!("no section {name}"))?;
        section.data().map(<[u8]>::to_vec).map_err(|error| error.to_string())
    };
    let types = Types::parse(section(".BTF")?).ok_or("its types cannot be read")?;
    let extra = section(".BTF.ext")?;
    read(file, &types, &extra).ok_or_else(|| "its relocations cannot be read".to_owned())?
}

/// `None` where the section is cut.
fn read(
    file: &object::File<'_>,
    types: &Types,
    extra: &[u8],
) -> Option<Result<Vec<Relocation>, String>> {
    let members = types.members();
    let start = (word(extra, 4)?).checked_add(word(extra, 24)?)? as usize;
    let body = extra.get(start..start.checked_add(word(extra, 28)? as usize)?)?;
    let size = word(body, 0)? as usize;
    let (mut found, mut at) = (Vec::new(), 4);
    while at < body.len() {
        let name = str::from_utf8(types.name(word(body, at)?)).ok()?;
        let Some(section) = file.section_by_name(name).map(|section| section.index().0) else {
            return Some(Err(format!("relocations of a section {name} that is not there")));
        };
        let count = word(body, at + 4)? as usize;
        at += 8;
        for _ in 0..count {
            let mut words = [0; WORDS];
            for (index, value) in words.iter_mut().enumerate() {
                *value = word(body, at + 4 * index)?;
            }
            at += size;
            let [place, id, path, question] = words;
            let question = match question {
                OFFSET => Question::Offset,
                EXISTS => Question::Exists,
                other => return Some(Err(format!("a relocation of kind {other}"))),
            };
            let path = str::from_utf8(types.name(path)).ok()?;
            let path: Option<Vec<u32>> = path.split(':').map(|index| index.parse().ok()).collect();
            // The first step is one into the array of structures that any pointer leads to.
            let (structure, path) = members.names(id, path?.split_first()?.1)?;
            found.push(Relocation { section, at: place as usize, question, structure, path });
        }
    }
    Some(Ok(found))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ebpf::{EARLY_OBJECT, OBJECT};

    #[test]
    fn the_fields_of_the_table_are_asked_for_and_no_others() {
        const TABLE: &str = include_str!("../../../../socket-ebpf/relocations.txt");
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        let table: BTreeSet<&str> =
            lines.filter_map(|line| Some(line.split_once(' ')?.0)).collect();
        let mut named = BTreeSet::new();
        for object in [OBJECT, EARLY_OBJECT] {
            let file = object::File::parse(object).unwrap();
            for relocation in relocations(&file).unwrap() {
                named.insert(format!("{}.{}", relocation.structure, relocation.path));
            }
        }
        assert_eq!(named.iter().map(String::as_str).collect::<BTreeSet<_>>(), table);
    }
}
