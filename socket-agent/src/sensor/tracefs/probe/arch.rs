//! Where a function's arguments and its result are, as kprobe events name registers.

/// How one architecture passes arguments to kernel functions.
#[derive(Clone, Copy, Debug)]
pub(in crate::sensor::tracefs) struct Abi {
    /// Registers of the first arguments.
    arguments: &'static [&'static str],
    /// Where the caller's address is at the entry of a function.
    return_address: &'static str,
    /// Bytes of a pointer.
    pub(in crate::sensor::tracefs) word: u8,
}

/// System V.
const X86_64: Abi = Abi {
    arguments: &["%di", "%si", "%dx", "%cx", "%r8", "%r9"],
    return_address: "$stack0",
    word: 8,
};
/// `-mregparm=3`.
const I386: Abi = Abi {
    arguments: &["%ax", "%dx", "%cx", "$stack1", "$stack2"],
    return_address: "$stack0",
    word: 4,
};
/// AAPCS64.
const AARCH64: Abi = Abi {
    arguments: &["%x0", "%x1", "%x2", "%x3", "%x4", "%x5", "%x6", "%x7"],
    return_address: "%x30",
    word: 8,
};

impl Abi {
    /// That of the machine the agent was built for.
    pub(in crate::sensor::tracefs) fn of_this_machine() -> Option<Self> {
        Self::of(std::env::consts::ARCH)
    }

    /// That of an architecture by its Rust name.
    fn of(arch: &str) -> Option<Self> {
        match arch {
            "x86_64" => Some(X86_64),
            "x86" => Some(I386),
            "aarch64" => Some(AARCH64),
            _ => None,
        }
    }

    /// Where argument `index` (from 0) is; `None` if it is not in a register that is known.
    pub(in crate::sensor::tracefs) fn argument(&self, index: usize) -> Option<&'static str> {
        self.arguments.get(index).copied()
    }

    /// Where the caller's address is at the entry of a function.
    pub(in crate::sensor::tracefs) fn return_address(&self) -> &'static str {
        self.return_address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_architecture_has_the_arguments_that_the_probes_use() {
        for arch in ["x86_64", "x86", "aarch64"] {
            let abi = Abi::of(arch).unwrap();
            assert!((0..5).all(|index| abi.argument(index).is_some()), "{arch}");
        }
        assert!(Abi::of("s390x").is_none());
        assert_eq!(X86_64.argument(2), Some("%dx"));
        assert_eq!(I386.argument(3), Some("$stack1"));
        assert_eq!(AARCH64.return_address(), "%x30");
    }
}
