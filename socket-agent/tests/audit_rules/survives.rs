//! What holds for rules of any bytes. The fuzz target of the rules has this file, too.

use socket_agent::audit::{
    names::Arch,
    rules::{Command, Field, Position, Rule, RuleSet, Source, Value, parse},
};

use crate::host::FakeHost;

/// Problems name their place, and what is read survives.
pub(crate) fn read_all(text: &[u8], fake_host: &FakeHost) {
    let parsed = parse(&Source { name: "any", first_line: 1, text }, &fake_host.host());
    let lines = text.split(|byte| *byte == b'\n').count();
    for problem in &parsed.problems {
        assert!((1..=lines).contains(&problem.location.line) && problem.location.column > 0);
        assert!(!problem.message.is_empty() && !problem.message.contains('\n'), "{problem}");
    }
    for command in parsed.commands {
        if let Command::Add { rule, .. } | Command::Delete { rule } = command.value {
            survives(&rule);
        }
    }
}

/// A rule is the same after it was encoded for the kernel and read back, and after it was told as text
/// and read again.
fn survives(rule: &Rule) {
    for position in [Position::First, Position::Last] {
        assert_eq!(&Rule::decode(&rule.encode(position)).unwrap(), rule);
    }
    let text = rule.to_text(Some(Arch::X86_64));
    // Bytes that are no UTF-8 cannot be told as text.
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return;
    }
    // A watch does not say whether it is for a file or a directory: the host does.
    let watched = rule.conditions().iter().find_map(|condition| match &condition.value {
        Value::Text(path) if condition.field == Field::DIR => str::from_utf8(path).ok(),
        _ => None,
    });
    let fake_host = FakeHost {
        directories: watched
            .map(|path| path.trim_end_matches('/').to_owned())
            .into_iter()
            .collect(),
    };
    let source = Source { name: "text", first_line: 1, text: text.as_bytes() };
    let again = RuleSet::read([source], &fake_host.host(), false)
        .unwrap_or_else(|error| panic!("{text}\n{error}"));
    match again.commands.as_slice() {
        [command] => match &command.value {
            Command::Add { rule: again, .. } => {
                assert_eq!(again.to_text(Some(Arch::X86_64)), text);
                assert_eq!(again.calls(), rule.calls(), "{text}");
                assert_eq!(sorted(again), sorted(rule), "{text}");
            }
            other => panic!("{text}: {other:?}"),
        },
        other => panic!("{text}: {other:?}"),
    }
}

/// A listing puts the architecture first.
fn sorted(rule: &Rule) -> Vec<String> {
    let mut conditions: Vec<_> =
        rule.conditions().iter().map(|condition| format!("{condition:?}")).collect();
    conditions.sort();
    conditions
}
