//! Looks fields up in a kernel's type information, independently of the loader.

use std::collections::BTreeSet;

use btf_rs::{Btf, Struct, Type};

use crate::table::Kind;

/// Position of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FieldPosition {
    /// Of the wanted kind, so many bytes from the start of the struct.
    At(u64),
    /// Takes some bits only, which begin so many bits from the start of the struct.
    Bits(u64),
    /// Not there, or of another kind.
    Absent,
}

/// Looks up `STRUCT.MEMBER[.MEMBER]`. All structs of that name must agree.
pub(crate) fn position(btf: &Btf, field: &str, kind: Kind) -> FieldPosition {
    let mut names = field.split('.');
    let structure = names.next().unwrap();
    let path: Vec<&str> = names.collect();
    let positions: BTreeSet<FieldPosition> = btf
        .resolve_types_by_name(structure)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|candidate| match candidate {
            Type::Struct(candidate) => Some(walk(btf, &candidate, &path, kind)),
            _ => None,
        })
        .collect();
    let mut positions = positions.into_iter();
    match (positions.next(), positions.next()) {
        (Some(position), None) => position,
        (None, _) => FieldPosition::Absent,
        (Some(_), Some(_)) => panic!("{field}: structs of one name differ"),
    }
}

fn walk(btf: &Btf, structure: &Struct, path: &[&str], kind: Kind) -> FieldPosition {
    let Some((bits, width, found)) = member(btf, structure, path[0]) else {
        return FieldPosition::Absent;
    };
    if let [_, rest @ ..] = path
        && !rest.is_empty()
    {
        let (Type::Struct(inner) | Type::Union(inner)) = &found else {
            return FieldPosition::Absent;
        };
        return match walk(btf, inner, rest, kind) {
            FieldPosition::At(offset) => FieldPosition::At(bits / 8 + offset),
            FieldPosition::Bits(offset) => FieldPosition::Bits(bits + offset),
            FieldPosition::Absent => FieldPosition::Absent,
        };
    }
    let fits = match kind {
        Kind::Int => matches!(found, Type::Int(_)),
        Kind::Pointer => matches!(found, Type::Ptr(_)),
        Kind::Array => matches!(found, Type::Array(_)),
        Kind::Struct => matches!(found, Type::Struct(_) | Type::Union(_)),
    };
    match width {
        _ if !fits => FieldPosition::Absent,
        0 => FieldPosition::At(bits / 8),
        _ => FieldPosition::Bits(bits),
    }
}

/// The member of that name, also in structs and unions without a name: its offset and, of a bit
/// field, its width in bits, and its type without typedefs and qualifiers.
fn member(btf: &Btf, structure: &Struct, name: &str) -> Option<(u64, u32, Type)> {
    for member in &structure.members {
        let bits = u64::from(member.bit_offset());
        let own = btf.resolve_name(member).unwrap();
        let found = plain(btf, btf.resolve_chained_type(member).unwrap());
        if own == name {
            return Some((bits, member.bitfield_size().unwrap_or(0), found));
        }
        if own.is_empty()
            && let Type::Struct(inner) | Type::Union(inner) = &found
            && let Some((offset, width, found)) = self::member(btf, inner, name)
        {
            return Some((bits + offset, width, found));
        }
    }
    None
}

fn plain(btf: &Btf, mut found: Type) -> Type {
    while let Type::Typedef(_)
    | Type::Volatile(_)
    | Type::Const(_)
    | Type::Restrict(_)
    | Type::TypeTag(_) = found
    {
        found = btf.resolve_chained_type(found.as_btf_type().unwrap()).unwrap();
    }
    found
}
