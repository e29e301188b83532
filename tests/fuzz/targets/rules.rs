//! Audit rules of any bytes: problems name their location, and a rule survives being encoded for the
//! kernel, read back, written as text and read again.
#![no_main]

#[path = "../../../socket-agent/tests/audit_rules/host.rs"]
mod host;
#[path = "../../../socket-agent/tests/audit_rules/survives.rs"]
mod survives;

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use socket_agent::audit::{names::Arch, rules::Rule};

use crate::{host::FakeHost, survives::read_all};

fuzz_target!(|text: &[u8]| {
    read_all(text, &FakeHost { directories: HashSet::from(["/etc".to_owned()]) });
    // What the kernel lists is from outside too.
    if let Ok(rule) = Rule::decode(text) {
        let _ = rule.to_text(Some(Arch::X86_64));
    }
});
