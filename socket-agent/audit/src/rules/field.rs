//! Fields that rules can compare.

use super::list::List;
use super::operator::Operator;

/// A field of a rule, by its number in the kernel; decoded rules can have unknown ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Field(u32);

/// Form of the values of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole number that is not negative.
    Number,
    /// A whole number.
    Signed,
    /// A user: number or name.
    User,
    /// A user as in [`Kind::User`], or unset.
    LoginUser,
    /// A group: number or name.
    Group,
    /// A session number or `unset`.
    Session,
    /// What a call returned: a number, or an errno name with or without a minus sign.
    Exit,
    Arch,
    MessageType,
    FileType,
    FsType,
    Family,
    Perm,
    Compare,
    /// Anything.
    Text,
    /// An absolute path of a file.
    File,
    /// An absolute path of a directory.
    Directory,
    Key,
}

/// Which operators a field takes; the kernel's rules, or auditctl's where they are stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operators {
    Any,
    NotBitwise,
    Equality,
    OnlyEqual,
}

/// On which lists a field means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lists {
    /// All but exclude and filesystem, where the kernel looks at few fields.
    Usual,
    /// The usual lists, and exclude.
    AlsoExclude,
    Exit,
    /// user and exclude.
    Messages,
    Filesystem,
    /// exit and user.
    ExitUser,
    Any,
}

struct Row(Field, &'static str, Kind, Operators, Lists);

macro_rules! fields {
    (
        $($constant:ident = $number:literal, $name:literal, $kind:ident, $operators:ident,
            $lists:ident;)*
    ) => {
        #[allow(missing_docs, reason = "each is the field of that name in auditctl(8)")]
        impl Field {
            $(pub const $constant: Self = Self($number);)*
        }

        const ROWS: &[Row] = &[
            $(Row(Field::$constant, $name, Kind::$kind, Operators::$operators, Lists::$lists),)*
        ];
    };
}

fields! {
    PID = 0, "pid", Number, NotBitwise, AlsoExclude;
    UID = 1, "uid", User, NotBitwise, AlsoExclude;
    EUID = 2, "euid", User, NotBitwise, Usual;
    SUID = 3, "suid", User, NotBitwise, Usual;
    FSUID = 4, "fsuid", User, NotBitwise, Usual;
    GID = 5, "gid", Group, NotBitwise, AlsoExclude;
    EGID = 6, "egid", Group, NotBitwise, Usual;
    SGID = 7, "sgid", Group, NotBitwise, Usual;
    FSGID = 8, "fsgid", Group, NotBitwise, Usual;
    AUID = 9, "auid", LoginUser, NotBitwise, AlsoExclude;
    PERS = 10, "pers", Number, Any, Usual;
    ARCH = 11, "arch", Arch, Equality, Usual;
    MSGTYPE = 12, "msgtype", MessageType, NotBitwise, Messages;
    SUBJ_USER = 13, "subj_user", Text, Equality, AlsoExclude;
    SUBJ_ROLE = 14, "subj_role", Text, Equality, AlsoExclude;
    SUBJ_TYPE = 15, "subj_type", Text, Equality, AlsoExclude;
    SUBJ_SEN = 16, "subj_sen", Text, NotBitwise, AlsoExclude;
    SUBJ_CLR = 17, "subj_clr", Text, NotBitwise, AlsoExclude;
    PPID = 18, "ppid", Number, NotBitwise, Exit;
    OBJ_USER = 19, "obj_user", Text, Equality, Exit;
    OBJ_ROLE = 20, "obj_role", Text, Equality, Exit;
    OBJ_TYPE = 21, "obj_type", Text, Equality, Exit;
    OBJ_LEV_LOW = 22, "obj_lev_low", Text, NotBitwise, Exit;
    OBJ_LEV_HIGH = 23, "obj_lev_high", Text, NotBitwise, Exit;
    SESSIONID = 25, "sessionid", Session, NotBitwise, ExitUser;
    FSTYPE = 26, "fstype", FsType, Equality, Filesystem;
    DEVMAJOR = 100, "devmajor", Number, NotBitwise, Exit;
    DEVMINOR = 101, "devminor", Number, Any, Exit;
    INODE = 102, "inode", Number, Equality, Exit;
    EXIT = 103, "exit", Exit, NotBitwise, Exit;
    SUCCESS = 104, "success", Number, NotBitwise, Exit;
    PATH = 105, "path", File, OnlyEqual, Exit;
    PERM = 106, "perm", Perm, OnlyEqual, Exit;
    DIR = 107, "dir", Directory, OnlyEqual, Exit;
    FILETYPE = 108, "filetype", FileType, Equality, Exit;
    OBJ_UID = 109, "obj_uid", User, NotBitwise, Usual;
    OBJ_GID = 110, "obj_gid", Group, NotBitwise, Usual;
    FIELD_COMPARE = 111, "field_compare", Compare, Equality, Exit;
    EXE = 112, "exe", File, Equality, AlsoExclude;
    SADDR_FAM = 113, "saddr_fam", Family, NotBitwise, Usual;
    A0 = 200, "a0", Signed, Any, Usual;
    A1 = 201, "a1", Signed, Any, Usual;
    A2 = 202, "a2", Signed, Any, Usual;
    A3 = 203, "a3", Signed, Any, Usual;
    KEY = 210, "key", Key, Equality, Any;
}

/// The second name of `auid`.
const LOGINUID: &str = "loginuid";

// === impl Field ===

impl Field {
    /// The kernel's number (`AUDIT_PID` and so on).
    pub fn number(self) -> u32 {
        self.0
    }

    /// By the kernel's number, known or not.
    pub fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// The name in rules; `None` for a field that is not known here.
    pub fn name(self) -> Option<&'static str> {
        self.row().map(|row| row.1)
    }

    /// By the name in rules, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = if name.eq_ignore_ascii_case(LOGINUID) { "auid" } else { name };
        ROWS.iter().find(|row| row.1.eq_ignore_ascii_case(name)).map(|row| row.0)
    }

    /// Names of all fields.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ROWS.iter().map(|row| row.1).chain([LOGINUID])
    }

    /// Whether its value is text, which stands behind the words of a rule.
    pub fn is_text(self) -> bool {
        matches!(self.kind(), Some(Kind::Text | Kind::File | Kind::Directory | Kind::Key))
    }

    /// The directory that must be there for the kernel to take a path as its value: a directory
    /// itself, of a file the one that it is in.
    pub fn needs_directory(self, path: &[u8]) -> Option<&[u8]> {
        match self {
            Self::DIR => Some(path),
            Self::PATH | Self::EXE => {
                let slash = path.iter().rposition(|byte| *byte == b'/')?;
                path.get(..slash.max(1))
            }
            _ => None,
        }
    }

    pub(super) fn kind(self) -> Option<Kind> {
        self.row().map(|row| row.2)
    }

    /// Why it does not take an operator: the operators that it does.
    pub(super) fn refuses(self, operator: Operator) -> Option<&'static str> {
        let row = self.row()?;
        let (fits, allowed) = match row.3 {
            Operators::Any => (true, ""),
            Operators::NotBitwise => (!operator.is_bitwise(), "= != < <= > >="),
            Operators::Equality => (operator.is_equality(), "= and !="),
            Operators::OnlyEqual => (operator == Operator::Equal, "="),
        };
        (!fits).then_some(allowed)
    }

    /// Why it cannot be on a list: the lists that it can be on.
    pub(super) fn not_on(self, list: List) -> Option<&'static str> {
        let row = self.row()?;
        let (fits, allowed) = match row.4 {
            Lists::Any => (true, ""),
            Lists::Usual => {
                (!matches!(list, List::Exclude | List::Filesystem), "exit, task, user and io_uring")
            }
            Lists::AlsoExclude => {
                (list != List::Filesystem, "exit, task, user, exclude and io_uring")
            }
            Lists::Exit => (list == List::Exit, "exit"),
            Lists::Messages => (matches!(list, List::User | List::Exclude), "user and exclude"),
            Lists::Filesystem => (list == List::Filesystem, "filesystem"),
            Lists::ExitUser => (matches!(list, List::Exit | List::User), "exit and user"),
        };
        (!fits).then_some(allowed)
    }

    fn row(self) -> Option<&'static Row> {
        ROWS.iter().find(|row| row.0 == self)
    }
}
