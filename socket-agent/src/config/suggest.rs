//! The known word that is nearest to one that is not known.

/// Nearest of `known` by edits (a swap of two neighbours is one edit), with their number.
pub(super) fn nearest<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<(&'a str, usize)> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (candidate, strsim::damerau_levenshtein(&word, candidate)))
        .min_by_key(|(_, edits)| *edits)
}

/// End of a message about an unknown key, given as a whole and without what lies below it: names
/// the known key that is close to the first or else to the second, or else the nearest.
pub(super) fn key_hint(forms: [&str; 2], known: &[&str]) -> String {
    let found = forms.map(|form| {
        let (key, edits) = nearest(form, known.iter().copied())?;
        Some((key, edits, is_close(form, edits)))
    });
    if let Some((key, ..)) = found.into_iter().flatten().find(|(.., close)| *close) {
        return format!("; did you mean {key}?");
    }
    // Far from all of them: what begins alike says more than the number of edits.
    let alike = |key: &&&str| (strsim::jaro_winkler(forms[0], key) * 1e6) as u64;
    let leads_here =
        |key: &&&str| forms[0].strip_prefix(**key).is_some_and(|rest| rest.starts_with('.'));
    match known.iter().filter(|key| !leads_here(key)).max_by_key(alike) {
        Some(key) => format!("; the nearest known key is {key}"),
        None => String::new(),
    }
}

/// End of a message about a value that is not in a list: names one only if it is close.
pub(super) fn value_hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(word, known) {
        Some((value, edits)) if is_close(word, edits) => format!("; did you mean {value}?"),
        _ => String::new(),
    }
}

fn is_close(word: &str, edits: usize) -> bool {
    edits <= (word.chars().count() / 3).clamp(1, 4)
}
