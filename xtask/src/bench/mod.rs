//! `cargo xtask bench`: measures this project beside its peers, in the same run.
//!
//! What is measured of the agent at work is measured by the test runner, here or in a virtual machine
//! ([`site`]); [`traffic`] and [`figures`] make tables of what it says. Results are printed and kept
//! under docs/bench, as JSON for programs and as Markdown for people.

mod audit;
mod figures;
mod line;
mod log;
mod machine;
mod measure;
mod peers;
mod report;
mod site;
mod traffic;

use std::process::ExitCode;

use anyhow::{Result, bail, ensure};

use self::site::Site;
use crate::{cli::BenchOptions, command, paths::Paths, pins::Pins, ui};

/// Kinds of traffic, as the test runner calls them.
const LOADS: [&str; 4] = ["rr", "crr", "stream", "udp"];
/// Groups of figures, as the test runner calls them.
const PARTS: [&str; 3] = ["startup", "idle", "flows"];
const AUDIT: &str = "audit";

/// What is measured in one go, and makes one report.
#[derive(Debug, PartialEq, Eq)]
enum Bench {
    Traffic(Vec<&'static str>),
    Figures(Vec<&'static str>),
    Audit,
}

/// Runs one bench, or all.
pub(crate) fn run(paths: &Paths, pins: &Pins, options: &BenchOptions) -> Result<ExitCode> {
    let benches = chosen(&options.name)?;
    ensure!(command::is_root(), "the bench loads programs into the kernel: run it as root");
    let mut site = None;
    for bench in benches {
        let name = bench.file(options.kernel.as_deref());
        if bench == Bench::Audit && options.kernel.is_some() {
            ui::note("left out: audit, which is no affair of the kernel's");
            continue;
        }
        ui::section(&format!("bench {name}"));
        let report = match &bench {
            Bench::Audit => audit::run(paths, pins, options)?,
            Bench::Traffic(loads) => {
                traffic::run(Site::made(&mut site, paths, pins, options)?, loads, options)?
            }
            Bench::Figures(parts) => {
                figures::run(Site::made(&mut site, paths, pins, options)?, parts, options)?
            }
        };
        print!("{}", report.text());
        if options.no_save {
            continue;
        }
        for file in report.save(&paths.root().join("docs/bench"), &name)? {
            ui::note(&format!("written: {}", file.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Bench {
    /// The name of its report.
    fn file(&self, kernel: Option<&str>) -> String {
        let name = match self {
            Self::Traffic(loads) if loads.len() > 1 => "traffic",
            Self::Figures(parts) if parts.len() > 1 => "agent",
            Self::Traffic(names) | Self::Figures(names) => names.first().copied().unwrap_or("none"),
            Self::Audit => AUDIT,
        };
        kernel.map_or_else(|| name.to_owned(), |kernel| format!("{name}-{kernel}"))
    }
}

fn chosen(name: &str) -> Result<Vec<Bench>> {
    let (traffic, agent) = (Bench::Traffic(LOADS.to_vec()), Bench::Figures(PARTS.to_vec()));
    match name {
        "all" => return Ok(vec![traffic, agent, Bench::Audit]),
        "traffic" => return Ok(vec![traffic]),
        "agent" => return Ok(vec![agent]),
        _ => {}
    }
    let one = |names: &[&'static str]| names.iter().copied().find(|known| *known == name);
    if let Some(load) = one(&LOADS) {
        return Ok(vec![Bench::Traffic(vec![load])]);
    }
    if let Some(part) = one(&PARTS) {
        return Ok(vec![Bench::Figures(vec![part])]);
    }
    if name == AUDIT {
        return Ok(vec![Bench::Audit]);
    }
    let names = [&LOADS[..], &PARTS[..], &[AUDIT]].concat();
    bail!("there is no bench {name:?}; there are: all, traffic, agent, {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benches_are_chosen_by_name() {
        let files = |name: &str| -> Vec<String> {
            chosen(name).unwrap().iter().map(|bench| bench.file(None)).collect()
        };
        assert_eq!(files("all"), ["traffic", "agent", "audit"]);
        assert_eq!(files("traffic"), ["traffic"]);
        assert_eq!(files("crr"), ["crr"]);
        assert_eq!(files("idle"), ["idle"]);
        assert_eq!(files("audit"), ["audit"]);
        assert_eq!(Bench::Traffic(LOADS.to_vec()).file(Some("6.1")), "traffic-6.1");
        let error = chosen("audti").err().map(|error| error.to_string());
        let expected = "there is no bench \"audti\"; there are: all, traffic, agent, rr, crr, stream, udp, startup, idle, flows, audit";
        assert_eq!(error.as_deref(), Some(expected));
    }
}
