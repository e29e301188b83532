//! Any bytes: no panic, and whatever is read survives being encoded, listed and read again.

use std::collections::HashSet;

use socket_agent::audit::{
    names::Arch,
    rules::{Command, Position, Rule, Source, parse},
};

use crate::{host::FakeHost, survives::read_all};

const SEEDS: [&str; 7] = [
    include_str!("data/watches.rules"),
    include_str!("data/calls.rules"),
    include_str!("data/fields.rules"),
    include_str!("data/compare.rules"),
    include_str!("data/lists.rules"),
    include_str!("data/wrong.rules"),
    "-D -k x\n-e 1\n-b 8192\n-f 2\n-r 0\n-i\n-c\n--backlog_wait_time=60000\n\
     --reset-l\n-q /a,/b\n-m hi\n-t\n'",
];

/// Rules whose listing takes care.
const HARD_TO_LIST: &[u8] = include_bytes!("../../../tests/fuzz/corpus/rules/hard_to_list");

fn fake_host() -> FakeHost {
    FakeHost { directories: HashSet::from(["/etc".to_owned(), "/usr/bin".to_owned()]) }
}

#[test]
fn what_is_hard_to_list_is_listed() {
    let fake_host = fake_host();
    let parsed =
        parse(&Source { name: "rules", first_line: 1, text: HARD_TO_LIST }, &fake_host.host());
    let lines = HARD_TO_LIST.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    assert_eq!(parsed.commands.len(), lines, "{:?}", parsed.problems);
    read_all(HARD_TO_LIST, &fake_host);
}

#[test]
fn bytes_without_meaning_are_read_without_panic() {
    let mut random = fastrand::Rng::with_seed(0x5eed_0001);
    for _ in 0..3_000 {
        let bytes: Vec<u8> = (0..random.usize(..120)).map(|_| random.u8(..)).collect();
        read_all(&bytes, &fake_host());
        let rule: Vec<u8> = (0..random.usize(..1200)).map(|_| random.u8(..16)).collect();
        let _ = Rule::decode(&rule).map(|rule| rule.to_text(None));
    }
}

#[test]
fn damaged_rule_files_are_read_without_panic() {
    let mut random = fastrand::Rng::with_seed(0x5eed_0002);
    let lines: Vec<&str> = SEEDS.iter().flat_map(|seed| seed.lines()).collect();
    let words: Vec<&str> = lines.iter().flat_map(|line| line.split(' ')).collect();
    let mut whole = 0;
    for round in 0..6_000 {
        let mut bytes = random.choice(&lines).unwrap().as_bytes().to_vec();
        for _ in 0..random.usize(..4) {
            let at = random.usize(..bytes.len() + 1);
            match random.usize(..4) {
                0 => bytes.insert(at, random.u8(..)),
                1 => {
                    drop(bytes.splice(at..at, random.choice(&words).unwrap().bytes().chain(*b" ")));
                }
                2 => bytes.truncate(at),
                _ => drop(bytes.splice(at.., random.choice(&lines).unwrap().bytes())),
            }
        }
        whole += usize::from(parse_is_clean(&bytes));
        read_all(&bytes, &fake_host());
        assert!(round < 100 || whole > 0, "no rule survives the damage: it tests nothing");
    }
}

fn parse_is_clean(text: &[u8]) -> bool {
    parse(&Source { name: "random", first_line: 1, text }, &fake_host().host()).problems.is_empty()
}

#[test]
fn damaged_kernel_bytes_are_read_without_panic() {
    let mut random = fastrand::Rng::with_seed(0x5eed_0003);
    let fake_host = fake_host();
    let text = SEEDS[2].as_bytes();
    let parsed = parse(&Source { name: "seed", first_line: 1, text }, &fake_host.host());
    let rules: Vec<Vec<u8>> = parsed
        .commands
        .iter()
        .filter_map(|command| match &command.value {
            Command::Add { rule, .. } => Some(rule.encode(Position::Last)),
            _ => None,
        })
        .collect();
    assert!(rules.len() > 20);
    for _ in 0..6_000 {
        let mut bytes = random.choice(&rules).unwrap().clone();
        for _ in 0..1 + random.usize(..4) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        bytes.truncate(random.usize(..bytes.len() * 2));
        if let Ok(rule) = Rule::decode(&bytes) {
            let _ = rule.to_text(Some(Arch::X86_64));
            assert_eq!(Rule::decode(&rule.encode(Position::Last)), Ok(rule));
        }
    }
}
