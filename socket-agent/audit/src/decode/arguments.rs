//! Arguments of system calls.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use super::{mode, values};
use crate::{names::arch::has_other_numbers, table::rows};

static ARGUMENTS: LazyLock<FxHashMap<&'static str, Vec<Argument>>> = LazyLock::new(|| {
    rows(include_str!("arguments.tsv"))
        .map(|[call, arguments]| (call, arguments.split(',').filter_map(Argument::parse).collect()))
        .collect()
});

/// Says what an argument stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// 0 to 3: those that the kernel records.
    pub index: u8,
    /// What kind of thing it is: `open`, `mode`, `signal`, ...
    pub set: &'static str,
    /// Where the flags of `open` are that say whether this one means anything.
    flags: Option<u8>,
}

/// Flags with which a file is made: O_CREAT and the one in O_TMPFILE.
const CREATING: u64 = 0x40 | 0x40_0000;

/// The arguments of a system call that stand for something, on an architecture with that name.
pub fn argument(call: &str, arch: &str) -> &'static [Argument] {
    let call = match call {
        "clone" if matches!(arch, "s390" | "s390x") => "clone.s390x",
        call => call,
    };
    ARGUMENTS.get(call).map_or(&[], Vec::as_slice)
}

impl Argument {
    fn parse(text: &'static str) -> Option<Self> {
        let (index, set) = text.split_once('=')?;
        let (set, flags) = match set.split_once(':') {
            Some((set, flags)) => (set, Some(flags.parse().ok()?)),
            None => (set, None),
        };
        Some(Self { index: index.parse().ok()?, set, flags })
    }

    /// Whether it means anything beside the others, which `arguments` gives by their number.
    pub fn applies(self, arguments: impl Fn(u8) -> Option<u64>) -> bool {
        self.flags.is_none_or(|flags| arguments(flags).is_some_and(|flags| flags & CREATING != 0))
    }

    /// A number in words; `None` if there is nothing to say about it.
    pub fn describe(self, arch: &str, number: u64) -> Option<String> {
        // The kernel records registers, of which flags take the lower half.
        let low = number & 0xffff_ffff;
        match self.set {
            "mode" => Some(mode::octal(low).map(char::from).iter().collect()),
            "directory" => values::one("directory", number).map(str::to_owned),
            _ if has_other_numbers(arch) => None,
            // Arm and PowerPC number four of the flags otherwise.
            "open" if matches!(arch, "arm" | "aarch64" | "ppc" | "ppc64" | "ppc64le") => {
                values::bits("open.arm", low)
            }
            "clone" => clone(low),
            set if values::is_bits(set) == Some(true) => values::bits(set, low),
            set => values::one(set, low).map(str::to_owned),
        }
    }
}

/// The flags of clone, whose lowest byte is the signal that the parent gets in the end.
fn clone(flags: u64) -> Option<String> {
    let signal = flags & 0xff;
    let name = values::one("signal", signal);
    let flags = values::bits("clone", if name.is_some() { flags & !0xff } else { flags });
    match (flags, name) {
        (Some(flags), Some(name)) => Some(format!("{flags}|{name}")),
        (flags, name) => flags.or_else(|| name.map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_exists() {
        for [call, arguments] in rows(include_str!("arguments.tsv")) {
            for text in arguments.split(',') {
                let argument = Argument::parse(text).unwrap_or_else(|| panic!("{call}: {text}"));
                assert!(argument.index <= 3, "{call}: {text}");
                assert!(
                    argument.set == "mode" || values::is_bits(argument.set).is_some(),
                    "{call}: {text}"
                );
                assert!(argument.flags.is_none_or(|flags| flags <= 3), "{call}: {text}");
            }
        }
    }

    #[test]
    fn arguments_in_words() {
        let words = |call, arch, index: usize, number| {
            argument(call, arch)
                .iter()
                .find(|argument| usize::from(argument.index) == index)
                .and_then(|argument| argument.describe(arch, number))
        };
        assert_eq!(words("openat", "x86_64", 0, 0xffff_ff9c).unwrap(), "AT_FDCWD");
        assert_eq!(words("openat", "x86_64", 0, 3), None);
        assert_eq!(words("openat", "x86_64", 2, 0x10000).unwrap(), "O_RDONLY|O_DIRECTORY");
        assert_eq!(words("openat", "aarch64", 2, 0x4000).unwrap(), "O_RDONLY|O_DIRECTORY");
        assert_eq!(words("mkdirat", "x86_64", 2, 0o755).unwrap(), "0755");
        assert_eq!(words("kill", "x86_64", 1, 9).unwrap(), "SIGKILL");
        assert_eq!(words("kill", "x86_64", 0, 9), None);
        assert_eq!(words("chmod", "x86_64", 1, 0).unwrap(), "0000");
        assert!(argument("getpid", "x86_64").is_empty());
    }

    #[test]
    fn only_what_makes_a_file_has_a_mode() {
        let applies = |call: &str, flags: u64| {
            let mode = argument(call, "x86_64").iter().find(|argument| argument.set == "mode");
            mode.unwrap().applies(|_| Some(flags))
        };
        // O_RDONLY|O_CLOEXEC, O_WRONLY|O_CREAT|O_CLOEXEC, O_RDWR|O_TMPFILE.
        for (flags, expected) in [(0x8_0000, false), (0x8_0041, true), (0x41_0002, true)] {
            for call in ["open", "openat", "mq_open"] {
                assert_eq!(applies(call, flags), expected, "{call} {flags:#x}");
            }
            assert!(applies("creat", flags) && applies("mkdir", flags) && applies("chmod", flags));
        }
    }

    #[test]
    fn the_signal_in_the_flags_of_clone() {
        let words = |arch: &str, index, number| {
            let arguments = argument("clone", arch).iter();
            let argument = arguments.clone().find(|argument| argument.index == index)?;
            argument.describe(arch, number)
        };
        let fork = "CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD";
        assert_eq!(words("x86_64", 0, 0x120_0011).unwrap(), fork);
        assert_eq!(words("x86_64", 0, 0x11).unwrap(), "SIGCHLD");
        assert_eq!(words("x86_64", 0, 0x100).unwrap(), "CLONE_VM");
        assert_eq!(words("x86_64", 0, 0x1ff).unwrap(), "CLONE_VM|0xff", "no such signal");
        assert_eq!(words("x86_64", 0, 0), None);
        // There the new stack comes first.
        assert_eq!(words("s390x", 0, 0x120_0011), None);
        assert_eq!(words("s390x", 1, 0x120_0011).unwrap(), fork);
    }

    #[test]
    fn flags_with_other_numbers_have_no_words() {
        let openat = argument("openat", "mips64");
        let flags = openat.iter().find(|argument| argument.set == "open").unwrap();
        // O_APPEND there.
        assert_eq!(flags.describe("mips64", 8), None);
        assert_eq!(flags.describe("loongarch64", 0x40).unwrap(), "O_RDONLY|O_CREAT");
        assert_eq!(openat[0].describe("mips64", 0xffff_ff9c).unwrap(), "AT_FDCWD");
    }
}
