//! The log: one line each on standard error, `TIME LEVEL PART: message`.

use std::{io::Write, time::SystemTime};

use env_logger::{Builder, Target};
use log::LevelFilter;

use super::arguments::Logging;

const CRATE: &str = "socket_agent";

/// Starts logging; the first call wins.
pub(super) fn start(options: &Logging) {
    let mut builder = Builder::new();
    builder.target(Target::Stderr).filter_level(level(options));
    for part in options.debug.iter().map(String::as_str) {
        if part == "*" {
            builder.filter_level(LevelFilter::Debug);
        } else {
            // Most messages name their part themselves; others have the path of their module.
            for target in [part.to_owned(), format!("{CRATE}::{part}")] {
                builder.filter_module(&target, LevelFilter::Debug);
            }
        }
    }
    builder.format(|line, record| {
        let time = humantime::format_rfc3339_millis(SystemTime::now());
        writeln!(line, "{time} {} {}: {}", record.level(), part(record.target()), record.args())
    });
    // Fails only if there is a logger already, which then goes on.
    let _ = builder.try_init();
}

fn level(options: &Logging) -> LevelFilter {
    match options {
        Logging { quiet: true, .. } => LevelFilter::Warn,
        Logging { verbose: 0, .. } => LevelFilter::Info,
        Logging { verbose: 1, .. } => LevelFilter::Debug,
        Logging { .. } => LevelFilter::Trace,
    }
}

/// `socket_agent::sensor::host` becomes `sensor`; other crates keep their own first part.
fn part(target: &str) -> &str {
    let own = target.strip_prefix(CRATE).and_then(|rest| rest.strip_prefix("::"));
    let path = own.unwrap_or(target);
    path.split("::").next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_folders_of_the_crate() {
        assert_eq!(part("socket_agent::sensor::host::btf"), "sensor");
        assert_eq!(part("socket_agent"), "socket_agent");
        assert_eq!(part("aya::bpf"), "aya");
        assert_eq!(part("given"), "given");
    }
}
