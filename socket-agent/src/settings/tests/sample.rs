//! `ci/socket-agent.yml`, whose modules are made by the datasets.

use std::{env, fs};

use config::Effect;

use super::right;
use crate::{datasets::DATASETS, settings::sample};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ci/socket-agent.yml");
const BEGIN: &str = "\nmodules:\n";
const END: &str = "\n# ---- Where documents go";

/// Compares the modules with those of the file; `UPDATE_GOLDEN=1` writes them anew.
#[test]
fn the_file_has_the_modules_of_all_datasets() {
    let file = fs::read_to_string(FILE).unwrap();
    let (before, rest) = file.split_once(BEGIN).expect("the file has modules");
    let (written, after) = rest.split_once(END).expect("outputs follow the modules");
    let sample = sample();
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(FILE, format!("{before}{BEGIN}{sample}{END}{after}")).unwrap();
    } else {
        assert!(written == sample, "ci/socket-agent.yml differs; UPDATE_GOLDEN=1 writes it anew");
    }
    right(&file, &[]);
}

/// Whatever has an effect stands in the sample of its dataset, with its default.
#[test]
fn samples_have_every_option_with_its_default() {
    for dataset in DATASETS {
        let sample = dataset.sample();
        for row in dataset.rows().iter().filter(|row| row.effect == Effect::Works) {
            let key = format!("{}:", row.key);
            let stands = |line: &str| line.trim_start().trim_start_matches('#').starts_with(&key);
            let line = sample.lines().find(|line| stands(line));
            let line = line.unwrap_or_else(|| panic!("{}: no {key} in its sample", dataset.name));
            if !row.default.is_empty() {
                let given = line.split_once(": ").map(|(_, value)| value);
                assert_eq!(given, Some(row.default), "{key}");
            }
        }
    }
}
