//! Audit events from text to documents: the agent beside auditd's tools and laurel.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

use super::{
    log::{self, Log},
    machine::Machine,
    measure::{self, Cost},
    report::{Report, Row, Table, Value},
};
use crate::{apt, build, cli::BenchOptions, command, paths::Paths, pins::Pins, ui};

const COLUMNS: [&str; 5] =
    ["us per event", "events per second", "records per second", "MB per second", "peak memory MiB"];

/// Microseconds for an event of six records, as others have published them.
const PUBLISHED: [(&str, u64); 3] = [("laurel", 21), ("go-audit", 21), ("go-libaudit", 100)];

/// A program under measurement.
struct Program {
    name: String,
    words: Vec<String>,
}

pub(super) fn run(paths: &Paths, pins: &Pins, options: &BenchOptions) -> Result<Report> {
    // Before anything takes the machine's time.
    let machine = Machine::this();
    let agent = build::all(paths, pins, "release")?.agent;
    let peers = peers(paths, pins);

    let folder = paths.target().join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let recorded = paths.root().join("socket-agent/testdata/audit");
    let commands = recorded.join("commands.log");
    let all = ["commands", "exec", "files", "identity", "kernel", "network", "users"]
        .map(|name| recorded.join(format!("{name}.log")));
    let all: Vec<&Path> = all.iter().map(AsRef::as_ref).collect();

    let path = folder.join("audit.log");
    let six = log::write(&[&commands], |records| records == 6, options.events, &path)?;
    let mut commands =
        table("Commands: every event has six records", &path, six, options, |log| {
            programs(&agent, options.beside.as_deref(), log, &folder, peers)
        })?;
    commands.rows.extend(PUBLISHED.map(|(name, us)| Row {
        name: name.to_owned(),
        values: vec![
            Value::Whole(us),
            Value::Whole(1_000_000 / us),
            Value::None,
            Value::None,
            Value::None,
        ],
        quoted: true,
    }));
    let mixed = log::write(&all, |_| true, options.events, &path)?;
    let title = "All that was recorded: files, network, users, kernel, commands";
    let mixed = table(title, &path, mixed, options, |log| {
        programs(&agent, options.beside.as_deref(), log, &folder, peers)
    })?;
    fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;

    Ok(Report {
        title: "Audit events".to_owned(),
        machine,
        tables: vec![commands, mixed],
        notes: vec![
            format!("Processor time on one core, user and system, of the best of {} runs; the log is read from memory and the output written to a file.", options.runs),
            "socket-agent: parsing, reassembly, normalisation, names of users and groups, ECS as JSON.".to_owned(),
            "ausearch and aureport: auditd's own; csv and text go through auparse's normalisation. laurel: JSON without normalisation.".to_owned(),
            "Published figures were measured by others, on other machines.".to_owned(),
        ],
    })
}

/// Which peers are here; what cannot be installed is reported and left out.
#[derive(Clone, Copy)]
struct Peers {
    auditd: bool,
    laurel: bool,
}

fn peers(paths: &Paths, pins: &Pins) -> Peers {
    for package in &pins.debian.audit_peers {
        let package = std::slice::from_ref(package);
        if let Err(error) = apt::install(paths, package, "the bench measures it beside the agent") {
            ui::note(&format!("left out: {error:#}"));
        }
    }
    let has = |program| command::find(program).is_some();
    Peers { auditd: has("ausearch") && has("aureport"), laurel: has("laurel") }
}

fn table(
    title: &str,
    path: &Path,
    log: Log,
    options: &BenchOptions,
    programs: impl Fn(&Path) -> Result<Vec<Program>>,
) -> Result<Table> {
    let mut rows = Vec::new();
    for program in programs(path)? {
        ui::note(&format!("measuring {}", program.name));
        let cost = measure::best(options.runs, &path.with_extension("out"), &program.words)?;
        rows.push(Row { name: program.name, values: figures(log, cost), quoted: false });
    }
    let title = format!("{title} ({} events, {} records)", log.events, log.records);
    Ok(Table { title, rows_are: "program", columns: COLUMNS.map(str::to_owned).to_vec(), rows })
}

fn figures(log: Log, cost: Cost) -> Vec<Value> {
    let seconds = cost.cpu.as_secs_f64().max(1e-9);
    let per_second = |count: u64| Value::Whole((count as f64 / seconds) as u64);
    vec![
        Value::Tenths(seconds * 1e6 / log.events as f64),
        per_second(log.events),
        per_second(log.records),
        Value::Tenths(log.bytes as f64 / 1e6 / seconds),
        Value::Tenths(cost.memory as f64 / f64::from(1 << 20)),
    ]
}

fn programs(
    agent: &Path,
    other: Option<&Path>,
    log: &Path,
    folder: &Path,
    peers: Peers,
) -> Result<Vec<Program>> {
    let file = log.to_str().context("the project's path is not UTF-8")?;
    let agent = agent.to_str().context("the project's path is not UTF-8")?;
    let program = |name: &str, words: &[&str]| Program {
        name: name.to_owned(),
        words: words.iter().map(|word| (*word).to_owned()).collect(),
    };
    let mut programs = vec![program("socket-agent", &[agent, "audit", "replay", file])];
    if let Some(other) = other {
        let other = other.to_str().context("the path of the other build is not UTF-8")?;
        programs.push(program("socket-agent, other build", &[other, "audit", "replay", file]));
    }
    if peers.laurel {
        let config = laurel_config(folder)?;
        let script = format!("exec laurel -c '{config}' < '{file}'");
        let version = version("laurel");
        programs.push(program(&format!("laurel {version}"), &["sh", "-c", &script]));
    }
    if peers.auditd {
        let version = version("auditd");
        let search = |format: &[&'static str]| {
            let mut words = vec!["ausearch", "-if", file];
            words.extend(format);
            program(&format!("ausearch {version} {}", format.join(" ")), &words)
        };
        programs.push(search(&["-i"]));
        programs.push(search(&["--format", "csv"]));
        programs.push(search(&["--format", "text"]));
        programs.push(program(
            &format!("aureport {version} --summary"),
            &["aureport", "-if", file, "--summary"],
        ));
    }
    Ok(programs)
}

/// laurel writes into a folder of its own.
fn laurel_config(folder: &Path) -> Result<String> {
    let config = folder.join("laurel.toml");
    let output = folder.join("laurel");
    let text = format!(
        "directory = {:?}\ninput = \"stdin\"\n[auditlog]\nfile = \"audit.json\"\nsize = {}\n\
         generations = 0\n",
        output.display().to_string(),
        1_u64 << 40
    );
    fs::write(&config, text).with_context(|| format!("write {}", config.display()))?;
    Ok(config.to_str().context("the project's path is not UTF-8")?.to_owned())
}

/// The version of a Debian package without epoch and revision.
fn version(package: &str) -> String {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f", "${Version}", package]);
    let text = command::output(&mut query).unwrap_or_default();
    let version = text.split_once(':').map_or(&*text, |(_, version)| version);
    version.split('-').next().unwrap_or_default().to_owned()
}
