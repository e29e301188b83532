//! Users and groups.

use super::{
    rows::Roles,
    text::{Text, is_unset},
};
use crate::records::{Field, Key, KeySet, Kind, Record, decimal};

/// Gives the names of users and groups.
pub trait IdNames {
    /// Name of a user id.
    fn user(&mut self, uid: u32) -> Option<Text<'static>>;
    /// Name of a group id.
    fn group(&mut self, gid: u32) -> Option<Text<'static>>;
    /// Id of a user name.
    fn user_id(&mut self, _name: &str) -> Option<u32> {
        None
    }
    /// Id of a group name.
    fn group_id(&mut self, _name: &str) -> Option<u32> {
        None
    }
    /// Called before each event: the only place to look at a clock.
    fn tick(&mut self) {}
}

impl IdNames for linux::Names {
    fn user(&mut self, uid: u32) -> Option<Text<'static>> {
        Self::user(self, uid).map(Text::from)
    }

    fn group(&mut self, gid: u32) -> Option<Text<'static>> {
        Self::group(self, gid).map(Text::from)
    }

    fn user_id(&mut self, name: &str) -> Option<u32> {
        Self::user_id(self, name)
    }

    fn group_id(&mut self, name: &str) -> Option<u32> {
        Self::group_id(self, name)
    }

    fn tick(&mut self) {
        Self::tick(self);
    }
}

/// A source of names that has none.
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

/// The ids of a process.
#[derive(Clone, Debug, Default)]
pub struct Ids<'a> {
    /// Each once: most of a process are the same user and the same group.
    entities: Vec<Entity<'a>>,
    /// Where those are that [`Ids::KEYS`] name, counted from 1; 0 where the records have none.
    positions: [u8; 10],
}

/// The names of all fields that may hold one of them.
static IDS: KeySet =
    KeySet::of(&Ids::KEYS).and(&[Key::NEW_AUID, Key::NEW_AUID_OF_OLD, Key::OLD_AUID_OF_OLD]);

/// The users of an event, as ECS has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Users<'a> {
    /// The user who acted.
    pub user: Option<Entity<'a>>,
    /// The user in effect, if it is another one.
    pub effective: Option<Entity<'a>>,
    /// The user who was acted upon.
    pub target: Option<Entity<'a>>,
    /// The group that was acted upon.
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
        let id = field.text();
        let name = match record.name_added_for(field).map(|name| name.text()) {
            // auditd's words for a number without a name on the host where the record is from: what
            // has that number on this one is somebody else.
            Some(name) if name == "unset" || name.starts_with("unknown(") => None,
            Some(name) => Some(name),
            None => decimal(field.value).and_then(|number| {
                let number = u32::try_from(number).ok()?;
                if is_group { names.group(number) } else { names.user(number) }
            }),
        };
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
            let name = field.text();
            let is_group = is_group || field.id == Key::GRP;
            let id = if is_group { names.group_id(&name) } else { names.user_id(&name) };
            return Self { id: id.map(|id| id.to_string().into()), name: Some(name) };
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
        let mut ids = Self { entities: Vec::with_capacity(4), positions: [0; 10] };
        for record in records.iter().filter(|record| record.kind() != Kind::PATH) {
            ids.add(record, record.wanted(|key| IDS.has(key)), names);
        }
        ids
    }

    /// Those in the message of a program that judges another one; `None` if it names nobody. They
    /// are not mixed with those of the program itself.
    pub(super) fn read_message(record: &'a Record, names: &mut dyn IdNames) -> Option<Self> {
        let mut ids = Self { entities: Vec::with_capacity(4), positions: [0; 10] };
        ids.add(record, record.message().filter(|field| IDS.has(field.id)), names);
        (!ids.entities.is_empty()).then_some(ids)
    }

    fn add(
        &mut self,
        record: &'a Record,
        fields: impl Iterator<Item = Field<'a>>,
        names: &mut dyn IdNames,
    ) {
        // The last user and the last group.
        let mut last: [Option<(&[u8], u8)>; 2] = [None; 2];
        for field in fields {
            let Some(index) = Self::index(record, field.id) else { continue };
            if self.positions[index] != 0 {
                continue;
            }
            let is_group = field.key.ends_with(b"gid");
            let last = &mut last[usize::from(is_group)];
            self.positions[index] = match *last {
                // A name that auditd has added is of one field alone.
                Some((value, position)) if value == field.value && !record.has_added() => position,
                _ => {
                    self.entities.push(Entity::of_id(record, &field, is_group, names));
                    // Ten at most.
                    self.entities.len() as u8
                }
            };
            *last = Some((field.value, self.positions[index]));
        }
    }

    /// Whether a field of a record holds one of them.
    #[inline]
    pub(super) fn has(record: &Record, key: Key) -> bool {
        IDS.has(key) && Self::index(record, key).is_some()
    }

    /// Which id a field of a record holds, if it is about the process itself.
    fn index(record: &Record, key: Key) -> Option<usize> {
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
        self.at(Self::KEYS.iter().position(|known| *known == key)?)
    }

    fn at(&self, index: usize) -> Option<&Entity<'a>> {
        self.entities.get(usize::from(*self.positions.get(index)?).checked_sub(1)?)
    }

    /// Those that are there, with their keys.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &Entity<'a>)> {
        Self::KEYS.into_iter().enumerate().filter_map(|(index, key)| Some((key, self.at(index)?)))
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
            // The program that reports it is nobody who logs in.
            Roles::Session => {
                Self { user: ids.set(Key::AUID), effective: account, ..Self::default() }
            }
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
