//! Fields of the owner of a socket, the same in the documents of flows and of sockets.

use ecs::{Key, Writer, key};
use socket_common::{Owner, Rank};

use processes::Process;

/// The owner of a socket with all that is known of it.
#[derive(Clone, Copy, Debug)]
pub struct OwnerFacts<'a> {
    /// Ids, cgroup and thread, as far as they are known.
    pub ids: &'a Owner,
    /// Way in which the owner was found, a [`Rank`].
    pub rank: u8,
    /// The process, if it is known.
    pub process: Option<&'a Process>,
    /// Name of the real user id.
    pub user: Option<&'a str>,
    /// Name of the real group id.
    pub group: Option<&'a str>,
}

// === impl OwnerFacts ===

impl OwnerFacts<'_> {
    fn is_known(&self) -> bool {
        self.ids.pid != 0
    }

    /// `process`, `container`, the pod, `user` and `group`.
    pub(super) fn encode(&self, writer: &mut impl Writer) {
        if let Some(process) = self.process {
            writer.group(key!("process"), |of| process.encode(of, self.ids.tid));
            if let Some(container) = process.container.as_deref() {
                container.encode(writer);
            }
        }
        if self.is_known() {
            named(writer, key!("user"), self.ids.uid, self.user);
            named(writer, key!("group"), self.ids.gid, self.group);
        }
    }

    /// `related.user`.
    pub(super) fn encode_related(&self, writer: &mut impl Writer) {
        if let Some(user) = self.user.filter(|_| self.is_known()) {
            writer.list(key!("user"), [user]);
        }
    }

    /// Real and effective ids below `system.audit.socket`.
    pub(super) fn encode_ids(&self, writer: &mut impl Writer) {
        if self.is_known() {
            writer.number(key!("uid"), self.ids.uid.into());
            writer.number(key!("gid"), self.ids.gid.into());
            writer.number(key!("euid"), self.ids.euid.into());
            writer.number(key!("egid"), self.ids.egid.into());
        }
    }

    /// How the owner was found: `first_io` (sent or received first), `opener` (called connect or
    /// accept), `listener` (owns the listening socket), `creator` (created or bound the socket),
    /// `holder` (had its descriptor at the agent's start) or `unknown`.
    pub(super) fn rank_name(&self) -> &'static str {
        [
            (Rank::Holder, "holder"),
            (Rank::Creator, "creator"),
            (Rank::Listener, "listener"),
            (Rank::Opener, "opener"),
            (Rank::FirstIo, "first_io"),
        ]
        .into_iter()
        .find(|(known, _)| *known as u8 == self.rank)
        .map_or("unknown", |(_, name)| name)
    }

    /// `cgroup` and `args_truncated` below `system.audit.socket`.
    pub(super) fn encode_cgroup(&self, writer: &mut impl Writer) {
        let id = match self.ids.cgroup {
            0 => self.process.map_or(0, |process| process.cgroup_id),
            id => id,
        };
        let path = self.process.and_then(|process| process.cgroup_path.as_deref());
        writer.group(key!("cgroup"), |cgroup| {
            if id != 0 {
                // Text, as it may need more bits than a double has.
                cgroup.display(key!("id"), id);
            }
            // Below the mount point.
            cgroup.maybe(key!("path"), path);
        });
        if self.process.is_some_and(|process| process.image.args_truncated) {
            writer.flag(key!("args_truncated"), true);
        }
    }
}

/// A user or a group.
fn named(writer: &mut impl Writer, key: Key, id: u32, name: Option<&str>) {
    writer.group(key, |of| {
        of.display(key!("id"), id);
        of.maybe(key!("name"), name);
    });
}
