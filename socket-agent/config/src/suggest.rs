//! The known word that is nearest to one that is not known.

/// Nearest of `known` by edits (a swap of two neighbours is one edit), with their number; never the
/// word itself.
pub fn nearest<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<(&'a str, usize)> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .filter(|candidate| *candidate != word)
        .map(|candidate| (candidate, strsim::damerau_levenshtein(&lower, candidate)))
        .min_by_key(|(_, edits)| *edits)
}

/// End of a message about an unknown key, given as a whole and without what lies below it: names
/// the known key that is close to the first or else to the second; `None` if there is none.
pub fn key_hint(forms: [&str; 2], known: &[&str]) -> Option<String> {
    let close = |form: &str| {
        // Not what the key lies below.
        let leads_here = |key: &str| form.strip_prefix(key).is_some_and(|it| it.starts_with('.'));
        let known = known.iter().copied().filter(|key| !leads_here(key));
        nearest(form, known).filter(|(_, edits)| is_close(form, *edits))
    };
    let (key, _) = forms.into_iter().find_map(close)?;
    Some(format!("; did you mean {key}?"))
}

/// End of a message about a value that is not in a list: names one only if it is close.
pub fn value_hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(word, known) {
        Some((value, edits)) if is_close(word, edits) => format!("; did you mean {value}?"),
        _ => String::new(),
    }
}

fn is_close(word: &str, edits: usize) -> bool {
    edits <= (word.chars().count() / 3).clamp(1, 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_never_its_own_suggestion() {
        assert_eq!(nearest("host", ["host", "hosts"]), Some(("hosts", 1)));
        assert_eq!(key_hint(["host", "host"], &["host", "login"]), None);
        assert_eq!(key_hint(["host.x", "host"], &["host", "login"]), None);
        assert_eq!(
            key_hint(["sockt.hooks", "sockt"], &["socket", "socket.hooks"]).as_deref(),
            Some("; did you mean socket.hooks?")
        );
        assert_eq!(
            key_hint(["sockt.x.y.z", "sockt"], &["socket", "socket.hooks"]).as_deref(),
            Some("; did you mean socket?")
        );
        assert_eq!(value_hint("KPROBE", ["kprobe"]), "; did you mean kprobe?");
        assert_eq!(value_hint("magic", ["kprobe"]), "");
    }
}
