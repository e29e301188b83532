//! `socket-agent doctor`.

use std::{fmt::Write, process::ExitCode};

use super::report::print;
use crate::sensor::{
    HookSet,
    host::{Choice, HostFacts, NoHookSet, Probe, choose},
};

/// Shows what this host offers; succeeds if some hook set can be used.
pub(super) fn doctor() -> anyhow::Result<ExitCode> {
    let facts = HostFacts::probe();
    let choice = choose(&facts, HookSet::Auto);
    print(&table(&facts, &choice)?)?;
    Ok(if choice.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn table(facts: &HostFacts, choice: &Result<Choice, NoHookSet>) -> Result<String, std::fmt::Error> {
    const NAME: usize = 19;
    let mut out = String::new();
    let mut told: Vec<(&str, &str)> = Vec::new();
    writeln!(out, "{:NAME$} {:4} {}", "kernel", "", facts.kernel)?;
    for (facility, probe) in facts.answers() {
        let mark = match probe {
            Probe::Available(_) => "yes",
            Probe::Missing { .. } => "no",
            Probe::Unprobed { .. } => "?",
        };
        writeln!(out, "{:NAME$} {mark:4} {}", facility.name(), probe.detail())?;
        if let Some(remedy) = probe.remedy() {
            match told.iter().find(|(known, _)| *known == remedy) {
                Some((_, above)) => writeln!(out, "{:NAME$} {:4} -> as for {above}", "", "")?,
                None => writeln!(out, "{:NAME$} {:4} -> {remedy}", "", "")?,
            }
            told.push((remedy, facility.name()));
        }
    }
    let (chosen, reasons) = match choice {
        Ok(Choice { set, reasons }) => (set.name(), reasons),
        Err(NoHookSet { reasons, .. }) => ("none can be attached here", reasons),
    };
    writeln!(out, "\n{:NAME$} {:4} {chosen}", "hook set", "")?;
    for reason in reasons {
        writeln!(out, "{:NAME$} {:4} {reason}", "", "")?;
    }
    for remedy in choice.as_ref().err().into_iter().flat_map(|failed| &failed.remedies) {
        writeln!(out, "{:NAME$} {:4} -> {remedy}", "", "")?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensor::host::Facility;
    use linux::Kernel;

    #[test]
    fn columns_line_up_and_remedies_stand_below() {
        let kernel = Kernel { release: "6.1.0".into(), machine: "x86_64".into() };
        let available = Probe::Available("there".into());
        let missing = Probe::Missing { reason: "gone".into(), remedy: "fetch it".into() };
        let facts = HostFacts::from_answers(
            kernel,
            [
                (Facility::Btf, available),
                (Facility::Kprobes, missing.clone()),
                (Facility::Tracefs, missing),
            ],
        );
        let choice = Ok(Choice { set: HookSet::Cgroup, reasons: vec!["because".into()] });
        assert_eq!(
            table(&facts, &choice).unwrap(),
            "\
kernel                   6.1.0 x86_64
btf                 yes  there
kprobes             no   gone
                         -> fetch it
tracefs             no   gone
                         -> as for kprobes

hook set                 cgroup
                         because
"
        );
    }
}
