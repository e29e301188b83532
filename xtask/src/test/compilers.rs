//! Objects by other compilers than the one whose objects the agent embeds. Unit tests measure them.

use std::{fs, io};

use anyhow::{Context as _, Result};

use super::{
    report::Row,
    work::{Done, Work},
};
use crate::{build, paths::Paths, toolchain, ui};

/// Builds them; a compiler that is not there is skipped by name.
pub(super) fn run(work: &mut Work<'_>) -> Result<Done> {
    let (paths, pins) = (work.paths, work.pins);
    let mut row = Row::new("other compilers", "");
    match toolchain::others(paths, pins) {
        Err(error) => row.fail("find them", format!("{error:#}")),
        Ok(others) => {
            for other in others {
                let name = other.name;
                match other.toolchain {
                    Err(why) => {
                        ui::note(&format!("no objects by {name}: {why}"));
                        row.skip(name, &why);
                        if let Err(error) = remove(paths, name) {
                            row.fail(name, format!("{error:#}"));
                        }
                    }
                    Ok(compiler) => {
                        match build::ebpf::objects_of(paths, pins, &compiler, &paths.compiler(name))
                        {
                            Ok(()) => row.tally.passed += 1,
                            Err(error) => row.fail(name, format!("{error:#}")),
                        }
                    }
                }
            }
        }
    }
    let tally = row.tally;
    work.report.add(row);
    Ok(Done::Tests(tally))
}

/// What it has built when it was there is not to be measured any more.
fn remove(paths: &Paths, name: &str) -> Result<()> {
    let folder = paths.compiler(name);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
