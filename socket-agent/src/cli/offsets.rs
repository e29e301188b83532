//! `socket-agent show offsets`.

use std::{fmt::Write as _, path::PathBuf};

use clap::Args;

use sensor::{SocketConfig, tracefs};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Type information of the running kernel: BTF, or an ELF file with a section `.BTF`. [default: that
    /// which the kernel publishes]
    #[arg(long, value_name = "FILE")]
    btf: Option<PathBuf>,
    /// Find them by trying, as where there is no type information.
    #[arg(long, conflicts_with = "btf")]
    guess: bool,
}

/// A line per member: `STRUCTURE.MEMBER OFFSET SIZE` in bytes, or `STRUCTURE.MEMBER -` if it was not found.
pub(super) fn text(arguments: &Arguments) -> anyhow::Result<String> {
    let config = SocketConfig { btf: arguments.btf.clone(), ..SocketConfig::default() };
    let (members, failed) = tracefs::shown(&config, arguments.guess)?;
    for guess in failed {
        eprintln!("{}: {}: {}", guess.hook, guess.effect, guess.reason);
    }
    let mut text = String::new();
    for (name, member) in members {
        match member {
            Some((offset, size)) => writeln!(text, "{name} {offset} {size}")?,
            None => writeln!(text, "{name} -")?,
        }
    }
    Ok(text)
}
