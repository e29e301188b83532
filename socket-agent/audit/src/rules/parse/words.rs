//! Words of a line: what separates them, quotes and backslashes.

use std::borrow::Cow;

use super::Fault;

/// A line of a rule file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Empty, or a comment.
    Blank,
    /// At least one word.
    Words(Vec<Word>),
}

/// A word, without its quotes and backslashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// Column of the first character, from 1.
    pub(super) column: usize,
    pub(super) text: Vec<u8>,
}

/// Splits a line into words.
pub(super) fn split(line: &[u8]) -> Result<Line, Fault> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(byte) = line.get(at) {
        if is_space(*byte) {
            at += 1;
            continue;
        }
        if words.is_empty() && *byte == b'#' {
            return Ok(Line::Blank);
        }
        let (text, end) = word(line, at)?;
        words.push(Word { column: column(line, at), text });
        at = end;
    }
    Ok(if words.is_empty() { Line::Blank } else { Line::Words(words) })
}

/// Reads the word that begins at `start`; also where it ends.
fn word(line: &[u8], start: usize) -> Result<(Vec<u8>, usize), Fault> {
    let mut text = Vec::new();
    let mut at = start;
    while let Some(byte) = line.get(at).copied().filter(|byte| !is_space(*byte)) {
        let next = line.get(at + 1).copied();
        match byte {
            0 => return Err(Fault::error(column(line, at), "a NUL byte: remove it")),
            b'\\' if next.is_some_and(is_special) => {
                text.extend(next);
                at += 2;
            }
            b'\'' | b'"' if opens_quote(line, start, at) => {
                at = quoted(line, at, byte, &mut text)?;
            }
            _ => {
                text.push(byte);
                at += 1;
            }
        }
    }
    Ok((text, at))
}

/// Reads what is between quotes into `text`; where it goes on behind them.
fn quoted(line: &[u8], open: usize, quote: u8, text: &mut Vec<u8>) -> Result<usize, Fault> {
    let mut at = open + 1;
    while let Some(byte) = line.get(at).copied() {
        let next = line.get(at + 1).copied();
        match byte {
            _ if byte == quote => return Ok(at + 1),
            0 => return Err(Fault::error(column(line, at), "a NUL byte: remove it")),
            b'\\' if quote == b'"' && matches!(next, Some(b'"' | b'\\')) => {
                text.extend(next);
                at += 2;
            }
            _ => {
                text.push(byte);
                at += 1;
            }
        }
    }
    let quote = char::from(quote);
    Err(Fault::error(
        column(line, open),
        format!("the quote is never closed: add {quote}, or write \\{quote} for the character"),
    ))
}

/// Quotes in the middle of a word are characters like others.
fn opens_quote(line: &[u8], start: usize, at: usize) -> bool {
    at == start
        || line.get(at.wrapping_sub(1)).is_some_and(|before| b"=<>&".contains(before))
            && line.get(start..at).is_some_and(|word| !word.contains(&b'/'))
}

/// A word that reads as `text`; `in_field` if it follows an operator.
pub(in crate::rules) fn escape(text: &[u8], in_field: bool) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(text);
    let bytes = text.as_bytes();
    let plain = |(at, character): (usize, char)| {
        !(character == '\\'
            || character == ' '
            || character == '\t'
            || character.is_control()
            || matches!(character, '\'' | '"') && (in_field || opens_quote(bytes, 0, at))
            || character == '#' && at == 0 && !in_field)
    };
    if text.char_indices().all(plain) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            ' ' | '\t' | '\\' | '\'' | '"' => escaped.extend(['\\', character]),
            // No rule file can hold it.
            '\n' | '\0' => escaped.push(char::REPLACEMENT_CHARACTER),
            _ => escaped.push(character),
        }
    }
    escaped.into()
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\\' | b'\'' | b'"')
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The column of a byte; UTF-8 is counted in characters.
fn column(line: &[u8], at: usize) -> usize {
    1 + line.iter().take(at).filter(|byte| **byte & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<(usize, String)> {
        match split(line.as_bytes()) {
            Ok(Line::Words(words)) => words
                .into_iter()
                .map(|word| (word.column, String::from_utf8(word.text).unwrap()))
                .collect(),
            Ok(Line::Blank) => Vec::new(),
            Err(fault) => panic!("{}: {}", fault.column, fault.message),
        }
    }

    fn words(line: &str) -> Vec<String> {
        texts(line).into_iter().map(|word| word.1).collect()
    }

    #[test]
    fn splits_at_spaces_and_counts_columns() {
        assert_eq!(texts(" -w\t/é  -p"), [(2, "-w".into()), (5, "/é".into()), (9, "-p".into())]);
        assert_eq!(words("-D\r"), ["-D"]);
        assert_eq!(words("  # a comment"), [""; 0]);
        assert_eq!(words("a #b"), ["a", "#b"]);
    }

    #[test]
    fn takes_quotes_where_a_value_begins() {
        assert_eq!(words(r#"-w "/a b" '/c d'e"#), ["-w", "/a b", "/c de"]);
        assert_eq!(words(r#"-F path="/a b""#), ["-F", "path=/a b"]);
        assert_eq!(words("-k it's"), ["-k", "it's"]);
        assert_eq!(words(r#"path=/a="b"#), [r#"path=/a="b"#]);
        assert_eq!(words(r#"-k "a\"b\\c\d""#), ["-k", r#"a"b\c\d"#]);
    }

    #[test]
    fn takes_a_backslash_as_auditctl_does() {
        assert_eq!(words(r"/a\ b /c\\d /e\f g\"), ["/a b", r"/c\d", r"/e\f", r"g\"]);
    }

    #[test]
    fn tells_where_a_quote_was_opened() {
        let fault = split(b"-w '/a").unwrap_err();
        assert_eq!(fault.column, 4);
        assert!(split(b"-w /a\0").is_err());
    }

    #[test]
    fn escapes_what_it_can_read_again() {
        for text in ["/a b", r"\", r"\\ ", "'x'", "\"", "#", "a'b", "a=\"b", "/a=\"b", "é\t"] {
            let word = escape(text.as_bytes(), false);
            assert_eq!(words(&format!("-k {word}")), ["-k", text]);
            let word = escape(text.as_bytes(), true);
            assert_eq!(words(&format!("path={word}")), [format!("path={text}")]);
        }
    }
}
