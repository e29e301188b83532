//! `socket-ebpf/relocations.txt`: the fields that the programs may name.

use std::collections::BTreeMap;

const TEXT: &str = include_str!("../../../../socket-ebpf/relocations.txt");

/// Kind of a field's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Pointer,
    Array,
    /// A structure or a union.
    Struct,
}

/// Kinds by `STRUCT.MEMBER[.MEMBER]`.
pub(crate) fn fields() -> BTreeMap<&'static str, Kind> {
    let lines = TEXT.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (field, kind) = line.split_once(' ').unwrap();
            let kind = match kind {
                "int" => Kind::Int,
                "ptr" => Kind::Pointer,
                "array" | "ptrs" | "structs" => Kind::Array,
                "struct" => Kind::Struct,
                other => panic!("{line}: unknown kind {other}"),
            };
            (field, kind)
        })
        .collect()
}
