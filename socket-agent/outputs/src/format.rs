//! Texts with parts that come from documents: `%{[host.name]} %{+yyyy.MM.dd}`.

use std::time::SystemTime;

use ecs::{Document, Value};

/// A text with parts that come from a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A field by its dotted path, and what stands for it where it is missing.
    Field(String, Option<String>),
    /// A time in UTC, as these pieces.
    Time(Vec<Piece>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Year,
    ShortYear,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Literal(char),
}

/// A field that a document lacks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the document has no {0}; write %{{[{0}]:default}}")]
pub(crate) struct Missing(pub(crate) String);

/// Letters of a time and what they stand for.
const PIECES: [(&str, Piece); 8] = [
    ("yyyy", Piece::Year),
    ("YYYY", Piece::Year),
    ("yy", Piece::ShortYear),
    ("MM", Piece::Month),
    ("dd", Piece::Day),
    ("HH", Piece::Hour),
    ("mm", Piece::Minute),
    ("ss", Piece::Second),
];

// === impl Format ===

impl Format {
    /// Reads a format.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what is allowed.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("%{") {
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let (inner, after) = after
                .split_once('}')
                .ok_or_else(|| format!("%{{{after} has no end; close it with }}"))?;
            parts.push(part(inner)?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    /// Whether the format refers to fields of a document.
    pub(crate) fn has_fields(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Field(..)))
    }

    /// Whether the format gives the same text for every document.
    pub(crate) fn is_constant(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }

    /// The text for a document and its time, appended.
    ///
    /// # Errors
    ///
    /// A field is missing that has no default.
    pub(crate) fn write(
        &self,
        document: &mut Document,
        time: SystemTime,
        out: &mut Vec<u8>,
    ) -> Result<(), Missing> {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Time(pieces) => out.extend_from_slice(written(pieces, time).as_bytes()),
                Part::Field(path, default) => match (document.get(path), default) {
                    (Some(Value::Text(text)), _) => out.extend_from_slice(text.as_bytes()),
                    (Some(Value::Null) | None, Some(default)) => {
                        out.extend_from_slice(default.as_bytes());
                    }
                    (Some(Value::Null) | None, None) => return Err(Missing(path.clone())),
                    (Some(value), _) => value.write(out),
                },
            }
        }
        Ok(())
    }

    /// The text where it needs no document.
    pub(crate) fn at(&self, time: SystemTime) -> Result<String, Missing> {
        let mut out = Vec::new();
        self.write(&mut Document::default(), time, &mut out)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }
}

/// Parses the part between `%{` and `}`.
fn part(inner: &str) -> Result<Part, String> {
    if let Some(time) = inner.strip_prefix('+') {
        return pieces(time).map(Part::Time);
    }
    let wrong = || {
        format!(
            "%{{{inner}}} is neither a field nor a time; write %{{[host.name]}}, %{{[host.name]:default}} or \
             %{{+yyyy.MM.dd}}"
        )
    };
    let (path, default) = match inner.split_once("]:") {
        Some((path, default)) => (path, Some(default.to_owned())),
        None => (inner.strip_suffix(']').ok_or_else(wrong)?, None),
    };
    let path = path.strip_prefix('[').ok_or_else(wrong)?.replace("][", ".");
    if path.is_empty() || path.contains(['[', ']']) {
        return Err(wrong());
    }
    Ok(Part::Field(path, default))
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some((letters, piece)) = PIECES.iter().find(|(letters, _)| rest.starts_with(letters))
        {
            pieces.push(*piece);
            rest = rest.get(letters.len()..).unwrap_or_default();
        } else if next.is_ascii_alphabetic() {
            return Err(format!(
                "%{{+{text}}} holds {next}; allowed: yyyy, yy, MM, dd, HH, mm, ss"
            ));
        } else {
            pieces.push(Piece::Literal(next));
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
        }
    }
    Ok(pieces)
}

fn written(pieces: &[Piece], time: SystemTime) -> String {
    // 2019-08-22T20:46:35Z
    let stamp = humantime::format_rfc3339_seconds(time).to_string();
    let cut = |from: usize, to: usize| stamp.get(from..to).unwrap_or_default();
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Year => text.push_str(cut(0, 4)),
            Piece::ShortYear => text.push_str(cut(2, 4)),
            Piece::Month => text.push_str(cut(5, 7)),
            Piece::Day => text.push_str(cut(8, 10)),
            Piece::Hour => text.push_str(cut(11, 13)),
            Piece::Minute => text.push_str(cut(14, 16)),
            Piece::Second => text.push_str(cut(17, 19)),
            Piece::Literal(literal) => text.push(*literal),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn of(format: &str, document: &str) -> Result<String, Missing> {
        let mut out = Vec::new();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_566_506_795);
        let mut document = Document::parse(document.as_bytes()).unwrap();
        Format::parse(format).unwrap().write(&mut document, time, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn fields_and_times_are_filled_in() {
        let document = r#"{"host":{"name":"h","ip":["a"]},"n":{"k":7},"nothing":null}"#;
        for (format, text) in [
            ("plain 100 %", "plain 100 %"),
            ("<%{[host.name]}>", "<h>"),
            ("%{[host][name]}%{[n.k]}", "h7"),
            ("%{[host.ip]}", r#"["a"]"#),
            ("%{[no.such]:none} %{[nothing]:}", "none "),
            ("x-%{+yyyy.MM.dd} %{+yy/HH:mm:ss}", "x-2019.08.22 19/20:46:35"),
        ] {
            assert_eq!(of(format, document).as_deref(), Ok(text), "{format}");
        }
        let error = of("%{[no.such]}", document).unwrap_err();
        assert_eq!(error.to_string(), "the document has no no.such; write %{[no.such]:default}");
    }

    #[test]
    fn mistakes_are_told_with_what_is_allowed() {
        for (format, reason) in [
            ("%{[a]", "has no end"),
            ("%{a}", "write %{[host.name]}"),
            ("%{[]}", "write %{[host.name]}"),
            ("%{[a}", "write %{[host.name]}"),
            ("%{+yyyy.ww}", "holds w; allowed: yyyy"),
        ] {
            let error = Format::parse(format).unwrap_err();
            assert!(error.contains(reason), "{format}: {error}");
        }
    }
}
