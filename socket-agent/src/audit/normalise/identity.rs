//! Users and groups.

use std::{borrow::Cow, sync::Arc};

use super::{
    rows::Roles,
    text::{Text, is_unset},
};
use crate::{
    audit::records::{Field, Record},
    process::Names,
};

/// Gives the names of users and groups.
pub trait IdNames {
    /// Name of a user id.
    fn user(&mut self, uid: u32) -> Option<Arc<str>>;
    /// Name of a group id.
    fn group(&mut self, gid: u32) -> Option<Arc<str>>;
}

/// Gives none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl IdNames for NoNames {
    fn user(&mut self, _: u32) -> Option<Arc<str>> {
        None
    }

    fn group(&mut self, _: u32) -> Option<Arc<str>> {
        None
    }
}

impl IdNames for Names {
    fn user(&mut self, uid: u32) -> Option<Arc<str>> {
        Self::user(self, uid)
    }

    fn group(&mut self, gid: u32) -> Option<Arc<str>> {
        Self::group(self, gid)
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
        let added = field.key.to_ascii_uppercase();
        let added = record
            .added()
            .find(|name| name.key == added && !name.is_absent())
            .map(|name| name.text())
            // auditd's words for a number without a name.
            .filter(|name| name != "unset" && !name.starts_with("unknown("));
        let id = field.text();
        let name = added.or_else(|| {
            let number = id.parse().ok()?;
            let name = if is_group { names.group(number) } else { names.user(number) };
            name.map(|name| Cow::Owned(name.as_ref().to_owned()))
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
        if field.key == b"acct" || field.key == b"grp" {
            return Self { id: None, name: Some(field.text()) };
        }
        Self::of_id(record, field, is_group, names)
    }
}

// === impl Ids ===

impl<'a> Ids<'a> {
    /// Names of the fields.
    pub const KEYS: [&'static str; 10] =
        ["auid", "uid", "gid", "euid", "egid", "suid", "sgid", "fsuid", "fsgid", "old-auid"];

    /// From the first record that has each.
    pub(super) fn read(records: &'a [Record], names: &mut dyn IdNames) -> Self {
        let mut ids = Self::default();
        for record in records {
            for field in record.fields() {
                let Some(index) = Self::index(record, field.key) else { continue };
                if ids.0[index].is_none() && !field.is_absent() {
                    let is_group = field.key.ends_with(b"gid");
                    ids.0[index] = Some(Entity::of_id(record, &field, is_group, names));
                }
            }
        }
        ids
    }

    /// Which id a field of a record holds, if it is about the process itself.
    pub(super) fn index(record: &Record, key: &[u8]) -> Option<usize> {
        let name = match key {
            b"old_auid" => b"old-auid",
            // In LOGIN records of old kernels.
            b"new_auid" | b"new-auid" => &b"auid"[..],
            key => key,
        };
        // In records of cryptography, suid is of another process.
        if name == b"suid" && record.kind().is_user() {
            return None;
        }
        Self::KEYS.iter().position(|known| known.as_bytes() == name)
    }

    /// One of them, by its key.
    pub fn get(&self, key: &str) -> Option<&Entity<'a>> {
        let index = Self::KEYS.iter().position(|known| *known == key)?;
        self.0.get(index)?.as_ref()
    }

    /// Those that are there, with their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Entity<'a>)> {
        Self::KEYS.into_iter().zip(&self.0).filter_map(|(key, id)| Some((key, id.as_ref()?)))
    }

    /// One that is set.
    fn set(&self, key: &str) -> Option<Entity<'a>> {
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
        let login = || ids.set("auid").or_else(|| ids.set("uid"));
        let uid = || ids.set("uid");
        match roles {
            Roles::Process | Roles::Mac => {
                Self { user: uid(), effective: ids.set("euid"), ..Self::default() }
            }
            Roles::Session => Self { user: login(), effective: account, ..Self::default() },
            Roles::User => Self { user: login(), effective: uid(), target: object, group: None },
            Roles::Group => Self { user: login(), effective: uid(), target: None, group: object },
            Roles::Target => Self { user: login(), effective: uid(), target: account, group: None },
            Roles::Member => Self { user: login(), effective: uid(), target: None, group: account },
            Roles::Login => Self {
                user: ids.set("old-auid").or_else(uid),
                effective: ids.set("auid"),
                ..Self::default()
            },
        }
    }
}
