//! A reader of BTF for two questions: how many arguments a function has, and whether a struct is
//! described. Source: Documentation/bpf/btf.rst.

mod members;
#[cfg(feature = "ebpf")]
mod write;

pub(crate) use members::Member;
#[cfg(feature = "ebpf")]
pub(crate) use members::Members;
#[cfg(all(feature = "ebpf", test))]
pub(crate) use write::with_bit_fields;
#[cfg(feature = "ebpf")]
pub(crate) use write::{Known, write};

/// `BTF_MAGIC`.
const MAGIC: u16 = 0xeb9f;
/// Bytes of the fixed part of a type.
const FIXED: usize = 12;

/// Kinds of types, `BTF_KIND_*`.
mod kind {
    pub(super) const INT: u32 = 1;
    pub(super) const ARRAY: u32 = 3;
    pub(super) const STRUCT: u32 = 4;
    pub(super) const UNION: u32 = 5;
    pub(super) const ENUM: u32 = 6;
    pub(super) const TYPEDEF: u32 = 8;
    pub(super) const FUNC: u32 = 12;
    pub(super) const FUNC_PROTO: u32 = 13;
    pub(super) const VAR: u32 = 14;
    pub(super) const DATASEC: u32 = 15;
    pub(super) const DECL_TAG: u32 = 17;
    pub(super) const ENUM64: u32 = 19;
}

/// Type information in the byte order of this machine.
pub(crate) struct Types {
    bytes: Vec<u8>,
    types: std::ops::Range<usize>,
    strings: std::ops::Range<usize>,
}

/// One type; ids count from 1.
struct TypeEntry {
    kind: u32,
    /// Offset of the name among the strings.
    name: u32,
    /// Members, values or arguments.
    length: usize,
    /// Id of the type it refers to, or its size.
    refers_to: u32,
}

impl TypeEntry {
    /// Bytes of its description.
    fn bytes(&self) -> usize {
        FIXED
            + match self.kind {
                kind::INT | kind::VAR | kind::DECL_TAG => 4,
                kind::ARRAY => 12,
                kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => 12 * self.length,
                kind::ENUM | kind::FUNC_PROTO => 8 * self.length,
                _ => 0,
            }
    }
}

impl Types {
    /// Takes the content of a BTF file; `None` if it is none.
    pub(crate) fn parse(bytes: Vec<u8>) -> Option<Self> {
        let magic = u16::from_ne_bytes([*bytes.first()?, *bytes.get(1)?]);
        if magic != MAGIC {
            return None;
        }
        let header = word(&bytes, 4)? as usize;
        let section = |at: usize| {
            let start = header.checked_add(word(&bytes, at)? as usize)?;
            let end = start.checked_add(word(&bytes, at + 4)? as usize)?;
            (end <= bytes.len()).then_some(start..end)
        };
        let (types, strings) = (section(8)?, section(16)?);
        Some(Self { bytes, types, strings })
    }

    /// All types in the order of their ids; stops where the data makes no sense.
    fn entries(&self) -> impl Iterator<Item = TypeEntry> {
        let mut at = self.types.start;
        std::iter::from_fn(move || {
            let types = self.bytes.get(at..self.types.end)?;
            let (name, info, refers_to) = (word(types, 0)?, word(types, 4)?, word(types, 8)?);
            let (kind, length) = ((info >> 24) & 0x1f, (info & 0xffff) as usize);
            let entry = TypeEntry { kind, name, length, refers_to };
            at += entry.bytes();
            Some(entry)
        })
    }

    /// The text at an offset among the strings.
    pub(crate) fn name(&self, offset: u32) -> &[u8] {
        let all = self.bytes.get(self.strings.clone()).unwrap_or_default();
        let rest = all.get(offset as usize..).unwrap_or_default();
        rest.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// Number of arguments of a function; `None` if it is unknown or described in several ways.
    pub(crate) fn arguments(&self, function: &str) -> Option<usize> {
        let mut prototypes = Vec::new();
        let mut counts = Vec::new();
        for entry in self.entries() {
            counts.push(if entry.kind == kind::FUNC_PROTO { Some(entry.length) } else { None });
            if entry.kind == kind::FUNC && self.is_named(&entry, function) {
                prototypes.push(entry.refers_to);
            }
        }
        let mut found = None;
        for id in prototypes {
            let count = counts.get((id as usize).checked_sub(1)?).copied().flatten()?;
            if found.is_some_and(|other| other != count) {
                return None;
            }
            found = Some(count);
        }
        found
    }

    /// Id of a function.
    pub(crate) fn function(&self, name: &str) -> Option<u32> {
        self.id(kind::FUNC, name)
    }

    /// Id of another name for a type.
    pub(crate) fn typedef(&self, name: &str) -> Option<u32> {
        self.id(kind::TYPEDEF, name)
    }

    fn id(&self, kind: u32, name: &str) -> Option<u32> {
        let is = |entry: &TypeEntry| entry.kind == kind && self.is_named(entry, name);
        let position = self.entries().position(|entry| is(&entry))?;
        u32::try_from(position).ok()?.checked_add(1)
    }

    fn is_named(&self, entry: &TypeEntry, name: &str) -> bool {
        self.name(entry.name) == name.as_bytes()
    }

    /// Whether a struct of this name is described.
    pub(crate) fn has_struct(&self, name: &str) -> bool {
        self.id(kind::STRUCT, name).is_some()
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes([four[0], four[1], four[2], four[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types as (name, kind, length, refers to, bytes that follow).
    fn blob(entries: &[(&str, u32, u32, u32, usize)]) -> Vec<u8> {
        let (mut types, mut strings) = (Vec::new(), vec![0u8]);
        for (name, kind, length, refers_to, extra) in entries {
            let offset = strings.len() as u32;
            strings.extend(name.as_bytes());
            strings.push(0);
            for value in [offset, (kind << 24) | length, *refers_to] {
                types.extend(value.to_ne_bytes());
            }
            types.extend(vec![0; *extra]);
        }
        let mut bytes = Vec::new();
        bytes.extend(MAGIC.to_ne_bytes());
        bytes.extend([1, 0]);
        let (type_length, string_length) = (types.len() as u32, strings.len() as u32);
        for value in [24, 0, type_length, type_length, string_length] {
            bytes.extend(value.to_ne_bytes());
        }
        bytes.extend(types);
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn finds_functions_and_structs_behind_types_of_any_size() {
        let blob = blob(&[
            ("int", kind::INT, 0, 4, 4),
            ("thing", kind::STRUCT, 2, 8, 24),
            ("", kind::FUNC_PROTO, 3, 0, 24),
            ("act", kind::FUNC, 0, 3, 0),
            ("", kind::FUNC_PROTO, 1, 0, 8),
            ("twice", kind::FUNC, 0, 3, 0),
            ("twice", kind::FUNC, 0, 5, 0),
        ]);
        let types = Types::parse(blob).expect("valid");
        assert_eq!(types.arguments("act"), Some(3));
        assert_eq!(types.arguments("twice"), None, "two forms");
        assert_eq!(types.arguments("thing"), None, "not a function");
        assert!(types.has_struct("thing"));
        assert!(!types.has_struct("act"));
    }

    #[test]
    fn nonsense_is_not_btf() {
        assert!(Types::parse(Vec::new()).is_none());
        assert!(Types::parse(vec![0; 64]).is_none());
        let mut cut = blob(&[("thing", kind::STRUCT, 2, 8, 24)]);
        cut.truncate(30);
        assert!(Types::parse(cut).is_none());
    }

    #[test]
    fn the_running_kernel() {
        let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else {
            println!("skipped: this kernel publishes no BTF");
            return;
        };
        let types = Types::parse(bytes).expect("the kernel's own");
        assert_eq!(types.arguments("ip_output"), Some(3));
        assert!(types.has_struct("sock_common"));
    }
}
