//! `user`, `group` and `related.user`.

use ecs::{Writer, key};

use super::parts::label;
use crate::{
    normalise::{Entity, Normal},
    records::Key,
};

/// Number and name, unless it is nobody.
fn named(json: &mut impl Writer, entity: Option<&Entity<'_>>) {
    if let Some(entity) = entity.filter(|entity| !entity.is_unset()) {
        json.maybe(key!("id"), entity.id.as_deref());
        json.maybe(key!("name"), entity.name.as_deref());
    }
}

/// Number and name of a user, and of its group.
fn with_group(json: &mut impl Writer, user: Option<&Entity<'_>>, group: Option<&Entity<'_>>) {
    named(json, user);
    json.group(key!("group"), |json| named(json, group));
}

/// Users; `saved`, `filesystem`, `audit`, `old-auid` and `selinux` are not in ECS.
pub(super) fn user(json: &mut impl Writer, normal: &Normal<'_>) {
    let (ids, users) = (&normal.ids, &normal.users);
    with_group(json, users.user.as_ref(), ids.get(Key::GID));
    json.group(key!("effective"), |json| {
        with_group(json, users.effective.as_ref(), ids.get(Key::EGID));
    });
    json.group(key!("target"), |json| named(json, users.target.as_ref()));
    json.group(key!("saved"), |json| with_group(json, ids.get(Key::SUID), ids.get(Key::SGID)));
    json.group(key!("filesystem"), |json| {
        with_group(json, ids.get(Key::FSUID), ids.get(Key::FSGID));
    });
    json.group(key!("audit"), |json| named(json, ids.get(Key::AUID)));
    json.group(key!("old-auid"), |json| named(json, ids.get(Key::OLD_AUID)));
    if let Some(text) = &normal.label {
        json.group(key!("selinux"), |json| label(json, text));
    }
}

/// The group that something was done to.
pub(super) fn group(json: &mut impl Writer, normal: &Normal<'_>) {
    named(json, normal.users.group.as_ref());
}

/// All users by name, each once; not the one that merely reports of others.
pub(super) fn related(json: &mut impl Writer, normal: &Normal<'_>) {
    let users = &normal.users;
    let of_roles = [&users.user, &users.effective, &users.target].map(Option::as_ref);
    let mut names = [""; 4];
    let mut count = 0;
    for entity in of_roles.into_iter().chain([normal.ids.get(Key::AUID)]).flatten() {
        if let Some(name) = entity.name.as_deref()
            && !names[..count].contains(&name)
        {
            names[count] = name;
            count += 1;
        }
    }
    json.list_if_any(key!("user"), &names[..count]);
}
