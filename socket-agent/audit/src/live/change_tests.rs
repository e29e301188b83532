use std::io;

use super::*;
use crate::{
    netlink::Fault,
    rules::{List, PermCalls, Source, System},
};

/// A kernel's rules, which refuses one whose key is `refused`.
#[derive(Default)]
struct Fake {
    rules: Vec<Rule>,
    /// Of these a rule that matches the same is there at every moment.
    always: Vec<Rule>,
}

impl Fake {
    fn of(text: &str) -> Self {
        Self { rules: rules(&set(text)), always: Vec::new() }
    }

    fn check(&self) {
        for rule in &self.always {
            let cover = cover(rule).unwrap();
            let there = self.rules.contains(rule) || self.rules.contains(&cover);
            assert!(there, "there is a moment without {}", rule.to_text(None));
        }
    }
}

impl RuleTable for Fake {
    fn list(&mut self) -> Result<Vec<Vec<u8>>, RequestError> {
        Ok(self.rules.iter().map(|rule| rule.encode(Position::Last)).collect())
    }

    fn add(&mut self, rule: &Rule) -> Result<(), RequestError> {
        if rule.has_key(b"refused") || self.rules.contains(rule) {
            let errno = if self.rules.contains(rule) { libc::EEXIST } else { libc::EINVAL };
            let fault = Fault::Refused(io::Error::from_raw_os_error(errno));
            return Err(RequestError { what: "adding a rule", fault });
        }
        self.rules.push(rule.clone());
        self.check();
        Ok(())
    }

    fn remove(&mut self, listed: &[u8]) -> Result<(), RequestError> {
        let rule = Rule::decode(listed).unwrap();
        let index = self.rules.iter().position(|known| *known == rule).expect("it is there");
        self.rules.remove(index);
        self.check();
        Ok(())
    }
}

fn set(text: &str) -> RuleSet {
    let system = System::read().unwrap();
    let source = Source { name: "f", first_line: 1, text: text.as_bytes() };
    RuleSet::read([source], &system.host(PermCalls::All), false).unwrap()
}

fn rules(set: &RuleSet) -> Vec<Rule> {
    wanted(set).into_iter().filter_map(of).cloned().collect()
}

/// Changes one set into another, and returns what was done; the result is what a start would load.
#[track_caller]
fn from_to(before: &str, after: &str) -> (usize, usize, usize) {
    let (mut table, after) = (Fake::of(before), set(after));
    let wanted = rules(&after);
    table.always = table.rules.iter().filter(|rule| wanted.contains(rule)).cloned().collect();
    let changed = change(&mut table, &after, false, |_, _| false).unwrap();
    let of_list = |rules: &[Rule], list: List| -> Vec<Rule> {
        rules.iter().filter(|rule| rule.list() == list).cloned().collect()
    };
    for list in [List::Exit, List::Exclude, List::User] {
        assert_eq!(of_list(&table.rules, list), of_list(&wanted, list));
    }
    assert_eq!((table.rules.len(), changed.rules), (wanted.len(), wanted.len()));
    (changed.added, changed.moved, changed.removed)
}

const A: &str = "-w /etc/passwd -p wa -k a\n";
const B: &str = "-a always,exit -F arch=b64 -S execve -k b\n";
const C: &str = "-a never,exit -F arch=b64 -S connect -F uid=0\n";
const D: &str = "-a always,exclude -F msgtype=CWD\n";

#[test]
fn rules_that_stay_are_there_all_the_time() {
    let text = |parts: &[&str]| parts.concat();
    assert_eq!(from_to(&text(&[A, B]), &text(&[A, B])), (0, 0, 0));
    assert_eq!(from_to(&text(&[A]), &text(&[A, B, D])), (2, 0, 0));
    assert_eq!(from_to(&text(&[A, B, C]), &text(&[A, C])), (0, 0, 1));
    assert_eq!(from_to(&text(&[A, B]), &text(&[C, A, B])), (1, 2, 0));
    assert_eq!(from_to(&text(&[A, B, C]), &text(&[D, C, B, A])), (1, 2, 0));
    assert_eq!(from_to(&text(&[A, B]), &text(&[C, D])), (2, 0, 2));
    assert_eq!(from_to(&text(&[A, B]), ""), (0, 0, 2));
}

#[test]
fn commands_count_by_what_they_come_to() {
    let first = "-A always,exit -F arch=b64 -S connect -k c\n";
    let text = [A, "-D\n", B, first, D, "-d always,exclude -F msgtype=CWD\n"].concat();
    let found: Vec<Rule> = rules(&set(&text));
    assert_eq!(found.len(), 2);
    assert!(found[0].has_key(b"c") && found[1].has_key(b"b"));
}

#[test]
fn one_that_is_refused_leaves_all_as_it_was() {
    let mut table = Fake::of(&[A, B].concat());
    let before = table.rules.clone();
    table.always = before.clone();
    let refused = "-a always,exit -F arch=b64 -S listen -k refused\n";
    let after = set(&[D, refused, B].concat());
    let error = change(&mut table, &after, false, |_, _| false).unwrap_err();
    assert!(matches!(error, NotChanged::Refused(RefusedRules(rules)) if rules.len() == 1));
    assert_eq!(table.rules, before);

    table.always = vec![before[1].clone()];
    let changed = change(&mut table, &after, true, |_, _| false).unwrap();
    assert_eq!((changed.added, changed.removed, changed.ignored.len()), (1, 1, 1));
}

#[test]
fn rules_of_others_stay() {
    let mut table = Fake::of(&[A, B].concat());
    let changed =
        change(&mut table, &set(D), false, |_, rule| rule.is_some_and(|rule| rule.has_key(b"a")));
    assert_eq!(changed.unwrap().removed, 1);
    assert!(table.rules.iter().any(|rule| rule.has_key(b"a")) && table.rules.len() == 2);
}
