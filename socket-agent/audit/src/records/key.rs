//! Names of fields, interned: a parsed record holds a byte for each.

use ecs::FieldName;

/// The name of a field that the code or its tables speak of; [`Key::OTHER`] for all else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub(super) u8);

macro_rules! keys {
    ($($constant:ident $name:literal $($what:ident)?,)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Index { OTHER, $($constant,)* }

        #[allow(missing_docs)]
        impl Key {
            /// Any name that is not interned.
            pub const OTHER: Self = Self(Index::OTHER as u8);
            $(pub const $constant: Self = Self(Index::$constant as u8);)*
        }

        /// By number; the first is of no field.
        const NAMES: &[&str] = &["", $($name,)*];
        static FIELD_NAMES: [FieldName; NAMES.len()] =
            [FieldName::new(""), $(FieldName::new(concat!(",\"", $name, "\":\"")),)*];
        /// Bits of the contents of each field.
        const CONTENTS: &[u8] = &[0, $(0 $(| $what)?,)*];
    };
}

/// A string from outside.
#[allow(non_upper_case_globals)]
const encoded: u8 = 1;
/// The label of a process or a file.
#[allow(non_upper_case_globals)]
const label: u8 = 2;

keys! {
    A0 "a0", A1 "a1", A2 "a2", A3 "a3",
    ACCT "acct" encoded,
    ACTION "action",
    ADDR "addr",
    APPARMOR "apparmor",
    ARCH "arch",
    ARCH_NAME "ARCH",
    ARGC "argc",
    AUDIT_BACKLOG_LIMIT "audit_backlog_limit",
    AUDIT_ENABLED "audit_enabled",
    AUDIT_FAILURE "audit_failure",
    AUDIT_PID "audit_pid",
    AUID "auid",
    AUID_NAME "AUID",
    BLOCKERS "blockers",
    BOOL "bool",
    CALIPSO_DOI "calipso_doi",
    CAP_FE "cap_fe", CAP_FI "cap_fi", CAP_FP "cap_fp", CAP_FROOTID "cap_frootid",
    CAP_FVER "cap_fver",
    CAP_PA "cap_pa", CAP_PE "cap_pe", CAP_PI "cap_pi", CAP_PP "cap_pp",
    CAPABILITY "capability",
    CAPNAME "capname",
    CAUSE "cause",
    CGROUP "cgroup" encoded,
    CIPSO_DOI "cipso_doi",
    CMD "cmd" encoded,
    CODE "code",
    COMM "comm" encoded,
    COMPAT "compat",
    CONN_NAME "conn-name",
    CTRL "ctrl",
    CWD "cwd" encoded,
    DADDR "daddr",
    DATA "data" encoded,
    DENIED_MASK "denied_mask",
    DEV "dev",
    DEVICE "device" encoded,
    DIR "dir" encoded,
    DOMAIN "domain",
    DST "dst",
    EGID "egid",
    EGID_NAME "EGID",
    ENFORCING "enforcing",
    EUID "euid",
    EUID_NAME "EUID",
    EXE "exe" encoded,
    EXIT "exit",
    FAMILY "family",
    FD "fd",
    FE "fe",
    FEATURE "feature",
    FI "fi",
    FILE "file" encoded,
    FLAGS "flags",
    FP "fp",
    FROOTID "frootid",
    FSGID "fsgid",
    FSGID_NAME "FSGID",
    FSUID "fsuid",
    FSUID_NAME "FSUID",
    FVER "fver",
    GID "gid",
    GID_NAME "GID",
    GRANTORS "grantors",
    GRP "grp" encoded,
    HOSTNAME "hostname",
    ID "id",
    ID_NAME "ID",
    INODE "inode",
    INVALID_CONTEXT "invalid_context" encoded,
    IP "ip",
    IPE_OP "ipe_op",
    ITEM "item",
    ITEMS "items",
    KEY "key" encoded,
    LABEL "label" label,
    LIST "list",
    MODE "mode",
    MSG "msg",
    NAME "name" encoded,
    NAMETYPE "nametype",
    NETIF "netif",
    NEW_ACTIVE_POL_NAME "new_active_pol_name",
    NEW_AUID "new-auid",
    NEW_AUID_OF_OLD "new_auid",
    NEW_DISK "new-disk" encoded,
    NEW_FS "new-fs" encoded,
    NEW_LEVEL "new-level",
    NEW_PA "new_pa", NEW_PE "new_pe", NEW_PI "new_pi", NEW_PP "new_pp",
    NLBL_DOMAIN "nlbl_domain",
    OBJ "obj" label,
    OBJTYPE "objtype",
    OCOMM "ocomm" encoded,
    OFLAG "oflag",
    OGID "ogid",
    OGID_NAME "OGID",
    OLD_AUID "old-auid",
    OLD_AUID_NAME "OLD-AUID",
    OLD_AUID_OF_OLD "old_auid",
    OLD_DISK "old-disk" encoded,
    OLD_FS "old-fs" encoded,
    OLD_PA "old_pa", OLD_PE "old_pe", OLD_PI "old_pi", OLD_PP "old_pp",
    OLD_SES "old-ses",
    OP "op",
    OPERATION "operation",
    OPID "opid",
    OUID "ouid",
    OUID_NAME "OUID",
    PA "pa",
    PATH "path" encoded,
    PE "pe",
    PEER_PROFILE "peer_profile" encoded,
    PI "pi",
    PID "pid",
    POLICY_NAME "policy_name",
    PORT "port",
    PP "pp",
    PPID "ppid",
    PRINTER "printer",
    PROCTITLE "proctitle" encoded,
    PROFILE "profile" encoded,
    PROG_ID "prog-id",
    RADDR "raddr",
    RDEV "rdev",
    REQUESTED_MASK "requested_mask",
    RES "res",
    RESRC "resrc",
    RESULT "result",
    ROOT_DIR "root_dir" encoded,
    RPORT "rport",
    SADDR "saddr",
    SADDR_NAME "SADDR",
    SCONTEXT "scontext",
    SELECTED_CONTEXT "selected-context",
    SEPERMS "seperms",
    SERESULT "seresult",
    SES "ses",
    SGID "sgid",
    SGID_NAME "SGID",
    SIG "sig",
    SRCNAME "srcname" encoded,
    STATUS "status",
    SUBJ "subj" label,
    SUCCESS "success",
    SUID "suid",
    SUID_NAME "SUID",
    SW "sw" encoded,
    SW_TYPE "sw_type",
    SYSCALL "syscall",
    SYSCALL_NAME "SYSCALL",
    TABLE "table",
    TCLASS "tclass",
    TCONTEXT "tcontext",
    TERMINAL "terminal",
    TTY "tty",
    UID "uid",
    UID_NAME "UID",
    UNIT "unit",
    UNLBL_ACCEPT "unlbl_accept",
    URING_OP "uring_op",
    VM "vm" encoded,
    WATCH "watch" encoded,
    XATTR "xattr" encoded,
}

/// Slots of the hash table: a power of two, a few times the number of names.
const SLOTS: usize = 1 << SLOT_BITS;
const SLOT_BITS: u32 = 11;
static TABLE: [u8; SLOTS] = table();
/// As [`CONTENTS`], for whatever a byte can be.
static CONTENTS_OF: [u8; 256] = contents();
static PACKED: [Packed; NAMES.len()] = packed();

/// The beginning of a name, and how long it is.
#[derive(Clone, Copy)]
struct Packed {
    word: u64,
    length: usize,
}

/// The first eight bytes of a name in a word, the first in the lowest byte; zeros fill up.
pub(super) const fn pack(name: &[u8]) -> u64 {
    let mut word = 0;
    let mut at = 0;
    while at < name.len() && at < 8 {
        word |= (name[at] as u64) << (8 * at);
        at += 1;
    }
    word
}

const fn hash(packed: u64, length: usize) -> usize {
    let mixed = (packed ^ (length as u64) << 59).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (64 - SLOT_BITS)) as usize
}

const fn packed() -> [Packed; NAMES.len()] {
    let mut names = [Packed { word: 0, length: 0 }; NAMES.len()];
    let mut number = 0;
    while number < NAMES.len() {
        let name = NAMES[number].as_bytes();
        names[number] = Packed { word: pack(name), length: name.len() };
        number += 1;
    }
    names
}

const fn contents() -> [u8; 256] {
    let mut contents = [0; 256];
    let mut number = 0;
    while number < CONTENTS.len() {
        contents[number] = CONTENTS[number];
        number += 1;
    }
    contents
}

const fn table() -> [u8; SLOTS] {
    assert!(NAMES.len() < 256, "a key is a byte");
    let mut table = [0; SLOTS];
    let mut number = 1;
    while number < NAMES.len() {
        let name = NAMES[number].as_bytes();
        let mut slot = hash(pack(name), name.len());
        while table[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = number as u8;
        number += 1;
    }
    table
}

impl Key {
    /// The key of a name.
    pub fn of(name: &[u8]) -> Self {
        Self::of_packed(pack(name), name)
    }

    /// The key of a name whose beginning is packed already.
    #[inline]
    pub(super) fn of_packed(packed: u64, name: &[u8]) -> Self {
        let slot = hash(packed, name.len());
        let number = TABLE[slot];
        let Packed { word, length } = PACKED[usize::from(number)];
        if word == packed && length == name.len() && length <= 8 {
            return Self(number);
        }
        Self::search(slot, packed, name)
    }

    /// As [`of_packed`](Self::of_packed), for names that are long or not in their own place.
    #[inline(never)]
    fn search(mut slot: usize, packed: u64, name: &[u8]) -> Self {
        loop {
            let number = TABLE[slot % SLOTS];
            if number == 0 {
                return Self::OTHER;
            }
            let index = usize::from(number);
            let Packed { word, length } = PACKED[index];
            if word == packed
                && length == name.len()
                && (length <= 8 || NAMES[index].as_bytes() == name)
            {
                return Self(number);
            }
            slot += 1;
        }
    }

    /// The name as that of a field of a document.
    #[inline]
    pub(crate) fn field_name(self) -> Option<&'static FieldName> {
        FIELD_NAMES.get(usize::from(self.0)).filter(|_| self != Self::OTHER)
    }

    /// The name; `None` for [`Key::OTHER`].
    #[inline]
    pub fn name(self) -> Option<&'static str> {
        NAMES.get(usize::from(self.0)).copied().filter(|_| self != Self::OTHER)
    }

    /// Whether the field holds neither a label nor a string from outside.
    #[inline]
    pub(super) fn is_plain(self) -> bool {
        CONTENTS_OF[usize::from(self.0)] == 0
    }

    /// Whether the field holds the label of a process or a file.
    #[inline]
    pub(super) fn is_label(self) -> bool {
        CONTENTS_OF[usize::from(self.0)] & label != 0
    }

    /// Whether the field holds a string from outside, in any record but those of system calls.
    #[inline]
    pub(super) fn is_encoded(self) -> bool {
        CONTENTS_OF[usize::from(self.0)] & encoded != 0
    }

    /// The field that auditd adds with the name for the number in this one.
    #[inline]
    pub(crate) fn added(self) -> Option<Self> {
        Some(match self {
            Self::ARCH => Self::ARCH_NAME,
            Self::AUID => Self::AUID_NAME,
            Self::UID => Self::UID_NAME,
            Self::GID => Self::GID_NAME,
            Self::EUID => Self::EUID_NAME,
            Self::EGID => Self::EGID_NAME,
            Self::SUID => Self::SUID_NAME,
            Self::SGID => Self::SGID_NAME,
            Self::FSUID => Self::FSUID_NAME,
            Self::FSGID => Self::FSGID_NAME,
            Self::OUID => Self::OUID_NAME,
            Self::OGID => Self::OGID_NAME,
            Self::OLD_AUID => Self::OLD_AUID_NAME,
            Self::ID => Self::ID_NAME,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        for (number, name) in NAMES.iter().enumerate().skip(1) {
            let key = Key::of(name.as_bytes());
            assert_eq!((usize::from(key.0), key.name()), (number, Some(*name)));
        }
        for name in ["", "a", "a4", "Auid", "comm ", "nlnk-pid", "\u{1d}", "comm\0"] {
            assert_eq!(Key::of(name.as_bytes()), Key::OTHER, "{name}");
        }
        assert_eq!(Key::OTHER.name(), None);
    }

    #[test]
    fn names_collide_seldom() {
        let slots: std::collections::HashSet<_> =
            NAMES.iter().skip(1).map(|name| hash(pack(name.as_bytes()), name.len())).collect();
        assert!(slots.len() * 10 >= NAMES.len() * 8, "{} of {}", slots.len(), NAMES.len());
    }

    #[test]
    fn strings_from_outside() {
        assert!(Key::NAME.is_encoded() && Key::PROCTITLE.is_encoded() && Key::ACCT.is_encoded());
        assert!(!Key::INODE.is_encoded() && !Key::OTHER.is_encoded() && !Key::A0.is_encoded());
    }

    #[test]
    fn labels() {
        let labels: Vec<_> =
            NAMES.iter().filter(|name| Key::of(name.as_bytes()).is_label()).collect();
        assert_eq!(labels, [&"label", &"obj", &"subj"]);
    }

    #[test]
    fn names_that_auditd_adds() {
        assert_eq!(Key::of(b"uid").added(), Some(Key::UID_NAME));
        assert_eq!(Key::of(b"old-auid").added().and_then(Key::name), Some("OLD-AUID"));
        assert_eq!(Key::of(b"pid").added(), None);
    }
}
