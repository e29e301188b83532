//! `host.os`: the distribution.

use std::{fs, path::Path};

use serde::Serialize;

/// Distributions by the family they descend from, as os-release names them in `ID` and `ID_LIKE`.
const FAMILIES: [(&str, &[&str]); 5] = [
    ("debian", &["debian", "ubuntu", "raspbian", "linuxmint"]),
    (
        "redhat",
        &[
            "rhel",
            "fedora",
            "centos",
            "rocky",
            "almalinux",
            "ol",
            "amzn",
            "scientific",
            "openeuler",
            "redhat",
        ],
    ),
    ("suse", &["suse", "sles", "opensuse", "opensuse-leap", "opensuse-tumbleweed"]),
    ("arch", &["arch", "archarm", "manjaro"]),
    ("alpine", &["alpine"]),
];

/// The operating system. Fields that it does not tell are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Os {
    /// `Debian GNU/Linux`.
    pub name: String,
    /// Release of the running kernel.
    pub kernel: String,
    /// `bookworm`; not in ECS, but in the documents of Beats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codename: Option<String>,
    /// `debian`, `ubuntu`, `rhel`, ...
    pub platform: String,
    /// `12 (bookworm)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `debian`, `redhat`, `suse`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<&'static str>,
    /// `linux`.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

impl Os {
    /// Of the system with this root directory.
    pub fn read(root: &Path, kernel: String) -> Self {
        let text = fs::read_to_string(root.join("etc/os-release"))
            .or_else(|_| fs::read_to_string(root.join("usr/lib/os-release")));
        Self::parse(&text.unwrap_or_default(), kernel)
    }

    /// Reads an os-release file. Source, with the defaults: os-release(5).
    fn parse(text: &str, kernel: String) -> Self {
        let value = |key: &str| {
            let line = text.lines().rev().find_map(|line| line.trim().strip_prefix(key));
            line.map(unquote).filter(|value| !value.is_empty())
        };
        let version = value("VERSION=").or_else(|| value("VERSION_ID="));
        let codename = value("VERSION_CODENAME=").or_else(|| {
            let (_, rest) = version.as_deref()?.split_once('(')?;
            Some(rest.split_once(')')?.0.to_owned())
        });
        let platform = value("ID=").unwrap_or_else(|| "linux".to_owned());
        let like = value("ID_LIKE=").unwrap_or_default();
        let family = std::iter::once(platform.as_str())
            .chain(like.split_ascii_whitespace())
            .find_map(|id| FAMILIES.iter().find(|(_, ids)| ids.contains(&id)))
            .map(|(family, _)| *family);
        Self {
            name: value("NAME=").unwrap_or_else(|| "Linux".to_owned()),
            kernel,
            codename,
            platform,
            version,
            family,
            kind: "linux",
        }
    }
}

/// Values are quoted as in a shell.
fn unquote(value: &str) -> String {
    let value = value.trim();
    if let Some(inner) = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return inner.to_owned();
    }
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    let mut text = String::with_capacity(inner.len());
    let mut escaped = false;
    for letter in inner.chars() {
        if letter == '\\' && !escaped {
            escaped = true;
        } else {
            text.push(letter);
            escaped = false;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Os {
        Os::parse(text, "6.1.0".to_owned())
    }

    #[test]
    fn distributions() {
        let debian = parse(
            "PRETTY_NAME=\"Debian GNU/Linux 9 (stretch)\"\nNAME=\"Debian GNU/Linux\"\n\
             VERSION_ID=\"9\"\nVERSION=\"9 (stretch)\"\nID=debian\n",
        );
        assert_eq!(debian.name, "Debian GNU/Linux");
        assert_eq!(debian.version.as_deref(), Some("9 (stretch)"));
        assert_eq!(debian.codename.as_deref(), Some("stretch"));
        assert_eq!((debian.platform.as_str(), debian.family), ("debian", Some("debian")));

        let rocky = parse("NAME='Rocky Linux'\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n");
        assert_eq!((rocky.name.as_str(), rocky.family), ("Rocky Linux", Some("redhat")));
        let derived = parse("ID=pop\nID_LIKE=\"ubuntu debian\"\nVERSION_CODENAME=jammy\n");
        assert_eq!((derived.platform.as_str(), derived.family), ("pop", Some("debian")));
        assert_eq!(derived.codename.as_deref(), Some("jammy"));
        let alpine = parse("ID=alpine\nVERSION_ID=3.20.1\n");
        assert_eq!(alpine.version.as_deref(), Some("3.20.1"));
        assert_eq!((alpine.codename, alpine.family), (None, Some("alpine")));
    }

    #[test]
    fn nothing_and_nonsense() {
        for text in ["", "garbage\n=\n\"\n", "NAME=\nID=\n"] {
            let os = parse(text);
            assert_eq!((os.name.as_str(), os.platform.as_str()), ("Linux", "linux"), "{text:?}");
            assert_eq!((os.version, os.codename, os.family), (None, None, None), "{text:?}");
        }
        assert_eq!(parse("NAME=\"a \\\"b\\\" \\\\ c\"").name, "a \"b\" \\ c");
    }
}
