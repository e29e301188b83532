//! The rule that keeps the agent from auditing itself: without it, a rule about writing files makes
//! a record of every document that is written, and that record the next document.

use crate::audit::rules::{Action, Condition, Field, List, Mask, Operator, Rule, Value};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_a_user_would_write() {
        assert_eq!(of(77).to_text(None), "-a never,exit -S all -F pid=77");
    }
}
