//! Everything that a run consists of, but for the machines: one row for each group. A new group is a row
//! here, and, if it can be asked for by itself, an option in `cli.rs` that its condition reads.

use std::env::consts::ARCH;

use anyhow::{Result, ensure};

use super::{
    checks, compilers, native, unit,
    work::{Done, Plan, Work},
};
use crate::{
    build::{self, Target},
    cli::{FuzzOptions, TestOptions},
    fuzz,
};

/// A part of the tests that runs as a whole.
pub(super) struct Group {
    pub(super) name: &'static str,
    belongs: fn(&Plan<'_>) -> bool,
    needs: Needs,
    /// Whether the machines run beside it; otherwise it has the processors for itself.
    beside_machines: bool,
    run: fn(&mut Work<'_>) -> Result<Done>,
}

/// Requirements of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// The eBPF objects: nothing of the workspace compiles before they are there.
    Objects,
    /// The programs of this machine.
    Programs,
}

/// In the order they run; those beside the machines come after the others.
pub(super) const GROUPS: [Group; 14] = [
    Group::new("eBPF objects", always, objects),
    Group::new("rustfmt", is_whole, |work| checks::formatting(work.paths).map(whole)),
    Group::new("clippy", is_whole, |work| checks::clippy(work.paths).map(whole)).on(Needs::Objects),
    Group::new("clippy of the eBPF programs", is_whole, |work| {
        build::ebpf::clippy(work.paths, work.pins).map(whole)
    }),
    Group::new("eBPF objects of other compilers", is_all, compilers::run).on(Needs::Objects),
    Group::new("compile for i386", is_all, |work| checks::without_programs(work.paths))
        .on(Needs::Objects),
    Group::new("licences, bans and sources of dependencies", is_all, |work| {
        checks::licences(work.paths, work.pins).map(whole)
    }),
    Group::new("advisories", is_all, |work| checks::advisories(work.paths, work.pins)),
    Group::new("fuzz targets", is_all, |work| {
        fuzz::run(work.paths, work.pins, &FuzzOptions::default()).map(whole)
    })
    .on(Needs::Objects),
    Group::new("build", always, programs).on(Needs::Objects),
    Group::new("build for other architectures", has_other_architectures, other_programs)
        .on(Needs::Objects),
    Group::new("loads", |plan| plan.options.all && runs_here(plan), native::loads)
        .on(Needs::Programs),
    Group::new("unit tests", runs_here, unit::run).on(Needs::Objects).beside_machines(),
    Group::new("native scenarios", runs_here, native::scenarios)
        .on(Needs::Programs)
        .beside_machines(),
];

fn always(_: &Plan<'_>) -> bool {
    true
}

/// Unless only machines are asked for.
fn runs_here(plan: &Plan<'_>) -> bool {
    plan.options.vm.is_empty()
}

/// Unless some of the tests are picked.
fn is_whole(plan: &Plan<'_>) -> bool {
    runs_here(plan) && plan.options.filter.is_none()
}

fn is_all(plan: &Plan<'_>) -> bool {
    plan.options.all && is_whole(plan)
}

fn has_other_architectures(plan: &Plan<'_>) -> bool {
    !plan.options.no_vm && !plan.other_architectures().is_empty()
}

/// Groups of a run.
pub(super) struct Chosen {
    /// In the order they run.
    pub(super) groups: Vec<&'static Group>,
    /// How many of them run before the machines.
    pub(super) alone: usize,
    /// Groups that `--all` would add.
    pub(super) only_with_all: Vec<&'static Group>,
}

/// Picks the groups of a run.
pub(super) fn choose(plan: &Plan<'_>) -> Chosen {
    let (mut groups, rest): (Vec<_>, Vec<_>) =
        GROUPS.iter().partition(|group| (group.belongs)(plan));
    groups.sort_by_key(|group| group.beside_machines);
    let alone = groups.iter().filter(|group| !group.beside_machines).count();
    let options = TestOptions { all: true, ..plan.options.clone() };
    let all = Plan { options: &options, boots: Vec::new() };
    let only_with_all = rest.into_iter().filter(|group| (group.belongs)(&all)).collect();
    Chosen { groups, alone, only_with_all }
}

// === impl Group ===

impl Group {
    const fn new(
        name: &'static str,
        belongs: fn(&Plan<'_>) -> bool,
        run: fn(&mut Work<'_>) -> Result<Done>,
    ) -> Self {
        Self { name, belongs, needs: Needs::Nothing, beside_machines: false, run }
    }

    const fn on(self, needs: Needs) -> Self {
        Self { needs, ..self }
    }

    const fn beside_machines(self) -> Self {
        Self { beside_machines: true, ..self }
    }

    /// Does it, if what it needs is there.
    pub(super) fn run(&self, work: &mut Work<'_>) -> Result<Done> {
        let missing = match self.needs {
            Needs::Objects if !work.has_objects => "there are no eBPF objects",
            Needs::Programs if !work.programs.contains_key(ARCH) => "the programs were not built",
            _ => return (self.run)(work),
        };
        Ok(Done::Not(missing.to_owned()))
    }
}

fn whole((): ()) -> Done {
    Done::Whole
}

fn objects(work: &mut Work<'_>) -> Result<Done> {
    build::ebpf::objects(work.paths, work.pins, None)?;
    work.has_objects = true;
    Ok(Done::Whole)
}

fn programs(work: &mut Work<'_>) -> Result<Done> {
    let programs = build::all(work.paths, work.pins, "release")?;
    work.programs.insert(ARCH.to_owned(), programs);
    Ok(Done::Whole)
}

/// An architecture that cannot be built for is no reason to leave out another.
fn other_programs(work: &mut Work<'_>) -> Result<Done> {
    let mut failed = Vec::new();
    for arch in work.plan.other_architectures() {
        let target = Target::of_arch(arch);
        match build::for_target(work.paths, work.pins, &target, "release") {
            Ok(programs) => {
                work.programs.insert(arch.to_owned(), programs);
            }
            Err(error) => failed.push(format!("{arch}: {error:#}")),
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(Done::Whole)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Task};

    /// Names of the groups of a run, and of those that `--all` would add.
    fn groups(line: &str) -> (Vec<&'static str>, Vec<&'static str>) {
        let line = format!("x test {line}");
        let Task::Test(options) = Cli::try_parse_from(line.split_whitespace()).unwrap().task else {
            panic!("another command");
        };
        let plan = Plan { options: &options, boots: Vec::new() };
        let Chosen { groups, alone, only_with_all } = choose(&plan);
        assert!(groups[..alone].iter().all(|group| !group.beside_machines));
        let names = |groups: Vec<&'static Group>| groups.iter().map(|group| group.name).collect();
        (names(groups), names(only_with_all))
    }

    #[test]
    fn names_are_different() {
        let names: BTreeSet<&str> = GROUPS.iter().map(|group| group.name).collect();
        assert_eq!(names.len(), GROUPS.len());
    }

    #[test]
    fn the_short_run_leaves_out_what_takes_long() {
        let (short, rest) = groups("");
        assert_eq!(short[0], "eBPF objects");
        for name in ["clippy", "unit tests", "native scenarios", "build"] {
            assert!(short.contains(&name), "{short:?}");
        }
        let other = "eBPF objects of other compilers";
        let long =
            [other, "compile for i386", "licences, bans and sources of dependencies", "advisories"];
        assert_eq!(rest, [&long[..], &["fuzz targets", "loads"]].concat());
        let (all, rest) = groups("--all");
        assert_eq!((all.len(), rest.len()), (short.len() + 6, 0));
    }

    #[test]
    fn what_is_picked_runs_alone() {
        let build = ["eBPF objects", "build"];
        assert_eq!(groups("--vm sid").0, build);
        assert_eq!(groups("--all --vm sid"), (build.to_vec(), vec![]));
        let tests = ["unit tests", "native scenarios"];
        assert_eq!(groups("--filter tcp").0, [build, tests].concat());
        assert_eq!(groups("--filter load --all").0, [&build[..], &["loads"], &tests].concat());
    }
}
