//! Where a function's arguments and its result are, as kprobe events name registers.

use linux::Kernel;

/// How one architecture passes arguments to kernel functions.
#[derive(Clone, Copy, Debug)]
pub(in crate::tracefs) struct Abi {
    /// Registers of the first arguments.
    arguments: &'static [&'static str],
    /// Where the caller's address is at the entry of a function.
    return_address: &'static str,
    /// Bytes of a pointer.
    pub(in crate::tracefs) word: u8,
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
    /// That of the running kernel, if it is of the architecture that the agent was built for: words
    /// of samples and offsets are read as wide as the agent's own.
    ///
    /// # Errors
    ///
    /// It is not, or the architecture is not known; what to do about it.
    pub(in crate::tracefs) fn of_this_machine() -> Result<Self, String> {
        Self::for_kernel(std::env::consts::ARCH, &Kernel::running().machine)
    }

    /// That of a kernel, as `uname -m` calls its machine, for a build.
    fn for_kernel(build: &str, machine: &str) -> Result<Self, String> {
        let abi = Self::of(build)
            .ok_or_else(|| format!("arguments of functions are not known on {build}"))?;
        if abi.word == 4 && machine.ends_with("64") {
            return Err(format!("this build is for {build}, the kernel is {machine}"));
        }
        Ok(abi)
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
    pub(in crate::tracefs) fn argument(&self, index: usize) -> Option<&'static str> {
        self.arguments.get(index).copied()
    }

    /// Where the caller's address is at the entry of a function.
    pub(in crate::tracefs) fn return_address(&self) -> &'static str {
        self.return_address
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracefs::{
        offsets::{Member, MemberLayout, Offsets},
        probe::{Line, PROBES, Shapes, fetch},
    };

    #[test]
    fn arguments_are_where_the_calling_convention_puts_them() {
        let all = |arch: &str| -> Vec<&str> {
            let abi = Abi::of(arch).unwrap();
            (0..).map_while(|index| abi.argument(index)).collect()
        };
        assert_eq!(all("x86_64"), ["%di", "%si", "%dx", "%cx", "%r8", "%r9"]);
        assert_eq!(all("x86"), ["%ax", "%dx", "%cx", "$stack1", "$stack2"]);
        assert_eq!(all("aarch64"), ["%x0", "%x1", "%x2", "%x3", "%x4", "%x5", "%x6", "%x7"]);
        assert!(Abi::of("s390x").is_none());
    }

    #[test]
    fn a_build_for_narrow_words_refuses_a_wide_kernel() {
        let word = |build, machine| Abi::for_kernel(build, machine).map(|abi| abi.word);
        assert_eq!(word("x86", "i686"), Ok(4));
        assert_eq!(word("x86_64", "x86_64"), Ok(8));
        assert_eq!(word("aarch64", "aarch64"), Ok(8));
        let error = word("x86", "x86_64").unwrap_err();
        assert_eq!(error, "this build is for x86, the kernel is x86_64");
        assert!(word("mips", "mips").is_err());
    }

    /// What kprobe events call the registers: `regoffset_table` of the kernel's `ptrace.c`.
    fn registers(arch: &str) -> Vec<String> {
        let list = match arch {
            "x86_64" => {
                "r15 r14 r13 r12 r11 r10 r9 r8 bx cx dx si di bp ax orig_ax ip cs flags sp ss"
            }
            "x86" => "bx cx dx si di bp ax ds es fs gs orig_ax ip cs flags sp ss",
            _ => return (0..31).map(|number| format!("x{number}")).collect(),
        };
        list.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn probes_name_only_registers_that_the_kernel_has() {
        let mut offsets = Offsets::default();
        for member in Member::ALL {
            offsets.set(*member, MemberLayout { offset: 40, size: 4 });
        }
        for arch in ["x86_64", "x86", "aarch64"] {
            let known = registers(arch);
            let mut named = 0;
            for probe in &PROBES {
                let mut line = Line::new(Abi::of(arch).unwrap(), &offsets);
                assert!(fetch(&mut line, probe, &Shapes::default()), "{arch} {}", probe.event);
                let text = line.text("p", &format!("g/{}", probe.event), "f");
                for word in text.split('%').skip(1) {
                    let end = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                    let register = &word[..end.unwrap_or(word.len())];
                    assert!(known.iter().any(|name| name == register), "{arch}: {text}");
                    named += 1;
                }
            }
            assert!(named > PROBES.len(), "{arch}: {named}");
        }
    }
}
