//! `struct cred`.

use super::{Guesses, search::first, trial::Spec, trigger};
use crate::tracefs::offsets::Member;

/// Ids that nobody has.
pub(super) const GROUPS: [u32; 3] = [0x0a11_c0de, 0x0a12_c0df, 0x0a13_c0e1];
pub(super) const USERS: [u32; 3] = [0x0b21_c0d3, 0x0b22_c0d5, 0x0b23_c0d9];

impl Guesses<'_> {
    pub(super) fn credentials(&mut self) -> Result<(), String> {
        let cred = self.argument(0)?;
        let specs = [Spec::dump("commit_creds", &[], cred, 24)];
        let action = || trigger::other_ids(GROUPS, USERS);
        let found = self.trial(&specs, action, |hits| {
            // The groups are set first, so that the last has everything.
            let last = hits.last().ok_or("no change was seen")?;
            let find =
                |value: u32, what: &str| first(&[(last.dump(), &value.to_ne_bytes())], 4, what);
            Ok([
                (Member::CredUid, find(USERS[0], "the user")?),
                (Member::CredEuid, find(USERS[1], "the effective user")?),
                (Member::CredGid, find(GROUPS[0], "the group")?),
                (Member::CredEgid, find(GROUPS[1], "the effective group")?),
            ])
        })?;
        for (member, offset) in found {
            self.note(member, offset, 4);
        }
        Ok(())
    }
}
