//! Arguments of system calls.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use super::{mode, values};
use crate::table::rows;

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
}

/// The arguments of a system call that stand for something.
pub fn argument(call: &str) -> &'static [Argument] {
    ARGUMENTS.get(call).map_or(&[], Vec::as_slice)
}

impl Argument {
    fn parse(text: &'static str) -> Option<Self> {
        let (index, set) = text.split_once('=')?;
        Some(Self { index: index.parse().ok()?, set })
    }

    /// A number in words; `None` if there is nothing to say about it.
    pub fn describe(self, arch: &str, number: u64) -> Option<String> {
        // The kernel records registers, of which flags take the lower half.
        let low = number & 0xffff_ffff;
        match self.set {
            // Calls that create nothing leave zero there.
            "mode" => (low != 0).then(|| mode::octal(low).map(char::from).iter().collect()),
            // Arm and PowerPC number four of the flags otherwise.
            "open" if matches!(arch, "arm" | "aarch64" | "ppc" | "ppc64" | "ppc64le") => {
                values::bits("open.arm", low)
            }
            "directory" => values::one("directory", number).map(str::to_owned),
            set if values::is_bits(set) == Some(true) => values::bits(set, low),
            set => values::one(set, low).map(str::to_owned),
        }
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
            }
        }
    }

    #[test]
    fn arguments_in_words() {
        let words = |call, arch, index: usize, number| {
            argument(call)
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
        assert!(argument("getpid").is_empty());
    }
}
