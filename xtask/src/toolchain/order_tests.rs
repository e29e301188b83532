use super::{super::Origin, *};

const WANTED: Wanted<'_> = Wanted { version: "1.95.0", llvm: 22 };

/// A machine of a few facts, which notes what is done to it.
#[derive(Default)]
struct Fake {
    /// rustup's toolchains: name, release, LLVM, whether the sources are there; `None` without rustup.
    rustup: Option<Vec<(&'static str, &'static str, u32, bool)>>,
    /// Whether rustup reaches its server.
    online: bool,
    /// LLVM of the packaged compiler.
    packaged: Option<u32>,
    /// LLVM of the compiler in the package lists, and in fresh ones.
    lists: Option<u32>,
    fresh_lists: Option<u32>,
    /// Whether packages can be installed.
    root: bool,
    done: Vec<String>,
    notes: Vec<String>,
}

fn toolchain(origin: Origin, release: &str) -> Toolchain {
    let release = release.to_owned();
    Toolchain { cargo: "cargo".into(), rustc: "rustc".into(), nightly: false, origin, release }
}

fn verdict(origin: Origin, release: &str, llvm: u32, sources: bool) -> Verdict {
    match (llvm, sources) {
        (22, true) => Ok(toolchain(origin, release)),
        (22, false) => Err(Rejection::NoSources { release: release.to_owned() }),
        _ => Err(Rejection::Llvm { found: Some(llvm), wanted: 22 }),
    }
}

impl Machine for Fake {
    fn toolchains(&mut self) -> Result<Vec<(String, Verdict)>, String> {
        let list = self.rustup.as_ref().ok_or("there is no rustup")?;
        Ok(list
            .iter()
            .map(|&(name, release, llvm, sources)| {
                let origin = Origin::Rustup(name.to_owned());
                (name.to_owned(), verdict(origin, release, llvm, sources))
            })
            .collect())
    }

    fn fetch(&mut self, version: &str) -> Result<(), String> {
        self.done.push(format!("fetch {version}"));
        if !self.online {
            return Err("no network".to_owned());
        }
        self.rustup.as_mut().unwrap().push(("1.95.0-x86_64", "1.95.0", 22, true));
        Ok(())
    }

    fn add_sources(&mut self, name: &str) -> Result<(), String> {
        self.done.push(format!("sources {name}"));
        if !self.online {
            return Err("no network".to_owned());
        }
        let list = self.rustup.as_mut().unwrap();
        list.iter_mut().filter(|toolchain| toolchain.0 == name).for_each(|found| found.3 = true);
        Ok(())
    }

    fn packaged(&mut self) -> Verdict {
        match self.packaged {
            Some(llvm) => verdict(Origin::Package, "1.96.0", llvm, true),
            None => Err(Rejection::Missing),
        }
    }

    fn offered(&mut self) -> Result<Option<u32>, String> {
        Ok(self.lists)
    }

    fn refresh(&mut self) -> Result<(), String> {
        self.done.push("refresh".to_owned());
        if !self.root {
            return Err("not root".to_owned());
        }
        self.lists = self.fresh_lists;
        Ok(())
    }

    fn install(&mut self) -> Result<Vec<String>, String> {
        self.done.push("install".to_owned());
        if !self.root {
            return Err("not root".to_owned());
        }
        let was_there = self.packaged.is_some();
        self.packaged = self.lists;
        Ok(if was_there { Vec::new() } else { vec!["rustc-web".to_owned()] })
    }

    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }
}

/// What is taken, and what was done for it.
fn run(mut machine: Fake) -> (String, String, Vec<String>, Vec<String>) {
    let (name, why) = match choose(WANTED, &mut machine) {
        Ok((toolchain, why)) => (toolchain.name(), why),
        Err(reasons) => ("none".to_owned(), reasons.join("; ")),
    };
    (name, why, machine.done, machine.notes)
}

const NIGHTLY: (&str, &str, u32, bool) = ("nightly-x86_64", "1.97.0-nightly", 22, true);
const STABLE: (&str, &str, u32, bool) = ("stable-x86_64", "1.95.0", 22, true);

#[test]
fn the_pinned_compiler_comes_before_all_others() {
    let rustup = Some(vec![NIGHTLY, STABLE]);
    let (name, why, done, _) = run(Fake { rustup, packaged: Some(22), ..Fake::default() });
    assert_eq!((&*name, &*why), ("rustup's stable-x86_64", "the one that ci/toolchain.toml names"));
    assert!(done.is_empty(), "{done:?}");
}

#[test]
fn the_pinned_compiler_is_completed_or_fetched() {
    let bare = Some(vec![NIGHTLY, ("stable-x86_64", "1.95.0", 22, false)]);
    let machine = Fake { rustup: bare, online: true, packaged: Some(22), ..Fake::default() };
    let (name, _, done, _) = run(machine);
    assert_eq!((&*name, &*done.join(",")), ("rustup's stable-x86_64", "sources stable-x86_64"));

    let rustup = Some(vec![NIGHTLY]);
    let machine = Fake { rustup, online: true, packaged: Some(22), ..Fake::default() };
    let (name, _, done, _) = run(machine);
    assert_eq!((&*name, &*done.join(",")), ("rustup's 1.95.0-x86_64", "fetch 1.95.0"));
}

#[test]
fn a_package_of_that_llvm_comes_before_a_nightly() {
    let rustup = Some(vec![NIGHTLY]);
    let (name, why, ..) = run(Fake { rustup, packaged: Some(22), ..Fake::default() });
    assert_eq!(name, "Debian's 1.96.0");
    assert_eq!(why, "of the same LLVM as 1.95.0, since rustup cannot fetch 1.95.0 (no network)");
}

/// Lists of some months ago, which know no compiler but one of another LLVM.
#[test]
fn old_lists_are_refreshed_and_nothing_is_installed_by_them() {
    let old = || Fake { lists: Some(19), fresh_lists: Some(22), root: true, ..Fake::default() };
    let (name, why, done, notes) = run(old());
    assert_eq!((&*name, &*done.join(",")), ("Debian's 1.96.0", "refresh,install"));
    assert!(why.ends_with("since there is no rustup") && notes.is_empty(), "{why} {notes:?}");

    let (name, _, done, _) = run(Fake { packaged: Some(19), ..old() });
    assert_eq!((&*name, &*done.join(",")), ("Debian's 1.96.0", "refresh,install"));

    let (name, why, done, notes) = run(Fake { fresh_lists: Some(19), ..old() });
    assert_eq!((&*name, &*done.join(",")), ("none", "refresh"));
    assert!(why.contains("is missing and apt offers it with LLVM 19 alone"), "{why}");
    assert!(notes.is_empty(), "{notes:?}");
}

/// What was installed by lists that have been refreshed since.
#[test]
fn an_older_package_is_upgraded() {
    let machine = Fake {
        packaged: Some(19),
        lists: Some(22),
        fresh_lists: Some(22),
        root: true,
        ..Fake::default()
    };
    let (name, _, done, _) = run(machine);
    assert_eq!((&*name, &*done.join(",")), ("Debian's 1.96.0", "refresh,install"));
}

#[test]
fn lists_that_know_the_llvm_are_not_refreshed() {
    let (name, _, done, _) = run(Fake { lists: Some(22), root: true, ..Fake::default() });
    assert_eq!((&*name, &*done.join(",")), ("Debian's 1.96.0", "install"));
}

#[test]
fn any_other_of_that_llvm_comes_last() {
    let rustup = Some(vec![("1.80.0-x86_64", "1.80.0", 18, true), NIGHTLY]);
    let (name, why, done, _) = run(Fake { rustup, lists: Some(22), ..Fake::default() });
    assert_eq!((&*name, &*done.join(",")), ("rustup's nightly-x86_64", "fetch 1.95.0,install"));
    assert!(why.ends_with("(no network); not root"), "{why}");
}

#[test]
fn without_any_every_reason_is_told() {
    let rustup = Some(vec![("nightly-x86_64", "1.97.0-nightly", 22, false)]);
    let (name, why, done, _) = run(Fake { rustup, packaged: Some(19), ..Fake::default() });
    assert_eq!(name, "none");
    assert_eq!(done, ["fetch 1.95.0", "refresh", "sources nightly-x86_64"]);
    for part in
        ["cannot fetch 1.95.0", "has LLVM 19 instead of 22", "nightly-x86_64 lacks rust-src"]
    {
        assert!(why.contains(part), "{part}: {why}");
    }
}

/// A package that does not hold what its dependencies promise.
#[test]
fn what_was_installed_for_nothing_is_named() {
    struct Broken(Fake);
    impl Machine for Broken {
        fn toolchains(&mut self) -> Result<Vec<(String, Verdict)>, String> {
            self.0.toolchains()
        }
        fn fetch(&mut self, version: &str) -> Result<(), String> {
            self.0.fetch(version)
        }
        fn add_sources(&mut self, name: &str) -> Result<(), String> {
            self.0.add_sources(name)
        }
        fn packaged(&mut self) -> Verdict {
            self.0.packaged().and(Err(Rejection::NoSources { release: "1.96.0".to_owned() }))
        }
        fn offered(&mut self) -> Result<Option<u32>, String> {
            self.0.offered()
        }
        fn refresh(&mut self) -> Result<(), String> {
            self.0.refresh()
        }
        fn install(&mut self) -> Result<Vec<String>, String> {
            self.0.install()
        }
        fn note(&mut self, text: &str) {
            self.0.note(text);
        }
    }
    let mut machine = Broken(Fake { lists: Some(22), root: true, ..Fake::default() });
    assert!(choose(WANTED, &mut machine).is_err());
    let notes = machine.0.notes.join("\n");
    assert!(notes.contains("apt-get remove --auto-remove rustc-web"), "{notes}");
}
