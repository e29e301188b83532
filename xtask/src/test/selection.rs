//! Which machines a run boots, and which it leaves to other runs.

use std::collections::BTreeSet;

use super::turn;
use crate::kernel::List;

/// Hook sets that run in one boot, one after the other. Booting takes seconds, a set takes minutes: with
/// more in a boot the last machine would run for long beside processors that are idle.
const SETS: usize = 2;

/// One boot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Boot<'a> {
    pub(super) name: &'a str,
    pub(super) kernel: &'a str,
    pub(super) arch: &'a str,
    pub(super) hooks: &'a [String],
    pub(super) arguments: &'a [String],
    pub(super) cmdline: &'a str,
    pub(super) filter: Option<&'a str>,
    pub(super) cpus: u8,
    /// The turn it has to wait for.
    pub(super) turn: Option<u32>,
    /// Whether the short run has it as well.
    pub(super) short: bool,
}

/// The machines of a run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chosen<'a> {
    /// Those of the short run.
    Short,
    /// Those of every turn and of this one.
    Turn(u32),
    /// Those that are named.
    Named(&'a [String]),
}

// === impl Boot ===

impl Boot<'_> {
    /// What progress and remembered times call it.
    pub(super) fn title(&self) -> String {
        format!("machine {} {}", self.name, self.hooks.join(" "))
    }

    /// About how long it takes, in no unit, where no earlier run gives a time: booting and each hook set, of which
    /// few scenarios take a quarter; other architectures are emulated more slowly.
    pub(super) fn weight(&self) -> usize {
        let whole = self.name == self.kernel;
        let sets = self.hooks.len() * if whole { 4 } else { 1 };
        (1 + sets) * if self.arch == "x86_64" { 1 } else { 2 }
    }
}

// === impl Chosen ===

impl Chosen<'_> {
    fn has(&self, boot: &Boot<'_>) -> bool {
        match self {
            Self::Short => boot.short,
            Self::Turn(turn) => boot.turn.is_none_or(|own| own == *turn),
            Self::Named(names) => names.iter().any(|name| name == boot.name),
        }
    }
}

/// Every kernel that is tested, and those under other circumstances.
pub(super) fn all<'a>(list: &'a List, filter: Option<&'a str>) -> Vec<Boot<'a>> {
    let tested = list.entries().iter().filter(|entry| !entry.hooks.is_empty());
    let kernels = tested.flat_map(|entry| {
        entry.hooks.chunks(SETS).map(|hooks| Boot {
            name: &entry.name,
            kernel: &entry.name,
            arch: &entry.arch,
            hooks,
            arguments: &[],
            cmdline: "",
            filter,
            cpus: entry.cpus,
            turn: entry.turn,
            short: entry.short,
        })
    });
    let variants = list.variants().iter().flat_map(|variant| {
        variant.hooks.chunks(SETS).map(|hooks| Boot {
            name: &variant.name,
            kernel: &variant.kernel,
            arch: &variant.arch,
            hooks,
            arguments: &variant.arguments,
            cmdline: &variant.cmdline,
            filter: filter.or(Some(&variant.filter)),
            cpus: variant.cpus,
            turn: variant.turn,
            short: false,
        })
    });
    kernels.chain(variants).collect()
}

/// Chosen machines, and those that are left out.
pub(super) fn choose<'a>(
    boots: Vec<Boot<'a>>,
    chosen: Chosen<'_>,
) -> (Vec<Boot<'a>>, Vec<Boot<'a>>) {
    boots.into_iter().partition(|boot| chosen.has(boot))
}

/// What is left out by name, in a line for people: nothing if nothing is. `today` is a day of [`turn`].
pub(super) fn left_out(rest: &[Boot<'_>], chosen: Chosen<'_>, today: u64) -> Option<String> {
    let mut names = Vec::new();
    let mut seen = BTreeSet::new();
    for boot in rest.iter().filter(|boot| seen.insert(boot.name)) {
        let of_name = rest.iter().filter(|other| other.name == boot.name);
        let sets: Vec<&str> = of_name.flat_map(|boot| boot.hooks).map(String::as_str).collect();
        let when = match (chosen, boot.turn) {
            (Chosen::Turn(_), Some(turn)) => {
                let date = turn::next(turn, today).map(turn::date).unwrap_or_default();
                format!(" (turn {turn}, {date})")
            }
            _ => String::new(),
        };
        names.push(format!("{} with {}{when}", boot.name, sets.join(", ")));
    }
    (!names.is_empty()).then(|| names.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{kernel::List, paths::Paths};

    fn list() -> List {
        List::read(&Paths::find().unwrap()).unwrap()
    }

    /// Hook sets of machines.
    fn cells(boots: &[Boot<'_>]) -> BTreeSet<(String, String)> {
        let of = |boot: &Boot<'_>| {
            let name = boot.name.to_owned();
            boot.hooks.iter().map(move |set| (name.clone(), set.clone())).collect::<Vec<_>>()
        };
        boots.iter().flat_map(of).collect()
    }

    #[test]
    fn all_is_run_at_least_once_on_three_consecutive_days() {
        let list = list();
        let every = cells(&all(&list, None));
        for first in [20_787, 20_788, 20_789] {
            let days = (first..first + 3).map(turn::of_day);
            let ran = days.flat_map(|turn| {
                let boots = all(&list, None);
                cells(&choose(boots, Chosen::Turn(turn)).0)
            });
            assert_eq!(ran.collect::<BTreeSet<_>>(), every);
        }
        let other = |arch| all(&list, None).iter().any(|boot| boot.arch == arch);
        assert!(other("aarch64") && other("i386"));
    }

    #[test]
    fn turns_are_those_that_come() {
        for boot in all(&list(), None) {
            assert!(boot.turn.is_none_or(|turn| (1..=turn::TURNS).contains(&turn)), "{boot:?}");
        }
    }

    #[test]
    fn the_short_run_has_one_kernel_with_every_set_and_each_turn_has_it_too() {
        let list = list();
        let (short, _) = choose(all(&list, None), Chosen::Short);
        let names: BTreeSet<&str> = short.iter().map(|boot| boot.name).collect();
        assert_eq!(names.len(), 1, "{names:?}");
        assert_eq!(cells(&short).len(), 4);
        assert!(short.iter().all(|boot| boot.turn.is_none() && boot.filter.is_none()));
    }

    #[test]
    fn what_is_left_out_is_named_with_its_day() {
        let hooks = ["fentry", "kprobe", "cgroup"].map(str::to_owned);
        let boot = |name, hooks, turn| Boot {
            name,
            kernel: name,
            arch: "x86_64",
            hooks,
            arguments: &[],
            cmdline: "",
            filter: None,
            cpus: 1,
            turn,
            short: false,
        };
        let boots = || {
            let sid = [boot("sid", &hooks[..2], Some(2)), boot("sid", &hooks[2..], Some(2))];
            vec![boot("6.1", &hooks, None), sid[0], sid[1]]
        };
        let (runs, rest) = choose(boots(), Chosen::Turn(1));
        assert_eq!(runs.iter().map(|boot| boot.name).collect::<Vec<_>>(), ["6.1"]);
        let line = left_out(&rest, Chosen::Turn(1), 20_787);
        assert_eq!(line.as_deref(), Some("sid with fentry, kprobe, cgroup (turn 2, 2026-12-01)"));
        let (runs, rest) = choose(boots(), Chosen::Turn(2));
        assert_eq!((runs.len(), left_out(&rest, Chosen::Turn(2), 20_788)), (3, None));
        let (_, rest) = choose(boots(), Chosen::Short);
        assert!(left_out(&rest, Chosen::Short, 20_787).unwrap().starts_with("6.1 with fentry"));
        assert_eq!(choose(boots(), Chosen::Named(&["sid".to_owned()])).0.len(), 2);
    }
}
