//! The rule that keeps the agent from auditing itself: without it, a rule about writing files makes
//! a record of every document that is written, and that record the next document.

use std::path::Path;

use crate::rules::{Action, Condition, Field, List, Mask, Operator, Rule, Value};

/// The rule for a process.
pub(super) fn of(pid: u32) -> Rule {
    let mut rule = Rule::new(List::Exit, Action::Never);
    let condition =
        Condition { field: Field::PID, operator: Operator::Equal, value: Value::Number(pid) };
    rule.set_calls(Mask::ALL);
    // Nothing about it can be wrong: the test holds it against auditctl's words.
    let _ = rule.add(condition);
    rule
}

/// Whether it is such a rule, as the kernel lists it, for a process that is no more: an agent that was
/// killed has left it behind. Put back, it would hide whatever gets that process id next.
pub(super) fn is_left_behind(listed: &[u8]) -> bool {
    let Ok(rule) = Rule::decode(listed) else { return false };
    let [Condition { field: Field::PID, value: Value::Number(pid), .. }] = rule.conditions() else {
        return false;
    };
    rule == of(*pid) && !Path::new("/proc").join(pid.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Position;

    #[test]
    fn that_of_a_living_process_or_of_a_user_stays() {
        let listed = |rule: &Rule| rule.encode(Position::Last);
        // Beyond the highest process id.
        assert!(is_left_behind(&listed(&of(u32::MAX >> 2))));
        assert!(!is_left_behind(&listed(&of(std::process::id()))));
        assert!(!is_left_behind(&listed(&Rule::new(List::Exit, Action::Never))));
        assert!(!is_left_behind(b"no rule"));
    }

    #[test]
    fn it_is_what_a_user_would_write() {
        assert_eq!(of(77).to_text(None), "-a never,exit -S all -F pid=77");
    }
}
