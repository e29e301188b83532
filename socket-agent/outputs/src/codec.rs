//! Codecs: forms of a document as a line.

use std::time::SystemTime;

use config::rows::{Kind, Setting, used};
use ecs::{Document, Value};

use crate::{Wrong, format::Format};

/// `codec` of an output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CodecOptions {
    pub(crate) pretty: bool,
    pub(crate) escape_html: bool,
    pub(crate) format: Option<String>,
}

/// A way to write documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// Documents as they are: JSON on one line.
    Plain,
    /// JSON with changes.
    Json { pretty: bool, escape_html: bool },
    /// A text.
    Format(Format),
}

// === impl CodecOptions ===

impl CodecOptions {
    /// The codec they ask for.
    pub(crate) fn codec(&self) -> Result<Codec, Wrong> {
        let Self { pretty, escape_html, format } = self;
        let key = "codec.format.string";
        let Some(format) = format else {
            return Ok(match (pretty, escape_html) {
                (false, false) => Codec::Plain,
                (pretty, escape_html) => Codec::Json { pretty: *pretty, escape_html: *escape_html },
            });
        };
        if *pretty || *escape_html {
            let reason = "codec.json and codec.format are both set; keep one".to_owned();
            return Err(Wrong { key, reason });
        }
        let format = Format::parse(format);
        format.map(Codec::Format).map_err(|reason| Wrong { key, reason })
    }
}

// === impl Codec ===

impl Codec {
    /// Appends a document, without its line feed, that is given as JSON on one line.
    ///
    /// # Errors
    ///
    /// Why it cannot be written.
    pub(crate) fn write(&self, document: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Self::Plain => out.extend_from_slice(document),
            Self::Json { pretty: true, escape_html } => indent(document, *escape_html, out),
            Self::Json { pretty: false, escape_html } => {
                document.iter().for_each(|byte| push(*byte, *escape_html, out));
            }
            Self::Format(format) => {
                let mut document = Document::parse(document).map_err(|error| error.to_string())?;
                let time = time_of(&mut document);
                format.write(&mut document, time, out).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }
}

/// `@timestamp`, or the epoch.
pub(crate) fn time_of(document: &mut Document) -> SystemTime {
    let stamp = document.get("@timestamp").and_then(Value::as_str);
    stamp
        .and_then(|stamp| humantime::parse_rfc3339_weak(stamp).ok())
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// These characters can only be in strings.
fn push(byte: u8, escape_html: bool, out: &mut Vec<u8>) {
    match byte {
        b'<' if escape_html => out.extend_from_slice(b"\\u003c"),
        b'>' if escape_html => out.extend_from_slice(b"\\u003e"),
        b'&' if escape_html => out.extend_from_slice(b"\\u0026"),
        byte => out.push(byte),
    }
}

/// Writes JSON over several lines.
fn indent(json: &[u8], escape_html: bool, out: &mut Vec<u8>) {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let line = |depth: usize, out: &mut Vec<u8>| {
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b' ', 2 * depth));
    };
    for (index, byte) in json.iter().copied().enumerate() {
        if in_string {
            push(byte, escape_html, out);
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => {
                in_string = true;
                out.push(byte);
            }
            b'{' | b'[' => {
                out.push(byte);
                let empty = matches!(json.get(index + 1), Some(b'}' | b']'));
                if !empty {
                    depth += 1;
                    line(depth, out);
                }
            }
            b'}' | b']' => {
                let empty = index.checked_sub(1).and_then(|before| json.get(before));
                if !matches!(empty, Some(b'{' | b'[')) {
                    depth = depth.saturating_sub(1);
                    line(depth, out);
                }
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                line(depth, out);
            }
            b':' => out.extend_from_slice(b": "),
            byte => out.push(byte),
        }
    }
}

/// Options that hold [`CodecOptions`].
pub(crate) trait HasCodec {
    fn codec(&mut self) -> &mut CodecOptions;
}

/// A row for [`CodecOptions::pretty`].
pub(crate) const fn pretty<T: HasCodec>(key: &'static str) -> Setting<T> {
    used(
        key,
        "false",
        Kind::Switch(|c, v| c.codec().pretty = v),
        "Whether documents take several lines.",
    )
}

/// A row for [`CodecOptions::escape_html`].
pub(crate) const fn escape_html<T: HasCodec>(key: &'static str) -> Setting<T> {
    used(
        key,
        "false",
        Kind::Switch(|c, v| c.codec().escape_html = v),
        "Whether <, > and & are written as \\u003c, \\u003e and \\u0026.",
    )
}

/// A row for [`CodecOptions::format`].
pub(crate) const fn format<T: HasCodec>(key: &'static str) -> Setting<T> {
    used(
        key,
        "",
        Kind::Text(|c, v| c.codec().format = Some(v.to_owned())),
        "Text that is written for a document in place of JSON, such as %{[source.ip]} %{[process.name]:-} %{+HH:mm:ss}.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(options: &CodecOptions, document: &str) -> String {
        let mut out = Vec::new();
        options.codec().unwrap().write(document.as_bytes(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn pretty_json_is_the_same_document() {
        let document = r#"{"a":{"b":[1,"x\\\"{,:}",[]],"c":{}},"d":"<&>","e":-1.5,"f":null}"#;
        let pretty = CodecOptions { pretty: true, escape_html: true, format: None };
        let text = written(&pretty, document);
        let value: serde_json::Value = serde_json::from_str(document).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        assert_eq!(
            text.replace("\\u003c\\u0026\\u003e", "<&>"),
            serde_json::to_string_pretty(&value).unwrap()
        );
        let escaped = CodecOptions { escape_html: true, ..CodecOptions::default() };
        assert!(written(&escaped, document).contains(r#""d":"\u003c\u0026\u003e","#));
        assert_eq!(written(&CodecOptions::default(), document), document);
    }

    #[test]
    fn a_format_takes_time_and_fields_of_the_document() {
        let format = Some("%{+yyyy-MM-dd} %{[a.b]}".to_owned());
        let options = CodecOptions { format, ..CodecOptions::default() };
        let document = r#"{"@timestamp":"2026-11-30T13:58:23.717Z","a":{"b":"c"}}"#;
        assert_eq!(written(&options, document), "2026-11-30 c");
        let error = options.codec().unwrap().write(b"{}", &mut Vec::new()).unwrap_err();
        assert!(error.contains("no a.b"), "{error}");
        let both = CodecOptions { pretty: true, ..options };
        assert!(both.codec().unwrap_err().reason.contains("keep one"));
    }
}
