//! Dependencies point one way: each crate knows those before it in the list, and no other.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Crates below `socket-agent`, the lowest first, each with those of the project that it may use.
const LAYERS: [(&str, &[&str]); 12] = [
    ("metrics", &[]),
    ("linux", &["metrics"]),
    ("config", &[]),
    ("ecs", &["linux"]),
    ("pipeline", &["metrics", "linux", "ecs"]),
    ("outputs", &["linux", "config", "ecs", "pipeline"]),
    ("processors", &["config", "ecs", "pipeline"]),
    ("processes", &["metrics", "linux", "ecs", "socket-common"]),
    ("flow", &["metrics", "linux", "ecs", "processes", "socket-common"]),
    ("audit", &["metrics", "linux", "ecs", "processes"]),
    ("sensor", &["metrics", "linux", "flow", "socket-common"]),
    (
        ".",
        &[
            "metrics",
            "linux",
            "config",
            "ecs",
            "pipeline",
            "outputs",
            "processors",
            "processes",
            "flow",
            "audit",
            "sensor",
            "socket-common",
        ],
    ),
];

/// Folders of the agent itself, the lowest first: each may use those before it.
const FOLDERS: [&str; 5] = ["services", "datasets", "settings", "run", "cli"];

fn agent() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Names of the project's own crates in a section of a manifest.
fn dependencies(manifest: &str, section: &str) -> BTreeSet<String> {
    let known: BTreeSet<&str> = LAYERS
        .iter()
        .map(|(name, _)| *name)
        .chain(["socket-common", "ecs-schema", "scenarios"])
        .collect();
    let header = format!("[{section}]");
    manifest
        .lines()
        .skip_while(|line| line.trim() != header)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| known.contains(name))
        .map(str::to_owned)
        .collect()
}

/// Sources below a folder with their text.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.clone(), fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

#[test]
fn crates_use_only_those_below_them() {
    for (index, (name, allowed)) in LAYERS.iter().enumerate() {
        let manifest = fs::read_to_string(agent().join(name).join("Cargo.toml")).unwrap();
        let below: BTreeSet<&str> = LAYERS[..index].iter().map(|(name, _)| *name).collect();
        for used in dependencies(&manifest, "dependencies") {
            assert!(
                allowed.contains(&used.as_str()),
                "{name} uses {used}, which it is not to know"
            );
            assert!(
                used == "socket-common" || below.contains(used.as_str()),
                "{name} uses {used} above it"
            );
        }
        // Tests of a crate need nothing above it either, but for the schema of documents. The agent's
        // own tests are those of the whole.
        if *name != "." {
            for used in dependencies(&manifest, "dev-dependencies") {
                let schema = used == "ecs-schema";
                assert!(schema || allowed.contains(&used.as_str()), "tests of {name} use {used}");
            }
        }
    }
}

#[test]
fn every_crate_has_its_layer() {
    let crates = fs::read_dir(agent()).unwrap().map(|entry| entry.unwrap().path());
    for path in crates.filter(|path| path.join("Cargo.toml").exists()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(
            LAYERS.iter().any(|(known, _)| *known == name),
            "{name} is not in the list of layers"
        );
    }
}

#[test]
fn folders_of_the_agent_use_only_those_below_them() {
    let source = agent().join("src");
    let folders: BTreeSet<String> = fs::read_dir(&source)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(folders, FOLDERS.iter().map(|name| (*name).to_owned()).collect());
    for (index, folder) in FOLDERS.iter().enumerate() {
        for (path, text) in sources(&source.join(folder)) {
            for above in &FOLDERS[index + 1..] {
                let import = format!("crate::{above}");
                let nested = format!("\n    {above}::");
                let uses = text.contains(&import)
                    || (text.contains("use crate::{") && text.contains(&nested));
                assert!(!uses, "{} uses {above}, which is above {folder}", path.display());
            }
        }
    }
}

/// What is tested on any machine: without LLVM, eBPF objects and root.
#[test]
fn only_the_sensor_needs_the_programs() {
    for (name, _) in LAYERS {
        let builds = agent().join(name).join("build.rs").exists();
        assert_eq!(builds, name == "sensor", "{name}");
    }
}
