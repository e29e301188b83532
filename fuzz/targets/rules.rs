//! Audit rules of any bytes: problems name their place, and a rule survives being encoded for the
//! kernel, read back, told as text and read again.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use socket_agent::audit::{
    names::Arch,
    rules::{
        Accounts, Command, Host, PathKind, Paths, PermCalls, Position, Rule, RuleSet, Source, parse,
    },
};

/// A host with one account and one directory.
struct Told;

impl Accounts for Told {
    fn user(&self, name: &str) -> Option<u32> {
        (name == "root").then_some(0)
    }

    fn group(&self, name: &str) -> Option<u32> {
        (name == "root").then_some(0)
    }
}

impl Paths for Told {
    fn kind(&self, path: &Path) -> PathKind {
        match path.to_str().map(|path| path.trim_end_matches('/')) {
            Some("/etc") => PathKind::Directory,
            _ => PathKind::Missing,
        }
    }
}

fn host() -> Host<'static> {
    Host { arch: Some(Arch::X86_64), accounts: &Told, paths: &Told, perm_calls: PermCalls::All }
}

fuzz_target!(|text: &[u8]| {
    let parsed = parse(&Source { name: "rules", first_line: 1, text }, &host());
    let lines = text.split(|byte| *byte == b'\n').count();
    for problem in &parsed.problems {
        assert!((1..=lines).contains(&problem.place.line) && problem.place.column > 0);
        assert!(!problem.message.is_empty() && !problem.message.contains('\n'), "{problem}");
    }
    for command in parsed.commands {
        if let Command::Add { rule, .. } | Command::Delete { rule } = command.value {
            survives(&rule);
        }
    }
    // What the kernel lists is from outside too.
    if let Ok(rule) = Rule::decode(text) {
        let _ = rule.to_text(Some(Arch::X86_64));
    }
});

fn survives(rule: &Rule) {
    for position in [Position::First, Position::Last] {
        assert_eq!(&Rule::decode(&rule.encode(position)).expect("its own bytes"), rule);
    }
    let text = rule.to_text(Some(Arch::X86_64));
    // Bytes that are no UTF-8 cannot be told as text.
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return;
    }
    let source = Source { name: "text", first_line: 1, text: text.as_bytes() };
    match RuleSet::read([source], &host(), false) {
        Ok(set) => assert_eq!(set.commands.len(), 1, "{text}"),
        Err(error) => panic!("{text}\n{error}"),
    }
}
