//! Values of records as text.

use crate::records::{Field, Key, Kind, Record};

pub(super) use crate::records::Text;

/// What the kernel writes for an id or a session that was never set.
pub(super) fn is_unset(value: &[u8]) -> bool {
    matches!(value, b"4294967295" | b"-1" | b"unset")
}

/// The value, or `unset`.
pub(super) fn or_unset<'a>(field: &Field<'a>) -> Text<'a> {
    if is_unset(field.value) { "unset".into() } else { field.text() }
}

/// The first of those keys that says something, in the order of the keys.
///
/// The `uid` of an account is what a program says in its message, not the kernel's `uid` of that
/// program.
pub(super) fn first<'a>(record: &'a Record, keys: &[Key]) -> Option<Field<'a>> {
    keys.iter().find_map(|key| match *key {
        Key::UID if record.kind().is_user() => record.get_in_message(Key::UID),
        key => record.get(key),
    })
}

/// The first record of a kind.
pub(super) fn of_kind(records: &[Record], kind: Kind) -> Option<&Record> {
    records.iter().find(|record| record.kind() == kind)
}
