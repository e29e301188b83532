//! Users and groups.

use super::{
    rows::Roles,
    text::{Text, is_unset},
};
use crate::audit::records::{Field, Key, Kind, Record, decimal};

/// Gives the names of users and groups.
pub trait IdNames {
    /// Name of a user id.
    fn user(&mut self, uid: u32) -> Option<Text<'static>>;
    /// Name of a group id.
    fn group(&mut self, gid: u32) -> Option<Text<'static>>;
    /// Called before each event: the only place to look at a clock.
    fn tick(&mut self) {}
    /// What was asked of others.
    fn counters(&self) -> NameCounters {
        NameCounters::default()
    }
}

/// Names that are not in the host's files, for which its name service is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameCounters {
    /// Numbers that were asked for.
    pub asked: u64,
    /// Of these, the ones that have a name.
    pub found: u64,
    /// Questions that were not put, because too many waited. Documents have the number alone.
    pub dropped: u64,
}

/// Gives none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl IdNames for NoNames {
    fn user(&mut self, _: u32) -> Option<Text<'static>> {
        None
    }

    fn group(&mut self, _: u32) -> Option<Text<'static>> {
        None
    }
}

/// A user or a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entity<'a> {
    /// Number.
    pub id: Option<Text<'a>>,
    /// Name.
    pub name: Option<Text<'a>>,
}

/// The ids of a process, in the order of [`Ids::KEYS`]; `None` where the records have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids<'a>([Option<Entity<'a>>; 10]);

/// The users of an event, as ECS has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Users<'a> {
    /// Who did it.
    pub user: Option<Entity<'a>>,
    /// As whom.
    pub effective: Option<Entity<'a>>,
    /// To whom.
    pub target: Option<Entity<'a>>,
    /// To which group.
    pub group: Option<Entity<'a>>,
}

// === impl Entity ===

impl<'a> Entity<'a> {
    /// Neither number nor name.
    pub fn is_empty(&self) -> bool {
        self.id.is_none() && self.name.is_none()
    }

    /// Whether it is the id of nobody.
    pub fn is_unset(&self) -> bool {
        self.id.as_deref() == Some("unset")
    }

    /// The name, else the number.
    pub fn label(&self) -> Option<Text<'a>> {
        self.name.clone().or_else(|| self.id.clone())
    }

    /// From a field that holds a number, with its name from auditd or from this host.
    pub(super) fn of_id(
        record: &'a Record,
        field: &Field<'a>,
        is_group: bool,
        names: &mut dyn IdNames,
    ) -> Self {
        if is_unset(field.value) {
            return Self { id: Some("unset".into()), name: None };
        }
        let added = field
            .id
            .added()
            .and_then(|key| record.get_added(key))
            .map(|name| name.text())
            // auditd's words for a number without a name.
            .filter(|name| name != "unset" && !name.starts_with("unknown("));
        let id = field.text();
        let name = added.or_else(|| {
            let number = u32::try_from(decimal(field.value)?).ok()?;
            if is_group { names.group(number) } else { names.user(number) }
        });
        Self { id: Some(id), name }
    }

    /// From a field that holds a number or a name.
    pub(super) fn of_account(
        record: &'a Record,
        field: &Field<'a>,
        is_group: bool,
        names: &mut dyn IdNames,
    ) -> Self {
        if matches!(field.id, Key::ACCT | Key::GRP) {
            return Self { id: None, name: Some(field.text()) };
        }
        Self::of_id(record, field, is_group, names)
    }
}

// === impl Ids ===

impl<'a> Ids<'a> {
    /// Names of the fields.
    pub const KEYS: [Key; 10] = [
        Key::AUID,
        Key::UID,
        Key::GID,
        Key::EUID,
        Key::EGID,
        Key::SUID,
        Key::SGID,
        Key::FSUID,
        Key::FSGID,
        Key::OLD_AUID,
    ];

    /// From the first record that has each.
    pub(super) fn read(records: &'a [Record], names: &mut dyn IdNames) -> Self {
        let mut ids = Self::default();
        for record in records.iter().filter(|record| record.kind() != Kind::PATH) {
            for field in record.wanted(|key| Self::index(record, key).is_some()) {
                let Some(index) = Self::index(record, field.id) else { continue };
                if ids.0[index].is_none() {
                    let is_group = field.key.ends_with(b"gid");
                    ids.0[index] = Some(Entity::of_id(record, &field, is_group, names));
                }
            }
        }
        ids
    }

    /// Which id a field of a record holds, if it is about the process itself.
    #[inline]
    pub(super) fn index(record: &Record, key: Key) -> Option<usize> {
        Some(match key {
            // In LOGIN records of old kernels.
            Key::AUID | Key::NEW_AUID_OF_OLD | Key::NEW_AUID => 0,
            Key::UID => 1,
            Key::GID => 2,
            Key::EUID => 3,
            Key::EGID => 4,
            // In records of cryptography, suid is of another process.
            Key::SUID if record.kind().is_user() => return None,
            Key::SUID => 5,
            Key::SGID => 6,
            Key::FSUID => 7,
            Key::FSGID => 8,
            Key::OLD_AUID | Key::OLD_AUID_OF_OLD => 9,
            _ => return None,
        })
    }

    /// One of them, by its key.
    pub fn get(&self, key: Key) -> Option<&Entity<'a>> {
        let index = Self::KEYS.iter().position(|known| *known == key)?;
        self.0.get(index)?.as_ref()
    }

    /// Those that are there, with their keys.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &Entity<'a>)> {
        Self::KEYS.into_iter().zip(&self.0).filter_map(|(key, id)| Some((key, id.as_ref()?)))
    }

    /// One that is set.
    fn set(&self, key: Key) -> Option<Entity<'a>> {
        self.get(key).filter(|id| !id.is_unset()).cloned()
    }
}

// === impl Users ===

impl<'a> Users<'a> {
    /// `account` is the second actor of the record, `object` its object.
    pub(super) fn new(
        roles: Roles,
        ids: &Ids<'a>,
        account: Option<Entity<'a>>,
        object: Option<Entity<'a>>,
    ) -> Self {
        let login = || ids.set(Key::AUID).or_else(|| ids.set(Key::UID));
        let uid = || ids.set(Key::UID);
        match roles {
            Roles::Process | Roles::Mac => {
                Self { user: uid(), effective: ids.set(Key::EUID), ..Self::default() }
            }
            Roles::Session => Self { user: login(), effective: account, ..Self::default() },
            Roles::User => Self { user: login(), effective: uid(), target: object, group: None },
            Roles::Group => Self { user: login(), effective: uid(), target: None, group: object },
            Roles::Target => Self { user: login(), effective: uid(), target: account, group: None },
            Roles::Member => Self { user: login(), effective: uid(), target: None, group: account },
            Roles::Login => Self {
                user: ids.set(Key::OLD_AUID).or_else(uid),
                effective: ids.set(Key::AUID),
                ..Self::default()
            },
        }
    }
}
