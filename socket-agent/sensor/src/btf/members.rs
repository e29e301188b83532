//! Offsets of the members of structures.

use std::collections::HashMap;

use super::{FIXED, Types, kind, word};

/// `BTF_KIND_PTR`.
pub(super) const PTR: u32 = 2;
/// `BTF_KIND_TYPEDEF`, `VOLATILE`, `CONST`, `RESTRICT`, `TYPE_TAG`: other names for a type.
const ALIASES: [u32; 5] = [8, 9, 10, 11, 18];
/// Deepest nesting of structures and aliases that is followed.
const DEPTH: usize = 16;

/// A member of a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Bytes from the start of the structure; of a bit field those to the byte it begins in.
    pub(crate) offset: u32,
    /// Bytes it takes; of a bit field the bytes that hold it.
    pub(crate) size: u32,
    /// Where it begins in its first byte and how many bits it takes, if it is a bit field.
    pub(crate) bits: Option<Bits>,
}

impl Member {
    /// Whether it takes whole bytes, so that it can be read like any other.
    pub(crate) fn is_whole(&self) -> bool {
        self.bits.is_none_or(|bits| bits.first == 0 && bits.count.is_multiple_of(8))
    }
}

/// Which bits of its bytes a bit field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bits {
    /// Bits of the first byte before it, in the order in which they are numbered.
    pub(crate) first: u32,
    /// Number of bits.
    pub(crate) count: u32,
}

/// Types with the positions of their descriptions, so that any can be looked up by its id or, if it is a structure,
/// by its name.
pub(crate) struct Members<'t> {
    types: &'t Types,
    /// Byte positions, by id less one.
    positions: Vec<usize>,
    /// Ids by name: several types may share one.
    structures: HashMap<&'t [u8], Vec<u32>>,
}

impl Types {
    /// Prepares to look up members.
    pub(crate) fn members(&self) -> Members<'_> {
        let (mut positions, mut structures) = (Vec::new(), HashMap::<_, Vec<u32>>::new());
        let mut at = self.types.start;
        for entry in self.entries() {
            positions.push(at);
            at += entry.bytes();
            if entry.kind == kind::STRUCT && entry.name != 0 {
                let id = u32::try_from(positions.len()).unwrap_or(u32::MAX);
                structures.entry(self.name(entry.name)).or_default().push(id);
            }
        }
        Members { types: self, positions, structures }
    }
}

impl Members<'_> {
    /// The member that a path names, such as `sk_lock.owned` in `sock`. Anonymous structures and
    /// unions are looked through.
    pub(crate) fn find(&self, structure: &str, path: &str) -> Option<Member> {
        // Several types may share a name; the one that has the member is meant.
        self.structures.get(structure.as_bytes())?.iter().find_map(|id| self.within(*id, path))
    }

    /// The name of a structure and, beneath it, of the members that their numbers lead to.
    #[cfg(feature = "ebpf")]
    pub(crate) fn names(&self, id: u32, path: &[u32]) -> Option<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let structure = text(self.name(self.position(self.plain(id)?)?)?);
        let (mut id, mut names) = (id, Vec::new());
        for index in path {
            let position = self.position(self.plain(id)?)?;
            let is_group = [kind::STRUCT, kind::UNION].contains(&self.kind(position)?);
            if !is_group || *index >= self.word(position, 4)? & 0xffff {
                return None;
            }
            let at = position + FIXED + 12 * *index as usize;
            names.push(text(self.types.name(self.word(at, 0)?)));
            id = self.word(at, 4)?;
        }
        Some((structure, names.join(".")))
    }

    fn within(&self, id: u32, path: &str) -> Option<Member> {
        let (mut id, mut bits) = (id, 0);
        let mut parts = path.split('.').peekable();
        while let Some(part) = parts.next() {
            let (type_id, offset, width) = self.member(id, part.as_bytes(), DEPTH)?;
            bits += offset;
            if parts.peek().is_none() {
                let field = Bits { first: bits % 8, count: width };
                return Some(Member {
                    offset: bits / 8,
                    size: match width {
                        0 => self.size(type_id)?,
                        _ => (field.first + width).div_ceil(8),
                    },
                    bits: (width > 0).then_some(field),
                });
            }
            id = type_id;
        }
        None
    }

    /// Type, offset in bits and width in bits (of bit fields, else 0).
    fn member(&self, id: u32, name: &[u8], depth: usize) -> Option<(u32, u32, u32)> {
        let position = self.position(self.plain(id)?)?;
        if depth == 0 || ![kind::STRUCT, kind::UNION].contains(&self.kind(position)?) {
            return None;
        }
        let info = self.word(position, 4)?;
        for index in 0..(info & 0xffff) as usize {
            let at = position + FIXED + 12 * index;
            let (named, type_id, raw) = (self.word(at, 0)?, self.word(at, 4)?, self.word(at, 8)?);
            let (offset, width) =
                if info >> 31 == 1 { (raw & 0x00ff_ffff, raw >> 24) } else { (raw, 0) };
            let own = self.types.name(named);
            if own == name {
                return Some((type_id, offset, width));
            }
            if own.is_empty()
                && let Some((found, inner, width)) = self.member(type_id, name, depth - 1)
            {
                return Some((found, offset + inner, width));
            }
        }
        None
    }

    fn size(&self, id: u32) -> Option<u32> {
        let position = self.position(self.plain(id)?)?;
        match self.kind(position)? {
            PTR => u32::try_from(size_of::<usize>()).ok(),
            kind::ARRAY => {
                let element = self.size(self.word(position, FIXED)?)?;
                element.checked_mul(self.word(position, FIXED + 8)?)
            }
            _ => self.word(position, 8),
        }
    }

    /// Follows typedefs and qualifiers.
    fn plain(&self, id: u32) -> Option<u32> {
        let mut id = id;
        for _ in 0..DEPTH {
            let position = self.position(id)?;
            if !ALIASES.contains(&self.kind(position)?) {
                return Some(id);
            }
            id = self.word(position, 8)?;
        }
        None
    }

    fn position(&self, id: u32) -> Option<usize> {
        self.positions.get((id as usize).checked_sub(1)?).copied()
    }

    fn kind(&self, position: usize) -> Option<u32> {
        Some((self.word(position, 4)? >> 24) & 0x1f)
    }

    #[cfg(feature = "ebpf")]
    fn name(&self, position: usize) -> Option<&[u8]> {
        Some(self.types.name(self.word(position, 0)?))
    }

    fn word(&self, position: usize, at: usize) -> Option<u32> {
        word(&self.types.bytes, position + at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_kernels_structures_are_described() {
        let Some(types) = std::fs::read("/sys/kernel/btf/vmlinux").ok().and_then(Types::parse)
        else {
            eprintln!("skipped: this kernel publishes no BTF");
            return;
        };
        let members = types.members();
        let size = |structure, path| members.find(structure, path).map(|member| member.size);
        assert_eq!(size("sock_common", "skc_daddr"), Some(4));
        assert_eq!(size("sock_common", "skc_v6_daddr"), Some(16));
        assert_eq!(size("sk_buff", "head"), Some(8));
        assert_eq!(size("task_struct", "comm"), Some(16));
        assert_eq!(size("sock", "sk_lock.owned"), Some(4));
        assert_eq!(size("sock", "no_such_member"), None);
        let own = members.find("sock", "__sk_common.skc_dport");
        assert_eq!(own, members.find("sock_common", "skc_dport"));
    }
}
