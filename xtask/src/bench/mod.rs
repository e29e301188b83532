//! `cargo xtask bench`: measures this project beside its peers, in the same run.
//!
//! Each bench is one file with a [`Bench`]; results are printed and kept under docs/bench, as JSON
//! for programs and as Markdown for people.

mod audit;
mod log;
mod machine;
mod measure;
mod report;

use std::process::ExitCode;

use anyhow::{Result, bail};

use self::report::Report;
use crate::{cli::BenchOptions, paths::Paths, pins::Pins, ui};

/// A bench.
struct Bench {
    name: &'static str,
    run: fn(&Paths, &Pins, &BenchOptions) -> Result<Report>,
}

/// Those there are, in the order in which `all` runs them.
const BENCHES: [Bench; 1] = [Bench { name: "audit", run: audit::run }];

/// Runs one bench, or all.
pub(crate) fn run(paths: &Paths, pins: &Pins, options: &BenchOptions) -> Result<ExitCode> {
    for bench in chosen(&options.name)? {
        ui::section(&format!("bench {}", bench.name));
        let report = (bench.run)(paths, pins, options)?;
        print!("{}", report.text());
        if options.no_save {
            continue;
        }
        for file in report.save(&paths.root().join("docs/bench"), bench.name)? {
            ui::note(&format!("written: {}", file.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn chosen(name: &str) -> Result<Vec<&'static Bench>> {
    let found: Vec<_> =
        BENCHES.iter().filter(|bench| name == "all" || name == bench.name).collect();
    if found.is_empty() {
        let names: Vec<_> = BENCHES.iter().map(|bench| bench.name).collect();
        bail!("there is no bench {name:?}; there are: all, {}", names.join(", "));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benches_are_chosen_by_name() {
        assert_eq!(chosen("all").map(|found| found.len()).ok(), Some(BENCHES.len()));
        assert_eq!(chosen("audit").map(|found| found.len()).ok(), Some(1));
        let error = chosen("audti").err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("there is no bench \"audti\"; there are: all, audit"));
    }
}
