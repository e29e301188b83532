//! Who did it, and by what means.

use super::{
    Entity, IdNames, Ids, Outcome, Pair, Process,
    rows::{RecordRow, Roles, SyscallRow},
    syscall::Syscall,
    text::{Text, first},
};
use crate::records::{Field, Key, Record};

/// The login user and the user it was done as; `account` is the one that a record names.
pub(super) fn actor<'a>(
    row: Option<&RecordRow>,
    record: &'a Record,
    ids: &Ids<'a>,
    account: Option<&Entity<'a>>,
) -> Pair<'a> {
    let roles = row.map_or(Roles::Process, |row| row.roles);
    let label = |key| ids.get(key).and_then(Entity::label);
    match roles {
        Roles::Mac => {
            if let Some(context) = record.text(Key::SCONTEXT) {
                return Pair { primary: Some(context), secondary: label(Key::UID) };
            }
            Pair { primary: label(Key::AUID), secondary: label(Key::UID) }
        }
        Roles::Login => Pair { primary: label(Key::OLD_AUID), secondary: label(Key::UID) },
        _ => Pair {
            primary: label(Key::AUID),
            secondary: account.and_then(Entity::label).or_else(|| label(Key::UID)),
        },
    }
}

/// The account that the record names, and the field with its name.
///
/// Where it names none, what a program says of one is about its own user - unless it failed: then
/// there was no such account.
pub(super) fn account<'a>(
    row: Option<&RecordRow>,
    record: &'a Record,
    outcome: Outcome,
    names: &mut dyn IdNames,
) -> Option<(Entity<'a>, Field<'a>)> {
    let row = row?;
    if row.roles == Roles::Mac {
        return None;
    }
    let own = || {
        let is_own = row.actor.contains(&Key::UID) && outcome != Outcome::Failure;
        record.get(Key::UID).filter(|_| is_own)
    };
    let field = first(record, &row.actor).or_else(own)?;
    Some((Entity::of_account(record, &field, row.roles == Roles::Member, names), field))
}

/// A program mostly; for some calls the call itself.
pub(super) fn means<'a>(
    row: Option<&RecordRow>,
    record: &'a Record,
    call: Option<(&Syscall<'a>, &SyscallRow)>,
    process: &Process<'a>,
) -> Option<Text<'a>> {
    if let Some(row) = row
        && let Some(field) = first(record, &row.means)
    {
        return match field.id {
            Key::SIG => Some(signal(field.text())),
            _ => Some(field.text()),
        };
    }
    let call = call.filter(|(_, call_row)| row.is_none() && call_row.is_means);
    call.map(|(call, _)| call.meaning.clone()).or_else(|| process.means())
}

/// The name of a signal.
pub(super) fn signal(number: Text<'_>) -> Text<'_> {
    let name = number.parse().ok().and_then(|number| crate::decode::one("signal", number));
    name.map_or(number, Text::from)
}
