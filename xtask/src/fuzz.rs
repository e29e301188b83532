//! `cargo xtask fuzz`: any bytes for what reads text from outside.
//!
//! The targets of `tests/fuzz/` are linked with libFuzzer and compiled with its counters. These are
//! passes of LLVM that every rustc can run, so no nightly toolchain and no cargo-fuzz is needed;
//! address sanitizer, which does need one, would find nothing in code without `unsafe`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{apt, build, cli::FuzzOptions, command, paths::Paths, pins::Pins, ui};

/// Counters for edges and for what is compared.
const FLAGS: [&str; 7] = [
    "--cfg",
    "fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Far fewer than any target reaches with its first inputs.
const EDGES_MIN: u64 = 500;

/// A target and where its first inputs come from.
struct Target {
    name: &'static str,
    /// A folder of the project, and how the names of its files end.
    seeds: (&'static str, &'static str),
    /// Longest input, bytes.
    length: u32,
}

static TARGETS: [Target; 2] = [
    Target { name: "records", seeds: ("socket-agent/testdata/audit", ".log"), length: 4_096 },
    Target {
        name: "rules",
        seeds: ("socket-agent/tests/audit_rules/data", ".rules"),
        length: 1_024,
    },
];

/// Builds the targets and runs them side by side.
pub(crate) fn run(paths: &Paths, pins: &Pins, options: &FuzzOptions) -> Result<()> {
    // The agent embeds it.
    build::ebpf::objects(paths, pins, None)?;
    let folder = compile(paths, pins)?;
    let chosen =
        |target: &&Target| options.target.as_deref().is_none_or(|name| name == target.name);
    let chosen: Vec<_> = TARGETS.iter().filter(chosen).collect();
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    ensure!(!chosen.is_empty(), "no such target; there are: {}", names.join(", "));
    thread::scope(|scope| {
        let run = |target: &'static Target| {
            let folder = &folder;
            scope.spawn(move || target.run(paths, folder, options.time))
        };
        let running: Vec<_> = chosen.into_iter().map(run).collect();
        let ended = running.into_iter().map(|target| match target.join() {
            Ok(result) => result,
            Err(_) => bail!("a thread that follows a fuzz target panicked"),
        });
        // Each is to say what it found.
        ended.collect::<Vec<_>>().into_iter().collect()
    })
}

/// Compiles the targets and gives the folder that they are in.
fn compile(paths: &Paths, pins: &Pins) -> Result<PathBuf> {
    if command::find("c++").is_none() {
        apt::install(paths, &pins.debian.fuzz, "libFuzzer is compiled from C++")?;
    }
    let triple = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let target = paths.target().join("fuzz");
    let mut cargo = command::cargo();
    cargo
        // Naming the target keeps the counters out of build scripts. The lock file follows the
        // agent's dependencies by itself.
        .args(["build", "--release", "--target", &triple])
        .arg("--manifest-path")
        .arg(paths.root().join("tests/fuzz/Cargo.toml"))
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"));
    command::run(&mut cargo).context("build the fuzz targets")?;
    Ok(target.join(triple).join("release"))
}

impl Target {
    fn run(&self, paths: &Paths, programs: &Path, time: Duration) -> Result<()> {
        let Self { name, length, .. } = self;
        let work = paths.target().join("fuzz").join("corpus").join(name);
        let found = paths.target().join("fuzz").join("found").join(name);
        for folder in [&work, &found] {
            fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        }
        let seeds = self.seed(paths, &work)?;
        ui::note(&format!(
            "{name}: {seeds} seeds, {} s; inputs that fail are kept in {}",
            time.as_secs(),
            found.display()
        ));
        let mut program = std::process::Command::new(programs.join(name));
        program
            .arg(&work)
            // Inputs that once failed, or that are worth beginning with.
            .arg(paths.root().join("tests/fuzz/corpus").join(name))
            .arg(format!("-max_total_time={}", time.as_secs().max(1)))
            .arg(format!("-max_len={length}"))
            .args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"])
            .arg(format!("-artifact_prefix={}/", found.display()));
        let log = paths.log(&format!("fuzz-{name}"));
        command::run_logged(&mut program, &log).with_context(|| {
            let output = fs::read(&log).unwrap_or_default();
            format!(
                "fuzz {name}: put the input under tests/fuzz/corpus/{name} with the fix: {}",
                fault(&String::from_utf8_lossy(&output))
            )
        })?;
        let log = fs::read(&log).with_context(|| format!("read {}", log.display()))?;
        let log = String::from_utf8_lossy(&log);
        let units = figure(&log, "stat::number_of_executed_units:");
        let edges = covered(&log);
        ui::note(&format!("{name}: {units} inputs, {edges} edges of the program reached"));
        // A target without counters would run just as well and find nothing.
        ensure!(edges > EDGES_MIN, "fuzz {name}: it reaches next to nothing; see its log");
        Ok(())
    }

    /// Cuts the project's test data into inputs of a few lines each.
    fn seed(&self, paths: &Paths, into: &Path) -> Result<usize> {
        let (folder, end) = self.seeds;
        let folder = paths.root().join(folder);
        let mut count = 0;
        for entry in fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
            let path = entry.context("list the test data")?.path();
            let Some(stem) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(end))
            else {
                continue;
            };
            let text = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            for (index, lines) in pieces(&text, self.length as usize).into_iter().enumerate() {
                let file = into.join(format!("seed-{stem}-{index}"));
                fs::write(&file, lines).with_context(|| format!("write {}", file.display()))?;
                count += 1;
            }
        }
        Ok(count)
    }
}

/// A number behind a word that begins a line.
fn figure(log: &str, name: &str) -> u64 {
    let number = log.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    number.unwrap_or(0)
}

/// What went wrong, and the input that made it: the machine that found it may soon be gone.
fn fault(log: &str) -> String {
    let panicked = log.lines().skip_while(|line| !line.contains("panicked at ")).take(4);
    let other = log.lines().filter(|line| {
        ["SUMMARY:", "Base64:"].iter().any(|word| line.trim_start().starts_with(word))
    });
    // What is compared may be long; an input is told whole.
    let panicked = panicked.map(|line| line.chars().take(300).collect());
    panicked.chain(other.map(str::to_owned)).collect::<Vec<String>>().join(" | ")
}

/// Edges of the program that were reached, as the last line with `cov` gives it:
/// `#3699 DONE   cov: 5231 ft: 17433 ...`.
fn covered(log: &str) -> u64 {
    let figures = log.lines().rev().find_map(|line| line.split_once(" cov: "));
    figures.and_then(|(_, rest)| rest.split(' ').next()?.parse().ok()).unwrap_or(0)
}

/// Whole lines, as many together as fit a third of the length; longer ones are left out.
fn pieces(text: &[u8], length: usize) -> Vec<Vec<u8>> {
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.len() <= length) {
        match pieces.last_mut() {
            Some(piece) if piece.len() + line.len() <= length / 3 => piece.extend_from_slice(line),
            _ => pieces.push(line.to_vec()),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_data_is_cut_at_lines() {
        let text = b"aaa\nbb\ncccccccccccc\nd";
        assert_eq!(pieces(text, 12), [&b"aaa\n"[..], b"bb\nd"]);
        assert!(pieces(b"", 9).is_empty());
    }

    #[test]
    fn libfuzzer_is_understood() {
        let log = "#2\tINITED cov: 510 ft: 511 corp: 1/1b\n\
                   #3699\tDONE   cov: 5231 ft: 17433 corp: 9/1b\n\
                   stat::number_of_executed_units: 3699\n";
        assert_eq!(covered(log), 5_231);
        assert_eq!(figure(log, "stat::number_of_executed_units:"), 3_699);
        assert_eq!((covered(""), figure("", "x")), (0, 0));
    }

    #[test]
    fn a_fault_is_told_with_its_input() {
        let log = "INFO: Seed: 5\n\
                   thread '<unnamed>' (7) panicked at survives.rs:54:17:\n\
                   assertion failed: -a x\n  left: 1\n right: 2\nstack backtrace:\n\
                   SUMMARY: libFuzzer: deadly signal\n\
                   artifact_prefix='found/'; Test unit written to found/crash-1\n\
                   Base64: LUQK\n";
        let last_fault = fault(log);
        assert!(
            last_fault.contains("survives.rs:54") && last_fault.contains(" right: 2"),
            "{last_fault}"
        );
        assert!(
            last_fault.ends_with("Base64: LUQK") && !last_fault.contains("backtrace"),
            "{last_fault}"
        );
        assert_eq!(fault(""), "");
    }

    #[test]
    fn every_target_has_test_data_and_a_program() {
        let paths = Paths::find().unwrap();
        for target in &TARGETS {
            let dir = tempfile::tempdir().unwrap();
            assert!(target.seed(&paths, dir.path()).unwrap() > 0, "{}", target.name);
            let source = format!("tests/fuzz/targets/{}.rs", target.name);
            assert!(paths.root().join(&source).is_file(), "{source}");
            let corpus = format!("tests/fuzz/corpus/{}", target.name);
            assert!(paths.root().join(&corpus).is_dir(), "{corpus}");
        }
    }
}
