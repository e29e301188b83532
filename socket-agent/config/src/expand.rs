//! References in values.
//!
//! `${NAME}` must have a value, `${NAME:default}` may be missing or empty, `${NAME:?message}` fails
//! with the message, `${NAME:+text}` is the text if there is a value. Defaults may hold references
//! of their own. `$${` stands for a literal `${`. What a name stands for is up to the caller.

/// Value of a name; `None` if it has none. The error is a reason with its remedy.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Result<Option<String>, String>;

/// References within references are followed this deep.
const DEEPEST: usize = 8;

/// Replaces the references in `text`; the error is a reason with its remedy.
pub fn expand(text: &str, lookup: Lookup<'_>) -> Result<String, String> {
    expand_to(text, lookup, 0)
}

/// Names that `text` refers to, those within defaults included.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("${").filter_map(|(at, _)| {
        let escaped = text[..at].ends_with('$');
        let name = text[at + 2..].split([':', '}']).next()?;
        (!escaped && !name.is_empty()).then_some(name)
    })
}

/// The name, if `text` is one reference and nothing else: `${NAME}` or `${NAME:default}`.
pub fn only_name(text: &str) -> Option<&str> {
    let body = text.strip_prefix("${")?;
    (closing(text)? + 1 == text.len()).then(|| body.split([':', '}']).next())?
}

fn expand_to(text: &str, lookup: Lookup<'_>, depth: usize) -> Result<String, String> {
    if depth > DEEPEST {
        return Err(format!("references are nested more than {DEEPEST} deep"));
    }
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, reference) = rest.split_at(start);
        if let Some(literal) = before.strip_suffix('$') {
            result.push_str(literal);
            result.push_str("${");
            rest = &reference[2..];
            continue;
        }
        result.push_str(before);
        let end = closing(reference).ok_or_else(|| {
            format!("{text:?} has a ${{ without its }}; write $${{ for a literal ${{")
        })?;
        result.push_str(&resolve(&reference[2..end], lookup, depth)?);
        rest = &reference[end + 1..];
    }
    result.push_str(rest);
    Ok(result)
}

/// Index of the brace that closes the one `text` begins with.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => continue,
        }
        if depth == 0 && index > 0 {
            return Some(index);
        }
    }
    None
}

fn resolve(body: &str, lookup: Lookup<'_>, depth: usize) -> Result<String, String> {
    let (name, alternative) = body.split_once(':').map_or((body, None), |(n, a)| (n, Some(a)));
    if name.is_empty() {
        return Err(format!("${{{body}}} names nothing; write ${{NAME}} or ${{NAME:default}}"));
    }
    // Empty counts as missing where there is an alternative.
    let value = lookup(name)?.filter(|value| alternative.is_none() || !value.is_empty());
    let Some(alternative) = alternative else {
        return value
            .ok_or_else(|| format!("{}; set it or write ${{{name}:default}}", missing(name)));
    };
    if let Some(message) = alternative.strip_prefix('?') {
        return value.ok_or_else(|| format!("{}: {message}", missing(name)));
    }
    if let Some(text) = alternative.strip_prefix('+') {
        return value.map_or(Ok(String::new()), |_| expand_to(text, lookup, depth + 1));
    }
    value.map_or_else(|| expand_to(alternative, lookup, depth + 1), Ok)
}

/// Names with a dot are meant to be settings, others variables.
fn missing(name: &str) -> String {
    if name.contains('.') {
        format!("there is no setting {name}")
    } else {
        format!("environment variable {name} is not set")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Result<Option<String>, String> {
        match name {
            "SET" => Ok(Some("value".into())),
            "EMPTY" => Ok(Some(String::new())),
            "TRICKY" => Ok(Some("${SET}".into())),
            "BROKEN" => Err("BROKEN cannot be used".into()),
            _ => Ok(None),
        }
    }

    #[test]
    fn replaces_references() {
        for (text, expected) in [
            ("plain", "plain"),
            ("${SET}", "value"),
            ("a${SET}b${SET}c", "avaluebvaluec"),
            ("${SET:default}", "value"),
            ("${MISSING:default}", "default"),
            ("${MISSING:}", ""),
            ("${EMPTY}", ""),
            ("${EMPTY:default}", "default"),
            ("${MISSING:http://h:9200}", "http://h:9200"),
            ("${MISSING:${SET}}", "value"),
            ("${MISSING:${ALSO:deep}}", "deep"),
            ("${SET:?why}", "value"),
            ("${SET:+there}", "there"),
            ("${MISSING:+there}", ""),
            ("$${SET}", "${SET}"),
            ("costs $5 {x}", "costs $5 {x}"),
            ("${TRICKY}", "${SET}"), // values are not expanded again
        ] {
            assert_eq!(expand(text, &environment).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn says_what_is_missing() {
        for (text, expected) in [
            ("${NO}", "environment variable NO is not set; set it or write ${NO:default}"),
            ("${NO:?give a path}", "environment variable NO is not set: give a path"),
            ("${a.b}", "there is no setting a.b; set it or write ${a.b:default}"),
            ("${BROKEN:default}", "BROKEN cannot be used"),
            ("${}", "${} names nothing; write ${NAME} or ${NAME:default}"),
            ("x${SET", "\"x${SET\" has a ${ without its }; write $${ for a literal ${"),
        ] {
            assert_eq!(expand(text, &environment), Err(expected.to_owned()), "{text}");
        }
        let deep = format!("{}x{}", "${NO:".repeat(20), "}".repeat(20));
        assert!(expand(&deep, &environment).is_err());
    }

    #[test]
    fn finds_names() {
        let found: Vec<&str> = names("a${b}$${c}${d.e:${f:?g}}${}").collect();
        assert_eq!(found, ["b", "d.e", "f"]);
        for (text, name) in [
            ("${a.b}", Some("a.b")),
            ("${a:b}", Some("a")),
            ("${a:${b}}", Some("a")),
            ("${a}${b}", None),
            ("${a} ", None),
            (" ${a}", None),
            ("a", None),
            ("", None),
        ] {
            assert_eq!(only_name(text), name, "{text}");
        }
    }
}
