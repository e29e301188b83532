//! Sockets that are open when the agent starts.

use std::{fs::File, io::Read as _};

use aya::{
    Btf, Ebpf,
    maps::{Array, MapData},
    programs::Iter,
};
use socket_common::{MOST_SUBFLOWS, SubflowWalk};

use super::{load::take_map, tables::Plain};
use crate::error::one_line;

/// Runs the iterator over all open files, which fills the tables with the sockets it finds; once more for each
/// further subflow that a connection of MPTCP has. Kernel 5.8.
///
/// # Errors
///
/// Why these sockets are not known.
pub(super) fn existing_sockets(ebpf: &mut Ebpf, btf: Option<&Btf>) -> Result<(), String> {
    let btf = btf.ok_or("the kernel publishes no BTF")?;
    let walk = take_map(ebpf, "SUBFLOW_WALK").map_err(|error| error.to_string())?;
    let mut walk: Array<MapData, Plain<SubflowWalk>> =
        walk.try_into().map_err(|error| one_line(&error))?;
    let program: &mut Iter = ebpf
        .program_mut("iter_files")
        .ok_or("the embedded object has no such program")?
        .try_into()
        .map_err(|_| "the embedded object has it as another type")?;
    program.load("task_file", btf).map_err(|error| one_line(&error))?;
    for number in 0..MOST_SUBFLOWS {
        walk.set(0, Plain(SubflowWalk { number, more: 0 }), 0).map_err(|error| one_line(&error))?;
        run(program)?;
        let Plain(after) = walk.get(&0, 0).map_err(|error| one_line(&error))?;
        if after.more == 0 {
            break;
        }
    }
    Ok(())
}

/// Shows the program every open file of every process.
fn run(program: &mut Iter) -> Result<(), String> {
    let file = |program: &mut Iter| -> Result<File, Box<dyn std::error::Error>> {
        let link = program.attach()?;
        Ok(program.take_link(link)?.into_file()?)
    };
    let mut file = file(program).map_err(|error| one_line(error.as_ref()))?;
    let mut nothing = Vec::new();
    file.read_to_end(&mut nothing).map(drop).map_err(|error| error.to_string())
}
