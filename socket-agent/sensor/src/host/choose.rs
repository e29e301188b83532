//! Choice of the hook set.

use std::fmt;

use super::{
    facility::{Facility, Probe},
    facts::HostFacts,
};
use crate::HookSet;

/// Best first: cheapest to run, then least dependent on names of kernel functions.
const SETS: [(HookSet, &[Facility]); 4] = [
    (HookSet::Fentry, &[Facility::Btf, Facility::Trampolines, Facility::RingBuffer]),
    (HookSet::Kprobe, &[Facility::Btf, Facility::Kprobes, Facility::RingBuffer]),
    (
        HookSet::Cgroup,
        &[
            Facility::Btf,
            Facility::CgroupV2,
            Facility::CgroupSkb,
            Facility::RawTracepoints,
            Facility::RingBuffer,
        ],
    ),
    // Sends every packet to user space: only where nothing else works.
    (HookSet::Tracefs, &[Facility::Tracefs]),
];

/// What the `kprobe` set does without where records leave by perf rings, as its programs for kernels before 5.8
/// are all there is then.
const BY_PERF_RINGS: &str = "by perf rings: UDP sockets that are bound are not reported as opened and closed, \
                             and open sockets are not looked at";

/// Facilities that [`choose`] looks at.
pub(super) const ASKED: &[Facility] = &[
    Facility::BpfSyscall,
    Facility::Lockdown,
    Facility::Btf,
    Facility::Trampolines,
    Facility::Kprobes,
    Facility::CgroupV2,
    Facility::CgroupSkb,
    Facility::RawTracepoints,
    Facility::RingBuffer,
    Facility::PerfArray,
    Facility::Tracefs,
];

/// The hook set to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Never [`HookSet::Auto`].
    pub set: HookSet,
    /// Why it and not a better one, a line each.
    pub reasons: Vec<String>,
}

/// No hook set can be used, or not the one that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoHookSet {
    /// The set that was requested.
    pub requested: HookSet,
    /// What stands in the way, one for each set that was considered.
    pub reasons: Vec<String>,
    /// Remedies, each once.
    pub remedies: Vec<String>,
    /// A set that could be used instead.
    pub instead: Option<HookSet>,
}

/// Picks the best set that this host can attach, or confirms the one asked for.
///
/// # Errors
/// What stands in the way, with the remedies.
pub fn choose(facts: &HostFacts, requested: HookSet) -> Result<Choice, NoHookSet> {
    let mut failed = NoHookSet::new(requested);
    // What all sets rest on. Lockdown that could not be read is no obstacle yet.
    if matches!(facts.get(Facility::Lockdown), Some(Probe::Missing { .. })) {
        failed.add(None, &[obstacle(facts, Facility::Lockdown)]);
        return Err(failed);
    }
    let ebpf = facts.has(Facility::BpfSyscall);
    if !ebpf && requested != HookSet::Tracefs {
        failed.add(None, &[obstacle(facts, Facility::BpfSyscall)]);
    }
    let wanted = |set: HookSet| matches!(requested, HookSet::Auto) || requested == set;
    let considered =
        SETS.iter().filter(|(set, _)| wanted(*set) && (ebpf || *set == HookSet::Tracefs));
    for (set, needs) in considered {
        if let Some(reason) = facts.ruled_out(*set) {
            failed.reasons.push(format!("{set}: {reason}"));
            continue;
        }
        let obstacles = obstacles(facts, *set, needs);
        if obstacles.is_empty() {
            let name = |facility: &Facility| match facility {
                Facility::Btf if !facts.has(Facility::Btf) && facts.btf_file.is_none() => {
                    "tracefs to find offsets by trying"
                }
                Facility::RingBuffer if !facts.has(Facility::RingBuffer) => {
                    Facility::PerfArray.name()
                }
                other => other.name(),
            };
            let needs: Vec<&str> = needs.iter().map(name).collect();
            let asked = if requested == HookSet::Auto { "" } else { "asked for; " };
            let mut reasons: Vec<String> =
                failed.reasons.iter().map(|reason| format!("not {reason}")).collect();
            reasons.push(format!("{set}: {asked}has {}", needs.join(", ")));
            if *set == HookSet::Kprobe && !facts.has(Facility::RingBuffer) {
                reasons.push(format!("{set}: {BY_PERF_RINGS}"));
            }
            return Ok(Choice { set: *set, reasons });
        }
        failed.add(Some(*set), &obstacles);
    }
    if requested != HookSet::Auto {
        failed.instead = choose(facts, HookSet::Auto).ok().map(|choice| choice.set);
    }
    Err(failed)
}

/// Something that a set needs and this host does not have; no probe if it was not asked.
type Obstacle<'f> = (Facility, Option<&'f Probe>);

fn obstacles<'f>(facts: &'f HostFacts, set: HookSet, needs: &[Facility]) -> Vec<Obstacle<'f>> {
    let missing = needs.iter().filter(|facility| {
        // Kprobe programs write to perf rings as well.
        let perf = **facility == Facility::RingBuffer
            && set == HookSet::Kprobe
            && facts.has(Facility::PerfArray);
        // Trampolines are found by the kernel's own types; the others only read structures, whose
        // members can be found with probes as well.
        let otherwise = **facility == Facility::Btf
            && set != HookSet::Fentry
            && (facts.btf_file.is_some() || facts.has(Facility::Tracefs));
        !otherwise && !perf && !facts.has(**facility)
    });
    // Of the two ways out of the kernel that of older ones is the easier to have.
    let obstacles = missing.map(|facility| match facility {
        Facility::RingBuffer if set == HookSet::Kprobe => Facility::PerfArray,
        other => *other,
    });
    obstacles.map(|facility| obstacle(facts, facility)).collect()
}

fn obstacle(facts: &HostFacts, facility: Facility) -> Obstacle<'_> {
    (facility, facts.get(facility))
}

// === impl NoHookSet ===

impl NoHookSet {
    fn new(requested: HookSet) -> Self {
        Self { requested, reasons: Vec::new(), remedies: Vec::new(), instead: None }
    }

    /// Adds what stands in the way of one set, or of all.
    fn add(&mut self, set: Option<HookSet>, obstacles: &[Obstacle<'_>]) {
        let describe = |(facility, probe): &Obstacle<'_>| {
            format!("{}: {}", facility.name(), probe.map_or("not probed", Probe::detail))
        };
        let reason = obstacles.iter().map(describe).collect::<Vec<_>>().join(", ");
        self.reasons.push(match set {
            Some(set) => format!("{set}: {reason}"),
            None => reason,
        });
        for remedy in obstacles.iter().filter_map(|(_, probe)| probe.and_then(Probe::remedy)) {
            if self.remedies.iter().all(|known| known != remedy) {
                self.remedies.push(remedy.to_owned());
            }
        }
    }
}

impl fmt::Display for NoHookSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasons = self.reasons.join("; ");
        let remedies = self.remedies.join("; or ");
        match (self.requested, self.instead) {
            (HookSet::Auto, _) if remedies.is_empty() => {
                write!(f, "no hook set can be attached here: {reasons}")
            }
            (HookSet::Auto, _) => {
                write!(f, "no hook set can be attached here: {reasons}; {remedies}")
            }
            (_, Some(set)) => write!(f, "hook set {reasons}; use {set} or auto, or {remedies}"),
            (set, None) => {
                write!(f, "hook set {set} cannot be attached here: {reasons}; {remedies}")
            }
        }
    }
}

impl std::error::Error for NoHookSet {}

#[cfg(test)]
mod tests {
    use super::*;
    use linux::Kernel;

    /// A host that has all that is asked for, except for some.
    fn host_without(missing: &[Facility]) -> HostFacts {
        let answers = ASKED.iter().map(|facility| {
            let probe = if missing.contains(facility) {
                Probe::missing("broken", "mend it")
            } else {
                Probe::available("fine")
            };
            (*facility, probe)
        });
        HostFacts::from_answers(Kernel::default(), answers)
    }

    fn chosen(missing: &[Facility]) -> Option<HookSet> {
        choose(&host_without(missing), HookSet::Auto).ok().map(|choice| choice.set)
    }

    #[test]
    fn auto_takes_the_best_that_is_left() {
        use Facility::*;
        assert_eq!(chosen(&[]), Some(HookSet::Fentry));
        assert_eq!(chosen(&[Trampolines]), Some(HookSet::Kprobe));
        assert_eq!(chosen(&[Trampolines, Kprobes]), Some(HookSet::Cgroup));
        assert_eq!(chosen(&[Kprobes, CgroupV2, CgroupSkb, RawTracepoints]), Some(HookSet::Fentry));
        for third in [CgroupV2, CgroupSkb, RawTracepoints] {
            assert_eq!(chosen(&[Trampolines, Kprobes, third]), Some(HookSet::Tracefs));
            assert_eq!(chosen(&[Trampolines, Kprobes, third, Tracefs]), None);
        }
        assert_eq!(chosen(&[BpfSyscall]), Some(HookSet::Tracefs));
        assert_eq!(chosen(&[BpfSyscall, Tracefs]), None);
        // By perf rings.
        assert_eq!(chosen(&[RingBuffer]), Some(HookSet::Kprobe));
        assert_eq!(chosen(&[RingBuffer, Kprobes]), Some(HookSet::Tracefs));
        assert_eq!(chosen(&[RingBuffer, PerfArray]), Some(HookSet::Tracefs));
        assert_eq!(chosen(&[RingBuffer, PerfArray, Tracefs]), None);
        // Without types tracefs helps to find offsets.
        assert_eq!(chosen(&[Btf]), Some(HookSet::Kprobe));
        assert_eq!(chosen(&[Btf, Tracefs]), None);
        assert_eq!(chosen(&[Lockdown]), None);
    }

    #[test]
    fn a_set_that_turned_out_to_be_of_no_use_is_passed_over() {
        let mut facts = host_without(&[]);
        facts.rule_out(HookSet::Fentry, "hook set fentry: it sees nothing".into());
        let choice = choose(&facts, HookSet::Auto).unwrap();
        assert_eq!(choice.set, HookSet::Kprobe);
        assert_eq!(choice.reasons[0], "not fentry: it sees nothing");
        for set in [HookSet::Kprobe, HookSet::Cgroup, HookSet::Tracefs] {
            facts.rule_out(set, "blind".into());
        }
        let error = choose(&facts, HookSet::Auto).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no hook set can be attached here: fentry: it sees nothing; kprobe: blind; cgroup: blind; \
             tracefs: blind"
        );
    }

    #[test]
    fn types_from_a_file_serve_all_but_fentry() {
        let facts = host_without(&[Facility::Btf]).with_btf_file(Some("/a.btf".into()));
        assert_eq!(choose(&facts, HookSet::Auto).unwrap().set, HookSet::Kprobe);
        assert_eq!(choose(&facts, HookSet::Cgroup).unwrap().set, HookSet::Cgroup);
        assert!(choose(&facts, HookSet::Fentry).is_err());
    }

    #[test]
    fn the_choice_is_explained() {
        let choice = choose(&host_without(&[Facility::Trampolines]), HookSet::Auto).unwrap();
        assert_eq!(
            choice.reasons,
            ["not fentry: trampolines: broken", "kprobe: has btf, kprobes, ring buffer"]
        );
        let choice = choose(&host_without(&[Facility::Btf]), HookSet::Kprobe).unwrap();
        assert_eq!(
            choice.reasons,
            ["kprobe: asked for; has tracefs to find offsets by trying, kprobes, ring buffer"]
        );
        let choice = choose(&host_without(&[]), HookSet::Kprobe).unwrap();
        assert_eq!(choice.set, HookSet::Kprobe);
        assert_eq!(choice.reasons, ["kprobe: asked for; has btf, kprobes, ring buffer"]);
        let choice = choose(&host_without(&[Facility::RingBuffer]), HookSet::Kprobe).unwrap();
        let has = format!("kprobe: asked for; has btf, kprobes, {}", Facility::PerfArray.name());
        assert_eq!(choice.reasons, [has, format!("kprobe: {BY_PERF_RINGS}")]);
    }

    #[test]
    fn a_request_that_cannot_be_met_names_another() {
        let error = choose(&host_without(&[Facility::Kprobes]), HookSet::Kprobe).unwrap_err();
        assert_eq!(
            error.to_string(),
            "hook set kprobe: kprobes: broken; use fentry or auto, or mend it"
        );
        let lacking = host_without(&[Facility::RingBuffer, Facility::PerfArray, Facility::Tracefs]);
        let error = choose(&lacking, HookSet::Kprobe).unwrap_err();
        assert_eq!(
            error.to_string(),
            "hook set kprobe cannot be attached here: kprobe: perf event array: broken; mend it"
        );
    }

    #[test]
    fn no_set_at_all_says_why_for_each_and_every_remedy_once() {
        let lacking = host_without(&[Facility::Btf, Facility::Tracefs]);
        let error = choose(&lacking, HookSet::Auto).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no hook set can be attached here: fentry: btf: broken; kprobe: btf: broken; cgroup: \
             btf: broken; tracefs: tracefs: broken; mend it"
        );
    }

    #[test]
    fn lockdown_that_could_not_be_read_is_no_obstacle() {
        let mut facts = host_without(&[]);
        facts.set(Facility::Lockdown, Probe::unprobed("not mounted", "mount it"));
        assert!(choose(&facts, HookSet::Auto).is_ok());
    }

    #[test]
    fn without_the_system_call_tracefs_is_left() {
        let denied = Probe::unprobed("creating a map: not permitted", "run as root");
        let mut facts =
            HostFacts::from_answers(Kernel::default(), [(Facility::BpfSyscall, denied)]);
        for requested in [HookSet::Auto, HookSet::Cgroup] {
            let text = choose(&facts, requested).unwrap_err().to_string();
            let why = "bpf system call: creating a map: not permitted";
            assert!(text.contains(why) && text.contains("run as root"), "{text}");
        }
        facts.set(Facility::Tracefs, Probe::available("fine"));
        let choice = choose(&facts, HookSet::Auto).unwrap();
        assert_eq!(choice.set, HookSet::Tracefs);
        assert_eq!(
            choice.reasons,
            ["not bpf system call: creating a map: not permitted", "tracefs: has tracefs"]
        );
        let error = choose(&facts, HookSet::Cgroup).unwrap_err();
        assert_eq!(error.instead, Some(HookSet::Tracefs));
    }

    #[test]
    fn everything_needed_is_asked_for() {
        for (_, needs) in SETS {
            assert!(needs.iter().all(|facility| ASKED.contains(facility)));
        }
    }
}
