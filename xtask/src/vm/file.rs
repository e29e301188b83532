//! Files that a guest gets from its host.

use std::{path::PathBuf, str::FromStr};

use anyhow::{Result, bail};

/// HOST:GUEST of the option `--file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SharedFile {
    pub(crate) host: PathBuf,
    /// An absolute path.
    pub(crate) guest: String,
}

// === impl SharedFile ===

impl SharedFile {
    /// Checks that the file is there.
    pub(crate) fn check(&self) -> Result<()> {
        if self.host.is_file() {
            return Ok(());
        }
        bail!("--file: there is no file {}", self.host.display());
    }
}

impl FromStr for SharedFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.rsplit_once(':') {
            Some((host, guest))
                if !host.is_empty() && guest.len() > 1 && guest.starts_with('/') =>
            {
                Ok(Self { host: host.into(), guest: guest.to_owned() })
            }
            _ => Err("expected HOST:GUEST with an absolute path in the guest".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guest_path_is_the_part_after_the_last_colon() {
        let file: SharedFile = "a:b:/etc/c".parse().unwrap();
        assert_eq!(file, SharedFile { host: "a:b".into(), guest: "/etc/c".into() });
        for wrong in ["a", "a:b", ":/b", "a:", "a:/"] {
            assert!(wrong.parse::<SharedFile>().is_err(), "{wrong}");
        }
    }
}
