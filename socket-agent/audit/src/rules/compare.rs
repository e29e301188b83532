//! Fields that can be compared with one another (`-C`), Linux 3.9: `AUDIT_COMPARE_*`.

use super::field::Field;

/// Left, right, number. The order of two fields does not matter.
const PAIRS: [(Field, Field, u32); 25] = [
    (Field::UID, Field::OBJ_UID, 1),
    (Field::GID, Field::OBJ_GID, 2),
    (Field::EUID, Field::OBJ_UID, 3),
    (Field::EGID, Field::OBJ_GID, 4),
    (Field::AUID, Field::OBJ_UID, 5),
    (Field::SUID, Field::OBJ_UID, 6),
    (Field::SGID, Field::OBJ_GID, 7),
    (Field::FSUID, Field::OBJ_UID, 8),
    (Field::FSGID, Field::OBJ_GID, 9),
    (Field::UID, Field::AUID, 10),
    (Field::UID, Field::EUID, 11),
    (Field::UID, Field::FSUID, 12),
    (Field::UID, Field::SUID, 13),
    (Field::AUID, Field::FSUID, 14),
    (Field::AUID, Field::SUID, 15),
    (Field::AUID, Field::EUID, 16),
    (Field::EUID, Field::SUID, 17),
    (Field::EUID, Field::FSUID, 18),
    (Field::SUID, Field::FSUID, 19),
    (Field::GID, Field::EGID, 20),
    (Field::GID, Field::FSGID, 21),
    (Field::GID, Field::SGID, 22),
    (Field::EGID, Field::FSGID, 23),
    (Field::EGID, Field::SGID, 24),
    (Field::SGID, Field::FSGID, 25),
];

/// Largest number of a comparison.
pub(super) const MAX: u32 = PAIRS.len() as u32;

/// The number of a comparison.
pub(super) fn number(left: Field, right: Field) -> Option<u32> {
    PAIRS
        .iter()
        .find(|(a, b, _)| (*a, *b) == (left, right) || (*b, *a) == (left, right))
        .map(|pair| pair.2)
}

/// The fields of a comparison.
pub(super) fn fields(number: u32) -> Option<(Field, Field)> {
    PAIRS.iter().find(|pair| pair.2 == number).map(|pair| (pair.0, pair.1))
}

/// Fields that `left` can be compared with.
pub(super) fn partners(left: Field) -> impl Iterator<Item = Field> {
    PAIRS.iter().filter_map(move |(a, b, _)| match (*a == left, *b == left) {
        (true, _) => Some(*b),
        (_, true) => Some(*a),
        _ => None,
    })
}
