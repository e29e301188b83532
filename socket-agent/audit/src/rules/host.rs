//! Facts about the host that rules depend on.

use std::path::Path;

use crate::names::Arch;

/// The host that rules are for.
#[derive(Clone, Copy)]
pub struct Host<'a> {
    /// The architecture of the kernel: the one of rules without `-F arch`, and what `b64` means.
    /// `None` if it is none that is known here; rules then name one.
    pub arch: Option<Arch>,
    /// Users and groups by name.
    pub accounts: &'a dyn Accounts,
    /// Kinds of watched paths.
    pub paths: &'a dyn Paths,
    /// Which calls a rule with `-F perm` and `-F arch` but without `-S` is about.
    pub perm_calls: PermCalls,
}

/// Users and groups by name.
pub trait Accounts {
    /// Number of a user.
    fn user(&self, name: &str) -> Option<u32>;
    /// Number of a group.
    fn group(&self, name: &str) -> Option<u32>;
}

/// Look-up of the kind of a path.
pub trait Paths {
    /// What a path is, links followed.
    fn kind(&self, path: &Path) -> PathKind;
}

/// Kind of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// There is nothing, or nothing that can be seen.
    Missing,
    /// A directory.
    Directory,
    /// Anything else.
    File,
}

/// Which calls a rule with `-F perm` is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PermCalls {
    /// All: the kernel finds out which of them make such an access. auditctl before 4.0.
    #[default]
    All,
    /// Those that can make such an access, which costs the others less and misses calls that are
    /// newer than this program. auditctl since 4.0.
    Listed,
}

// === impl PermCalls ===

impl PermCalls {
    /// The names that [`PermCalls::from_name`] knows.
    pub const NAMES: &'static [&'static str] = &["all", "listed"];

    /// By its name in the configuration.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::All, Self::Listed]
            .into_iter()
            .zip(Self::NAMES)
            .find(|(_, known)| **known == name)
            .map(|(calls, _)| calls)
    }
}
