//! The "newc" form of cpio (kernel: Documentation/driver-api/early-userspace/buffer-format.rst).

use std::{collections::HashSet, io::Write};

use anyhow::{Context as _, Result};

const FOLDER: u32 = 0o040_000;
const DEVICE: u32 = 0o020_000;
const FILE: u32 = 0o100_000;

/// Writes members one after the other, and the folders above them by itself.
pub(super) struct Archive<W> {
    to: W,
    inode: u32,
    folders: HashSet<String>,
}

// === impl Archive ===

impl<W: Write> Archive<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to, inode: 0, folders: HashSet::new() }
    }

    /// Adds a folder and those above it, once.
    pub(super) fn folder(&mut self, path: &str) -> Result<()> {
        let path = path.trim_matches('/');
        if path.is_empty() || !self.folders.insert(path.to_owned()) {
            return Ok(());
        }
        self.parents(path)?;
        self.member(path, FOLDER | 0o755, (0, 0), &[])
    }

    /// Adds a file with these permission bits.
    pub(super) fn file(&mut self, path: &str, mode: u32, data: &[u8]) -> Result<()> {
        let path = path.trim_matches('/');
        self.parents(path)?;
        self.member(path, FILE | mode, (0, 0), data)
    }

    /// Adds /dev/console.
    pub(super) fn console(&mut self) -> Result<()> {
        self.folder("dev")?;
        self.member("dev/console", DEVICE | 0o600, (5, 1), &[])
    }

    /// Ends the archive.
    pub(super) fn finish(mut self) -> Result<W> {
        self.member("TRAILER!!!", 0, (0, 0), &[])?;
        Ok(self.to)
    }

    fn parents(&mut self, path: &str) -> Result<()> {
        path.rsplit_once('/').map_or(Ok(()), |(above, _)| self.folder(above))
    }

    fn member(&mut self, path: &str, mode: u32, device: (u32, u32), data: &[u8]) -> Result<()> {
        self.inode += 1;
        let size = u32::try_from(data.len()).with_context(|| format!("{path} is too large"))?;
        let name_size = path.len() as u32 + 1;
        let fields = [self.inode, mode, 0, 0, 1, 0, size, 0, 0, device.0, device.1, name_size, 0];
        let mut header = String::from("070701");
        for field in fields {
            header.push_str(&format!("{field:08X}"));
        }
        header.push_str(path);
        header.push('\0');
        self.padded(header.as_bytes())?;
        self.padded(data)
    }

    /// Header and data each end on a multiple of four.
    fn padded(&mut self, data: &[u8]) -> Result<()> {
        let padding = data.len().next_multiple_of(4) - data.len();
        self.to.write_all(data).context("write the initramfs")?;
        self.to.write_all(&[0; 3][..padding]).context("write the initramfs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_aligned_and_folders_come_first_and_once() {
        let mut archive = Archive::new(Vec::new());
        archive.file("/a/b/one", 0o755, b"12345").unwrap();
        archive.file("a/b/two", 0o644, b"").unwrap();
        let bytes = archive.finish().unwrap();

        let mut names = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            assert_eq!(&bytes[at..at + 6], b"070701");
            let field = |number: usize| {
                let digits = &bytes[at + 6 + number * 8..at + 14 + number * 8];
                usize::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap()
            };
            let (mode, size, name_size) = (field(1), field(6), field(11));
            let name = std::str::from_utf8(&bytes[at + 110..at + 110 + name_size - 1]).unwrap();
            names.push((name.to_owned(), mode, size));
            at = (at + 110 + name_size).next_multiple_of(4);
            at = (at + size).next_multiple_of(4);
        }
        let wanted = [
            ("a", 0o040_755, 0),
            ("a/b", 0o040_755, 0),
            ("a/b/one", 0o100_755, 5),
            ("a/b/two", 0o100_644, 0),
            ("TRAILER!!!", 0, 0),
        ];
        assert_eq!(names, wanted.map(|(name, mode, size)| (name.to_owned(), mode, size)));
    }
}
