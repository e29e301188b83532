//! Type information made of offsets that are known without any: as little of it as the object needs
//! to be fitted. Source: Documentation/bpf/btf.rst.

use std::collections::BTreeMap;

use super::{MAGIC, kind, members::PTR};

/// What kinds the members have that the programs read, `STRUCT.MEMBER KIND` a line.
const RELOCATIONS: &str = include_str!("../../../../socket-ebpf/relocations.txt");
const HEADER: u32 = 24;

/// A member of a structure: the name of the structure, the path in it, where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known<'k> {
    pub(crate) structure: &'k str,
    pub(crate) path: &'k str,
    /// Bytes from the start of the structure.
    pub(crate) offset: u32,
    /// Bytes it takes.
    pub(crate) size: u32,
}

/// A BTF file in the byte order of this machine that describes these members and nothing else.
pub(crate) fn write(known: &[Known<'_>]) -> Vec<u8> {
    let mut writer = Writer::default();
    let mut structures: BTreeMap<&str, Vec<(&str, u32, u32)>> = BTreeMap::new();
    for member in known {
        let id = writer.type_of(member);
        // A member of a member: a structure around it, which begins where it is.
        let (name, id) = match member.path.split_once('.') {
            None => (member.path, id),
            Some((outer, rest)) => {
                let id = rest
                    .rsplit('.')
                    .fold(id, |inner, name| writer.structure("", &[(name, 0, inner)], member.size));
                (outer, id)
            }
        };
        structures.entry(member.structure).or_default().push((name, member.offset, id));
    }
    for (name, mut members) in structures {
        members.sort_by_key(|(_, offset, _)| *offset);
        let end = |member: &Known<'_>| member.offset + member.size;
        let own = known.iter().filter(|member| member.structure == name);
        writer.structure(name, &members, own.map(end).max().unwrap_or(0));
    }
    writer.file()
}

/// A BTF file of one structure with bit fields: name, first bit and number of bits of each.
#[cfg(test)]
pub(crate) fn with_bit_fields(name: &str, fields: &[(&str, u32, u32)]) -> Vec<u8> {
    /// `BTF_INFO_KFLAG`, above the kind: members tell how many bits they take.
    const BITS: u32 = 0x80;
    let mut writer = Writer::default();
    let id = writer.add("unsigned int", kind::INT, 0, 4, &[32]);
    let mut words = Vec::new();
    for (field, bit, count) in fields {
        words.extend([writer.string(field), id, count << 24 | bit]);
    }
    let end = fields.iter().map(|(_, bit, count)| (bit + count).div_ceil(8)).max().unwrap_or(0);
    let length = u32::try_from(fields.len()).unwrap_or(0);
    writer.add(name, kind::STRUCT | BITS, length, end, &words);
    writer.file()
}

#[derive(Default)]
struct Writer {
    types: Vec<u8>,
    strings: Vec<u8>,
    count: u32,
    numbers: BTreeMap<u32, u32>,
    pointer: Option<u32>,
    records: BTreeMap<u32, u32>,
}

impl Writer {
    fn type_of(&mut self, member: &Known<'_>) -> u32 {
        match kind_of(member.structure, member.path) {
            "ptr" => {
                if let Some(id) = self.pointer {
                    return id;
                }
                let id = self.add("", PTR, 0, 0, &[]);
                self.pointer = Some(id);
                id
            }
            "struct" => {
                let size = member.size;
                if let Some(id) = self.records.get(&size) {
                    return *id;
                }
                let id = self.structure("", &[], size);
                self.records.insert(size, id);
                id
            }
            _ => {
                let size = member.size;
                if let Some(id) = self.numbers.get(&size) {
                    return *id;
                }
                let id = self.add(&format!("u{}", 8 * size), kind::INT, 0, size, &[8 * size]);
                self.numbers.insert(size, id);
                id
            }
        }
    }

    /// A structure of members with their names, offsets and types.
    fn structure(&mut self, name: &str, members: &[(&str, u32, u32)], size: u32) -> u32 {
        let mut words = Vec::new();
        for (name, offset, id) in members {
            words.extend([self.string(name), *id, 8 * offset]);
        }
        let length = u32::try_from(members.len()).unwrap_or(0);
        self.add(name, kind::STRUCT, length, size, &words)
    }

    fn add(&mut self, name: &str, kind: u32, length: u32, refers_to: u32, rest: &[u32]) -> u32 {
        let name = self.string(name);
        for word in [name, kind << 24 | length, refers_to].iter().chain(rest) {
            self.types.extend(word.to_ne_bytes());
        }
        self.count += 1;
        self.count
    }

    fn string(&mut self, text: &str) -> u32 {
        if self.strings.is_empty() {
            self.strings.push(0);
        }
        if text.is_empty() {
            return 0;
        }
        let at = u32::try_from(self.strings.len()).unwrap_or(0);
        self.strings.extend(text.as_bytes());
        self.strings.push(0);
        at
    }

    fn file(mut self) -> Vec<u8> {
        self.string("");
        let length = |part: &[u8]| u32::try_from(part.len()).unwrap_or(0);
        let (types, strings) = (length(&self.types), length(&self.strings));
        let mut file = Vec::new();
        file.extend(MAGIC.to_ne_bytes());
        // Version 1, no flags.
        file.extend([1, 0]);
        for word in [HEADER, 0, types, types, strings] {
            file.extend(word.to_ne_bytes());
        }
        file.extend(self.types);
        file.extend(self.strings);
        file
    }
}

/// Kind of type that the programs take a member for.
fn kind_of(structure: &str, path: &str) -> &'static str {
    let lines = RELOCATIONS.lines().filter_map(|line| line.split_once(' '));
    let mut own = lines.filter(|(member, _)| {
        member.strip_prefix(structure).and_then(|rest| rest.strip_prefix('.')) == Some(path)
    });
    own.next().map_or("int", |(_, kind)| kind.trim())
}

#[cfg(test)]
mod tests {
    use super::{super::Types, *};

    const KNOWN: [Known<'static>; 5] = [
        Known { structure: "sock_common", path: "skc_dport", offset: 12, size: 2 },
        Known { structure: "sock_common", path: "skc_net", offset: 48, size: 8 },
        Known { structure: "sock", path: "sk_lock.owned", offset: 152, size: 4 },
        Known { structure: "sock", path: "sk_socket", offset: 624, size: 8 },
        Known { structure: "net", path: "ns.inum", offset: 136, size: 4 },
    ];

    #[test]
    fn what_is_written_is_read_back() {
        let types = Types::parse(write(&KNOWN)).unwrap();
        let members = types.members();
        for known in KNOWN {
            let found = members.find(known.structure, known.path).unwrap();
            assert_eq!((found.offset, found.size), (known.offset, known.size), "{known:?}");
        }
        assert_eq!(members.find("sock", "sk_err"), None);
    }

    #[test]
    fn members_have_the_kinds_that_the_programs_expect() {
        assert_eq!(kind_of("sock_common", "skc_net"), "struct");
        assert_eq!(kind_of("sock", "sk_socket"), "ptr");
        assert_eq!(kind_of("sock_common", "skc_dport"), "int");
    }
}
