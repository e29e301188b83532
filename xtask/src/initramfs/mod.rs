//! The file system that a virtual machine starts from.

mod cpio;

use std::{
    fs,
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::{Context as _, Result};

use self::cpio::Archive;
use crate::kernel::Module;

/// Contents of an initramfs.
pub(crate) struct Contents<'a> {
    pub(crate) init: &'a Path,
    /// Programs and other files: where they are here, and in the guest.
    pub(crate) files: Vec<(&'a Path, &'a str)>,
    pub(crate) modules: &'a [Module],
    pub(crate) commands: &'a [Vec<String>],
}

/// Folders that the first process mounts on, or that programs expect.
const FOLDERS: [&str; 6] = ["dev", "proc", "sys", "tmp", "etc", "root"];

// === impl Contents ===

impl Contents<'_> {
    /// Writes the archive to a file.
    pub(crate) fn write(&self, file: fs::File) -> Result<()> {
        let mut archive = Archive::new(BufWriter::new(file));
        for folder in FOLDERS {
            archive.folder(folder)?;
        }
        // The kernel opens it for the first process, before that can mount anything.
        archive.console()?;
        add_file(&mut archive, self.init, "/init")?;
        for (host, guest) in &self.files {
            add_file(&mut archive, host, guest)?;
        }
        let mut paths = String::new();
        for Module { name, data } in self.modules {
            let path = format!("/vm/modules.d/{name}.ko");
            archive.file(&path, 0o644, data)?;
            paths.push_str(&path);
            paths.push('\n');
        }
        archive.file(vm_init::MODULES, 0o644, paths.as_bytes())?;
        for (number, command) in self.commands.iter().enumerate() {
            let text = vm_init::encode_command(command);
            archive.file(&vm_init::command_file(number), 0o644, text.as_bytes())?;
        }
        archive.finish()?.flush().context("write the initramfs")
    }
}

fn add_file(archive: &mut Archive<impl Write>, host: &Path, guest: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let reading = || format!("read {} for the guest", host.display());
    let mode = fs::metadata(host).with_context(reading)?.permissions().mode();
    archive.file(guest, mode & 0o777, &fs::read(host).with_context(reading)?)
}
