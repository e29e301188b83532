//! All answers about one host.

use linux::Kernel;
use std::{collections::BTreeMap, path::PathBuf};

use crate::HookSet;

use super::{
    audit, bpf, btf::KernelTypes, capabilities, cgroup, facility::Facility, facility::Probe,
    iterators, kprobes, ksyms, lockdown, program_types, ring, seccomp, sysctl, tracefs,
    tracepoints, trampolines,
};

/// Facilities of this host.
#[derive(Clone, Debug)]
pub struct HostFacts {
    /// The running kernel.
    pub kernel: Kernel,
    /// Type information given by the user in place of the kernel's own.
    pub btf_file: Option<PathBuf>,
    probes: BTreeMap<Facility, Probe>,
    /// Sets that turned out to be of no use, with the reason.
    ruled_out: Vec<(HookSet, String)>,
}

impl HostFacts {
    /// Probes everything. Takes some tenths of a second, most of it to read the kernel's types.
    pub fn probe() -> Self {
        Self::probe_only(&Facility::ALL)
    }

    /// Probes what [`choose`](super::choose) asks for.
    pub fn probe_for_hooks() -> Self {
        Self::probe_only(super::choose::ASKED)
    }

    fn probe_only(facilities: &[Facility]) -> Self {
        let types = KernelTypes::default();
        let probes =
            facilities.iter().map(|facility| (*facility, answer(*facility, &types))).collect();
        Self { kernel: Kernel::running(), btf_file: None, probes, ruled_out: Vec::new() }
    }

    /// Facts from answers that are known already.
    pub fn from_answers(
        kernel: Kernel,
        answers: impl IntoIterator<Item = (Facility, Probe)>,
    ) -> Self {
        Self {
            kernel,
            btf_file: None,
            probes: answers.into_iter().collect(),
            ruled_out: Vec::new(),
        }
    }

    /// Says that a set cannot be used although nothing seems to be missing.
    pub fn rule_out(&mut self, set: HookSet, reason: String) {
        let reason = match reason.strip_prefix(&format!("hook set {set}: ")) {
            Some(rest) => rest.to_owned(),
            None => reason,
        };
        self.ruled_out.push((set, reason));
    }

    /// Why a set cannot be used, if that was found out.
    pub fn ruled_out(&self, set: HookSet) -> Option<&str> {
        self.ruled_out.iter().find(|(out, _)| *out == set).map(|(_, reason)| reason.as_str())
    }

    /// Replaces an answer, where more is known.
    pub fn set(&mut self, facility: Facility, answer: Probe) {
        self.probes.insert(facility, answer);
    }

    /// Says that type information comes from a file, so that the kernel need not have any.
    #[must_use]
    pub fn with_btf_file(mut self, file: Option<PathBuf>) -> Self {
        self.btf_file = file;
        self
    }

    /// The answer for a facility; `None` if it was not asked.
    pub fn get(&self, facility: Facility) -> Option<&Probe> {
        self.probes.get(&facility)
    }

    /// Whether a facility was probed and can be used.
    pub fn has(&self, facility: Facility) -> bool {
        self.get(facility).is_some_and(Probe::is_available)
    }

    /// All answers, in the order of [`Facility::ALL`].
    pub fn answers(&self) -> impl Iterator<Item = (Facility, &Probe)> {
        self.probes.iter().map(|(facility, probe)| (*facility, probe))
    }
}

fn answer(facility: Facility, types: &KernelTypes) -> Probe {
    match facility {
        Facility::Btf => types.probe(),
        Facility::BpfSyscall if !cfg!(feature = "ebpf") => without_programs(),
        Facility::BpfSyscall => bpf::probe(),
        Facility::ProgramTypes => program_types::probe(types),
        Facility::RingBuffer => ring::probe(),
        Facility::PerfArray => ring::probe_perf(),
        Facility::Kprobes => kprobes::probe(),
        Facility::Trampolines => trampolines::probe(types),
        Facility::RawTracepoints => tracepoints::probe_raw(),
        Facility::BtfTracepoints => tracepoints::probe_btf(types),
        Facility::Iterators => iterators::probe(types),
        Facility::Tracefs => tracefs::probe(),
        Facility::CgroupV2 => cgroup::probe_mount(),
        Facility::CgroupSkb => cgroup::probe_skb(),
        Facility::Lockdown => lockdown::probe(),
        Facility::UnprivilegedBpf => sysctl::probe_unprivileged_bpf(),
        Facility::KernelSymbols => ksyms::probe(),
        Facility::CapBpf
        | Facility::CapPerfmon
        | Facility::CapNetAdmin
        | Facility::CapSysPtrace
        | Facility::CapDacReadSearch
        | Facility::CapSyslog
        | Facility::CapSysResource => capabilities::probe(facility),
        Facility::Audit => audit::probe(),
        Facility::Seccomp => seccomp::probe(),
    }
}

/// The answer of a build that has nothing to load.
fn without_programs() -> Probe {
    Probe::missing(
        format!("this build for {} has no eBPF programs", std::env::consts::ARCH),
        "run a build that has them, such as those for x86_64 and aarch64",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HookSet, host::choose};

    #[test]
    fn a_build_without_programs_is_left_with_tracefs() {
        let answers = [
            (Facility::BpfSyscall, without_programs()),
            (Facility::Tracefs, Probe::available("fine")),
        ];
        let facts = HostFacts::from_answers(Kernel::default(), answers);
        assert_eq!(choose(&facts, HookSet::Auto).unwrap().set, HookSet::Tracefs);
        let error = choose(&facts, HookSet::Kprobe).unwrap_err().to_string();
        assert!(error.contains("has no eBPF programs; use tracefs"), "{error}");
    }

    #[test]
    fn this_build_says_whether_it_has_programs() {
        let probe = answer(Facility::BpfSyscall, &KernelTypes::default());
        assert_eq!(probe == without_programs(), !cfg!(feature = "ebpf"));
    }
}
