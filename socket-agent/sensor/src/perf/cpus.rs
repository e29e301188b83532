//! The CPUs that are online.

use std::{fs, io};

/// The CPUs that are running.
///
/// # Errors
///
/// The list cannot be read or understood.
pub(super) fn online() -> io::Result<Vec<u32>> {
    let text = fs::read_to_string("/sys/devices/system/cpu/online")?;
    parse(&text).ok_or_else(|| io::Error::other(format!("unexpected list of CPUs {text:?}")))
}

/// `0-3,8` as numbers.
fn parse(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(first.parse::<u32>().ok()?..=last.parse().ok()?);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus() {
        assert_eq!(parse("0\n"), Some(vec![0]));
        assert_eq!(parse("0-2,5,7-8\n"), Some(vec![0, 1, 2, 5, 7, 8]));
        assert_eq!(parse("x"), None);
        assert!(!online().unwrap().is_empty());
    }
}
