//! `socket-agent doctor`.

use std::{fmt::Write, process::ExitCode};

use super::report::print;
use crate::services::start_sensor;
use sensor::{
    HookSet, Outcome, SocketConfig,
    host::{Choice, HostFacts, NoHookSet, Probe, choose},
};

/// Shows what this host offers and starts the set that would be used; succeeds if that sees what it should.
pub(super) fn doctor() -> anyhow::Result<ExitCode> {
    // What a start logs beside warnings is no answer to the question what this host offers.
    if log::max_level() == log::LevelFilter::Info {
        log::set_max_level(log::LevelFilter::Warn);
    }
    let mut facts = HostFacts::probe();
    let config = SocketConfig::default();
    let tried = match choose(&facts, HookSet::Auto) {
        Ok(_) => Some(start_sensor(&config, &mut facts, &mut || ()).map(|mut started| {
            started.halves.tables.detach();
            started.outcome
        })),
        Err(_) => None,
    };
    // With what has been learnt meanwhile.
    let choice = choose(&facts, HookSet::Auto);
    print(&table(&facts, &choice, tried.as_ref())?)?;
    let works = choice.is_ok() && tried.is_some_and(|tried| tried.is_ok());
    Ok(if works { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn table(
    facts: &HostFacts,
    choice: &Result<Choice, NoHookSet>,
    tried: Option<&anyhow::Result<Outcome>>,
) -> Result<String, std::fmt::Error> {
    const NAME: usize = 19;
    let mut out = String::new();
    let mut printed: Vec<(&str, &str)> = Vec::new();
    writeln!(out, "{:NAME$} {:4} {}", "kernel", "", facts.kernel)?;
    for (facility, probe) in facts.answers() {
        let mark = match probe {
            Probe::Available(_) => "yes",
            Probe::Missing { .. } => "no",
            Probe::Unprobed { .. } => "?",
        };
        writeln!(out, "{:NAME$} {mark:4} {}", facility.name(), probe.detail())?;
        if let Some(remedy) = probe.remedy() {
            match printed.iter().find(|(known, _)| *known == remedy) {
                Some((_, above)) => writeln!(out, "{:NAME$} {:4} -> as for {above}", "", "")?,
                None => writeln!(out, "{:NAME$} {:4} -> {remedy}", "", "")?,
            }
            printed.push((remedy, facility.name()));
        }
    }
    let (mark, text) = match tried {
        Some(Ok(outcome @ Outcome::Seen(_))) => ("yes", outcome.to_string()),
        Some(Ok(outcome)) => ("?", outcome.to_string()),
        Some(Err(error)) => ("no", format!("{error:#}")),
        None => ("?", "there is no hook set to try".into()),
    };
    writeln!(out, "{:NAME$} {mark:4} {text}", "self-test")?;
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
    use linux::Kernel;
    use sensor::host::Facility;

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
            table(&facts, &choice, Some(&Ok(Outcome::Seen("all was seen".into())))).unwrap(),
            "\
kernel                   6.1.0 x86_64
btf                 yes  there
kprobes             no   gone
                         -> fetch it
tracefs             no   gone
                         -> as for kprobes
self-test           yes  all was seen

hook set                 cgroup
                         because
"
        );
    }
}
