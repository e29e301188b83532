//! Which compiler is taken, and what is installed for it: the pinned one of rustup before the distribution's of
//! the same LLVM, before any other with that LLVM.

use super::{
    Toolchain,
    probe::{Rejection, Verdict},
};

/// The compiler that is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// Its version, as rustup names it.
    pub(super) version: &'a str,
    /// Major version of its LLVM, which is that of the linker.
    pub(super) llvm: u32,
}

/// What can be found and installed. Whatever fails gives its reason, to follow "since".
pub(super) trait Machine {
    /// rustup's toolchains by name, those of the pinned name first and nightly ones last.
    fn toolchains(&mut self) -> Result<Vec<(String, Verdict)>, String>;
    /// Has rustup fetch a version, no more of it than is needed.
    fn fetch(&mut self, version: &str) -> Result<(), String>;
    /// Has rustup fetch the sources of one of its toolchains.
    fn add_sources(&mut self, name: &str) -> Result<(), String>;
    /// The compiler that the distribution's packages have installed.
    fn packaged(&mut self) -> Verdict;
    /// The LLVM of the compiler that the distribution's packages would install.
    fn offered(&mut self) -> Result<Option<u32>, String>;
    /// Fetches the distribution's package lists.
    fn refresh(&mut self) -> Result<(), String>;
    /// Installs or upgrades the packages; returns those that were not there before.
    fn install(&mut self) -> Result<Vec<String>, String>;
    /// Tells a person something.
    fn note(&mut self, text: &str);
}

/// Chooses the compiler, or installs what makes one; with why it is this one.
///
/// # Errors
/// Why there is none, one reason for each place.
pub(super) fn choose(
    wanted: Wanted<'_>,
    machine: &mut impl Machine,
) -> Result<(Toolchain, String), Vec<String>> {
    let no_pinned = match pinned(wanted, machine) {
        Ok(toolchain) => return Ok((toolchain, "the one that ci/toolchain.toml names".to_owned())),
        Err(reason) => reason,
    };
    let since = |reasons: &[&str]| {
        format!("of the same LLVM as {}, since {}", wanted.version, reasons.join("; "))
    };
    let no_package = match packaged(wanted, machine) {
        Ok(toolchain) => return Ok((toolchain, since(&[&no_pinned]))),
        Err(reason) => reason,
    };
    match other(machine) {
        Ok(toolchain) => Ok((toolchain, since(&[&no_pinned, &no_package]))),
        Err(reason) => Err(vec![no_pinned, no_package, reason]),
    }
}

/// rustup's of exactly the version.
fn pinned(wanted: Wanted<'_>, machine: &mut impl Machine) -> Result<Toolchain, String> {
    let version = wanted.version;
    let list = machine.toolchains()?;
    if let Some(toolchain) = of_version(list.clone(), version) {
        return Ok(toolchain);
    }
    let bare = list.iter().find(|(_, verdict)| {
        matches!(verdict, Err(Rejection::NoSources { release }) if release == version)
    });
    match bare {
        Some((name, _)) => machine
            .add_sources(name)
            .map_err(|reason| format!("rustup cannot fetch rust-src for {name} ({reason})"))?,
        None => machine
            .fetch(version)
            .map_err(|reason| format!("rustup cannot fetch {version} ({reason})"))?,
    }
    let list = machine.toolchains()?;
    of_version(list, version).ok_or_else(|| {
        machine.note(&format!(
            "what rustup has fetched of {version} is of no use: `rustup toolchain list` shows it, \
             `rustup toolchain uninstall` removes it"
        ));
        format!("what rustup has fetched of {version} does not work")
    })
}

fn of_version(list: Vec<(String, Verdict)>, version: &str) -> Option<Toolchain> {
    list.into_iter().filter_map(|(_, verdict)| verdict.ok()).find(|found| found.release == version)
}

/// The distribution's, if it is or can be had with the LLVM.
fn packaged(wanted: Wanted<'_>, machine: &mut impl Machine) -> Result<Toolchain, String> {
    let rejection = match machine.packaged() {
        Ok(toolchain) => return Ok(toolchain),
        Err(rejection) => rejection,
    };
    let mut offered = machine.offered()?;
    let mut stale = String::new();
    // Lists that know, or have led to, another LLVM are old ones.
    if offered != Some(wanted.llvm) || matches!(rejection, Rejection::Llvm { .. }) {
        match machine.refresh() {
            Ok(()) => offered = machine.offered()?,
            Err(reason) => stale = format!(" ({reason})"),
        }
    }
    if offered != Some(wanted.llvm) {
        let offered = match offered {
            Some(llvm) => format!("offers it with LLVM {llvm} alone"),
            None => "does not offer it".to_owned(),
        };
        return Err(format!("/usr/bin/rustc {rejection} and apt {offered}{stale}"));
    }
    let new = machine.install()?;
    machine.packaged().map_err(|rejection| {
        if !new.is_empty() {
            let new = new.join(" ");
            machine.note(&format!(
                "{new} are of no use: `apt-get remove --auto-remove {new}` removes them"
            ));
        }
        format!("/usr/bin/rustc {rejection}, installed as it is")
    })
}

/// Any other of rustup's that has the LLVM.
fn other(machine: &mut impl Machine) -> Result<Toolchain, String> {
    let list = machine.toolchains()?;
    let mut reasons = Vec::new();
    let mut bare = Vec::new();
    for (name, verdict) in list {
        match verdict {
            Ok(toolchain) => return Ok(toolchain),
            Err(rejection) => {
                reasons.push(format!("rustup's {name} {rejection}"));
                if matches!(rejection, Rejection::NoSources { .. }) {
                    bare.push(name);
                }
            }
        }
    }
    for name in bare {
        if let Err(reason) = machine.add_sources(&name) {
            reasons.push(format!("rustup cannot fetch rust-src for {name} ({reason})"));
            continue;
        }
        let list = machine.toolchains()?;
        match list.into_iter().find(|(known, _)| *known == name) {
            Some((_, Ok(toolchain))) => return Ok(toolchain),
            _ => machine.note(&format!(
                "rust-src is of no use to {name}: `rustup component remove rust-src --toolchain \
                 {name}` removes it"
            )),
        }
    }
    if reasons.is_empty() {
        reasons.push("rustup has no toolchain".to_owned());
    }
    Err(reasons.join("; "))
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
