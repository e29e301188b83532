//! Facts that a module contains about itself.

use object::{
    ObjectSection as _,
    read::elf::{ElfFile32, ElfFile64},
};

use anyhow::{Context as _, Result, bail};

/// Names of the modules that the module in `data` depends on, as the kernel spells them.
pub(super) fn dependencies(data: &[u8]) -> Result<Vec<String>> {
    let section = match data.get(4) {
        Some(1) => info(&ElfFile32::<object::Endianness>::parse(data).context("parse the module")?),
        Some(2) => info(&ElfFile64::<object::Endianness>::parse(data).context("parse the module")?),
        _ => bail!("the module is no ELF file"),
    };
    let section = section.context("the module has no section .modinfo")?;
    Ok(depends(&section))
}

fn info<'data>(file: &impl object::Object<'data>) -> Option<Vec<u8>> {
    file.section_by_name(".modinfo").and_then(|section| section.data().ok().map(<[u8]>::to_vec))
}

fn depends(section: &[u8]) -> Vec<String> {
    section
        .split(|&byte| byte == 0)
        .filter_map(|entry| entry.strip_prefix(b"depends="))
        .flat_map(|names| names.split(|&byte| byte == b','))
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_list() {
        assert_eq!(
            depends(b"license=GPL\0depends=inet_diag,udp\0\0name=x\0"),
            ["inet_diag", "udp"]
        );
        assert!(depends(b"depends=\0name=x\0").is_empty());
    }

    #[test]
    fn refuses_what_is_no_module() {
        assert!(dependencies(b"#!/bin/sh").is_err());
        assert!(dependencies(b"").is_err());
    }
}
