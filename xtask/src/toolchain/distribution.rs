//! The compiler that the distribution packages, with its sources in its own sysroot.

use std::{path::Path, process::Command};

use super::{
    Origin,
    probe::{Verdict, probe},
};
use crate::command;

/// Looks where packages install, not in PATH: rustup's programs come first there.
pub(super) fn find(llvm: u32) -> Verdict {
    probe(Path::new("/usr/bin/cargo"), Path::new("/usr/bin/rustc"), Origin::Package, llvm)
}

/// The LLVM of the compiler in a package that could be installed: its own, or that of the packages it needs.
/// `None` if there is no such package, or it needs none.
pub(super) fn offered(package: &str) -> Option<u32> {
    let mut cache = Command::new("apt-cache");
    cache.args(["depends", "--recurse", "--important", package]);
    // Of a package that it does not know it prints nothing, or an error.
    llvm_of(&command::output(&mut cache).ok()?)
}

/// Of what `apt-cache depends` prints: the names of packages at the start of lines, what each depends on below.
fn llvm_of(depends: &str) -> Option<u32> {
    depends.lines().find_map(|line| {
        let digits: String =
            line.strip_prefix("libllvm")?.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_llvm_that_a_compiler_needs() {
        let text = "rustc-web\n  Depends: libc6\n  Depends: libstd-rust-web-dev\n\
                    libstd-rust-web-1.96\n  Depends: libllvm22\nlibllvm22\n  Depends: libc6\n";
        assert_eq!(llvm_of(text), Some(22));
        assert_eq!(llvm_of(&text.replace("llvm22", "llvm19t64")), Some(19));
        assert_eq!(llvm_of("rustc\n  Depends: libc6\nlibc6\n"), None);
    }
}
