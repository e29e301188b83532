//! Types of fields, and the JSON values that they admit.

use std::net::IpAddr;

use serde_json::Value;

/// A type of Elasticsearch that the schema uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Date,
    Float,
    Ip,
    Keyword,
    Long,
    /// Fields below it may be in the schema.
    Object,
    /// Any JSON at all.
    Flattened,
}

/// Every name a type has in the schema; those that JSON does not distinguish are one here.
const NAMES: [(&str, Kind); 16] = [
    ("boolean", Kind::Boolean),
    ("date", Kind::Date),
    ("double", Kind::Float),
    ("float", Kind::Float),
    ("scaled_float", Kind::Float),
    ("ip", Kind::Ip),
    ("constant_keyword", Kind::Keyword),
    ("keyword", Kind::Keyword),
    ("match_only_text", Kind::Keyword),
    ("wildcard", Kind::Keyword),
    ("integer", Kind::Long),
    ("long", Kind::Long),
    ("flattened", Kind::Flattened),
    ("geo_point", Kind::Flattened),
    ("nested", Kind::Object),
    ("object", Kind::Object),
];

impl Kind {
    pub(super) fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Float => "float",
            Self::Ip => "ip",
            Self::Keyword => "keyword",
            Self::Long => "long",
            Self::Object => "object",
            Self::Flattened => "flattened",
        }
    }

    pub(super) const fn is_object(self) -> bool {
        matches!(self, Self::Object)
    }

    pub(super) fn admits(self, value: &Value) -> bool {
        match self {
            Self::Boolean => value.is_boolean(),
            Self::Date => value.as_str().is_some_and(is_date),
            Self::Float => value.is_number(),
            Self::Ip => value.as_str().is_some_and(|text| text.parse::<IpAddr>().is_ok()),
            Self::Keyword => value.is_string(),
            Self::Long => value.is_i64(),
            Self::Object => value.is_object(),
            Self::Flattened => true,
        }
    }
}

/// RFC 3339 in UTC with at most nanoseconds: `2019-08-22T20:46:40.173Z`.
fn is_date(text: &str) -> bool {
    let Some((seconds, fraction)) = text.strip_suffix('Z').map(|text| match text.split_once('.') {
        Some((seconds, fraction)) => (seconds, Some(fraction)),
        None => (text, None),
    }) else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let shape = seconds.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    let number = |range: std::ops::Range<usize>| {
        seconds.get(range).and_then(|text| text.parse::<u32>().ok()).unwrap_or(99)
    };
    shape.eq(*b"0000-00-00T00:00:00")
        && fraction.is_none_or(|fraction| digits(fraction) && fraction.len() <= 9)
        && (1..=12).contains(&number(5..7))
        && (1..=31).contains(&number(8..10))
        && number(11..13) < 24
        && number(14..16) < 60
        && number(17..19) <= 60
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for good in
            ["2019-08-22T20:46:40Z", "2019-08-22T20:46:40.1Z", "2024-02-29T23:59:60.123456789Z"]
        {
            assert!(is_date(good), "{good}");
        }
        for bad in [
            "",
            "Z",
            "2019-08-22",
            "2019-08-22T20:46:40",
            "2019-08-22T20:46:40+02:00",
            "2019-08-22 20:46:40Z",
            "2019-13-22T20:46:40Z",
            "2019-08-22T24:46:40Z",
            "2019-08-22T20:46:40.Z",
            "2019-08-22T20:46:40.1234567890Z",
            "19-08-22T20:46:40Z",
        ] {
            assert!(!is_date(bad), "{bad}");
        }
    }
}
