//! `user`, `group` and `related.user`.

use serde::Serialize;

use super::parts::Label;
use crate::audit::normalise::{Entity, Normal};

#[derive(Default, Serialize)]
pub(super) struct Named<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct User<'a> {
    #[serde(flatten)]
    named: Named<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Named<'a>>,
}

#[derive(Serialize)]
pub(super) struct UserPart<'a> {
    #[serde(flatten)]
    user: User<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Named<'a>>,
    /// Not in ECS, like the next three.
    #[serde(skip_serializing_if = "Option::is_none")]
    saved: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filesystem: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    selinux: Option<Label<'a>>,
}

fn named<'a>(entity: Option<&'a Entity<'_>>) -> Option<Named<'a>> {
    let entity = entity.filter(|entity| !entity.is_empty() && !entity.is_unset())?;
    Some(Named { id: entity.id.as_deref(), name: entity.name.as_deref() })
}

impl<'a> UserPart<'a> {
    /// `None` if nothing is known of any user.
    pub(super) fn of(normal: &'a Normal<'_>) -> Option<Self> {
        let ids = &normal.ids;
        let with_group = |user: Option<Named<'a>>, key| {
            let group = named(ids.get(key));
            (user.is_some() || group.is_some())
                .then(|| User { named: user.unwrap_or_default(), group })
        };
        let user = with_group(named(normal.users.user.as_ref()), "gid");
        let effective = with_group(named(normal.users.effective.as_ref()), "egid");
        let target = named(normal.users.target.as_ref());
        let saved = with_group(named(ids.get("suid")), "sgid");
        let filesystem = with_group(named(ids.get("fsuid")), "fsgid");
        let audit = named(ids.get("auid"));
        let selinux = normal.label.as_deref().map(Label::of);
        let known = user.is_some()
            || effective.is_some()
            || target.is_some()
            || saved.is_some()
            || filesystem.is_some()
            || audit.is_some()
            || selinux.is_some();
        let nobody = || User { named: Named::default(), group: None };
        known.then(|| Self {
            user: user.unwrap_or_else(nobody),
            effective,
            target,
            saved,
            filesystem,
            audit,
            selinux,
        })
    }
}

/// The group that something was done to.
pub(super) fn group<'a>(normal: &'a Normal<'_>) -> Option<Named<'a>> {
    named(normal.users.group.as_ref())
}

/// All users by name, each once.
pub(super) fn related<'a>(normal: &'a Normal<'_>) -> Vec<&'a str> {
    let users = &normal.users;
    let of_ids = ["auid", "uid", "euid"].into_iter().filter_map(|key| normal.ids.get(key));
    let mut names: Vec<&str> = Vec::new();
    for entity in [&users.user, &users.effective, &users.target].into_iter().flatten().chain(of_ids)
    {
        if let Some(name) = entity.name.as_deref()
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}
