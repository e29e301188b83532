//! Sets of values with names.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use crate::table::{number, rows};

static SETS: LazyLock<FxHashMap<&'static str, Set>> = LazyLock::new(|| {
    rows(include_str!("values.tsv"))
        .map(|[name, kind, values]| {
            let values = values.split(' ').filter_map(Value::parse).collect();
            (name, Set { is_bits: kind == "bits", values })
        })
        .collect()
});

struct Set {
    is_bits: bool,
    values: Vec<Value>,
}

/// Fits a number whose bits of the mask are those of the value.
struct Value {
    value: u64,
    mask: u64,
    name: &'static str,
}

impl Value {
    fn parse(text: &'static str) -> Option<Self> {
        let (value, name) = text.split_once('=')?;
        let (value, mask) = match value.split_once('/') {
            Some((value, mask)) => (number(value)?, number(mask)?),
            None => (number(value)?, number(value)?),
        };
        Some(Self { value, mask, name })
    }
}

/// The flags of a number with `|` between, and what is left over in hexadecimal; `None` if there
/// is no such set, or nothing to say.
pub fn bits(set: &str, number: u64) -> Option<String> {
    let set = SETS.get(set).filter(|set| set.is_bits)?;
    let mut text = String::new();
    let mut left = number;
    let mut seen = 0;
    for Value { value, mask, name } in &set.values {
        if number & mask == *value && seen & mask == 0 {
            join(&mut text, name);
            seen |= mask;
            left &= !mask;
        }
    }
    if left != 0 {
        join(&mut text, &format!("{left:#x}"));
    }
    (!text.is_empty()).then_some(text)
}

fn join(text: &mut String, part: &str) {
    if !text.is_empty() {
        text.push('|');
    }
    text.push_str(part);
}

/// The name of a number in a set of which one applies.
pub fn one(set: &str, number: u64) -> Option<&'static str> {
    let set = SETS.get(set).filter(|set| !set.is_bits)?;
    set.values.iter().find(|value| value.value == number).map(|value| value.name)
}

/// Whether there is such a set of flags; `Some(false)` for one of which one applies.
pub(super) fn is_bits(set: &str) -> Option<bool> {
    SETS.get(set).map(|set| set.is_bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_listed_and_the_rest_kept() {
        let open = |number| bits("open", number);
        assert_eq!(open(0).unwrap(), "O_RDONLY");
        assert_eq!(open(0x241).unwrap(), "O_WRONLY|O_CREAT|O_TRUNC");
        assert_eq!(open(0x8_0000).unwrap(), "O_RDONLY|O_CLOEXEC");
        assert_eq!(open(0x10_1002).unwrap(), "O_RDWR|O_SYNC", "not O_DSYNC as well");
        assert_eq!(open(0x41_0002).unwrap(), "O_RDWR|O_TMPFILE", "not O_DIRECTORY as well");
        assert_eq!(open(0x8000_0001).unwrap(), "O_WRONLY|0x80000000");
        assert_eq!(bits("mount", 0), None);
        assert_eq!(bits("protection", 5).unwrap(), "PROT_READ|PROT_EXEC");
        assert_eq!(bits("socket_type", 0x8_0002).unwrap(), "SOCK_DGRAM|SOCK_CLOEXEC");
        assert_eq!(bits("nothing", 1), None);
    }

    #[test]
    fn single_values() {
        assert_eq!(one("signal", 11), Some("SIGSEGV"));
        assert_eq!(one("signal", 31), Some("SIGSYS"));
        // The first two that programs may have are the C library's.
        assert_eq!((one("signal", 32), one("signal", 33)), (None, None));
        assert_eq!(one("signal", 34), Some("SIGRTMIN"));
        assert_eq!(one("signal", 35), Some("SIGRTMIN+1"));
        assert_eq!(one("signal", 63), Some("SIGRTMIN+29"));
        assert_eq!(one("signal", 64), Some("SIGRTMAX"));
        assert_eq!(one("signal", 0), None);
        assert_eq!(one("family", 10), Some("AF_INET6"));
        assert_eq!(one("bpf", 5), Some("BPF_PROG_LOAD"));
        assert_eq!(one("bpf", 35), Some("BPF_PROG_BIND_MAP"));
        assert_eq!(one("seccomp_action", 0x7ffc_0000), Some("log"));
        assert_eq!(one("open", 1), None, "a set of flags");
    }

    #[test]
    fn every_value_can_be_read() {
        for [name, kind, values] in rows(include_str!("values.tsv")) {
            assert!(matches!(kind, "bits" | "one"), "{name}");
            for text in values.split(' ') {
                let value = Value::parse(text).unwrap_or_else(|| panic!("{name}: {text}"));
                assert_eq!(value.value & !value.mask, 0, "{name}: {text}");
            }
        }
    }
}
