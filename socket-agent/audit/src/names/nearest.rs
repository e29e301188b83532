//! Suggestions for misspelt names.

/// The known name with the fewest edits to `wanted` (a swap of two neighbours is one edit), if it
/// is close enough to be what was meant.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Words of any length can come from a file; no name is as long as this.
    if wanted.is_empty() || wanted.len() > 64 {
        return None;
    }
    let wanted = wanted.to_ascii_lowercase();
    let allowed = (wanted.chars().count() / 3).clamp(1, 4);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wanted, &name.to_ascii_lowercase()), name))
        .filter(|(edits, _)| *edits <= allowed)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn proposes_only_what_is_alike() {
        let known = ["open", "openat", "close"];
        assert_eq!(nearest("opnat", known), Some("openat"));
        assert_eq!(nearest("OPEN", known), Some("open"));
        assert_eq!(nearest("ptrace", known), None);
        assert_eq!(nearest("", known), None);
    }
}
