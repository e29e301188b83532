//! A kernel that tells nothing of its types.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context, Result};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

/// File in which a kernel publishes its types.
pub const KERNEL: &str = "/sys/kernel/btf/vmlinux";

/// As what an agent is given the types that are hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// BTF as it is.
    Raw,
    /// Section `.BTF` of an ELF file.
    Elf,
    /// Not at all: the agent has to find out by itself.
    Nothing,
}

impl FromStr for Form {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "raw" => Ok(Self::Raw),
            "elf" => Ok(Self::Elf),
            "nothing" => Ok(Self::Nothing),
            _ => Err("expected raw, elf or nothing".to_owned()),
        }
    }
}

/// Whether the kernel tells its types, and they are not hidden.
pub fn is_published() -> bool {
    fs::metadata(KERNEL).is_ok_and(|file| file.len() > 0)
}

/// Hides the kernel's types from this process and those it starts, and returns a file in `directory`
/// that holds them in this form. The kernel itself goes on using its own.
///
/// Needs `CAP_SYS_ADMIN`, and that no other thread runs yet.
pub fn hide(form: Form, directory: &Path) -> Result<Option<PathBuf>> {
    let types = match fs::read(KERNEL) {
        Ok(types) => types,
        // Nothing is there that would have to be hidden.
        Err(error) if error.kind() == ErrorKind::NotFound && form == Form::Nothing => {
            return Ok(None);
        }
        Err(error) => return Err(error).with_context(|| format!("reading {KERNEL}")),
    };
    let file = directory.join("kernel.btf");
    let content = match form {
        Form::Raw => Some(types),
        Form::Elf => Some(elf(&types)),
        Form::Nothing => None,
    };
    if let Some(content) = &content {
        fs::write(&file, content).with_context(|| format!("writing {}", file.display()))?;
    }
    let empty = directory.join("empty");
    fs::write(&empty, b"").with_context(|| format!("writing {}", empty.display()))?;
    unshare(CloneFlags::CLONE_NEWNS).context("making a mount namespace")?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .context("making mounts private")?;
    mount(Some(&empty), KERNEL, none, MsFlags::MS_BIND, none)
        .with_context(|| format!("hiding {KERNEL}"))?;
    Ok(content.map(|_| file))
}

/// A 64-bit object file of this machine's byte order with one section beside that of names. Source:
/// the ELF-64 object file format.
fn elf(types: &[u8]) -> Vec<u8> {
    const HEADER: u64 = 64;
    const NAMES: &[u8] = b"\0.BTF\0.shstrtab\0";
    let names_at = HEADER + types.len() as u64;
    let table_at = (names_at + NAMES.len() as u64).next_multiple_of(8);
    let order = if cfg!(target_endian = "little") { 1 } else { 2 };
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, order, 1, 0];
    file.resize(16, 0);
    // Relocatable, for no machine in particular.
    [1_u16, 0].iter().for_each(|half| file.extend(half.to_ne_bytes()));
    file.extend(1_u32.to_ne_bytes());
    [0, 0, table_at].iter().for_each(|word| file.extend(word.to_ne_bytes()));
    file.extend(0_u32.to_ne_bytes());
    [64_u16, 0, 0, 64, 3, 2].iter().for_each(|half| file.extend(half.to_ne_bytes()));
    file.extend(types);
    file.extend(NAMES);
    file.resize(table_at as usize, 0);
    for (name, kind, at, length) in
        [(0, 0, 0, 0), (1, 1, HEADER, types.len() as u64), (6, 3, names_at, NAMES.len() as u64)]
    {
        [name, kind].iter().for_each(|word: &u32| file.extend(word.to_ne_bytes()));
        [0, 0, at, length].iter().for_each(|word: &u64| file.extend(word.to_ne_bytes()));
        [0_u32, 0].iter().for_each(|word| file.extend(word.to_ne_bytes()));
        [1_u64, 0].iter().for_each(|word| file.extend(word.to_ne_bytes()));
    }
    file
}

/// Makes the offset of a member wrong by so many bytes, wherever a structure of this name has it.
pub fn misplace(types: &mut [u8], structure: &str, member: &str, bytes: u32) -> Result<()> {
    let header = word(types, 4)?;
    let [start, length, strings] = [8, 12, 16].map(|at| word(types, at).map(|word| word as usize));
    let (start, length) = (header as usize + start?, length?);
    let strings = header as usize + strings?;
    let name = |types: &[u8], offset: usize| -> Vec<u8> {
        let rest = types.get(strings + offset..).unwrap_or_default();
        rest.iter().copied().take_while(|byte| *byte != 0).collect()
    };
    let (mut at, mut found) = (start, 0);
    while at < start + length {
        let (named, info) = (word(types, at)? as usize, word(types, at + 4)?);
        let (kind, count) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
        let members = at + 12;
        // Struct and union have members; the rest is as long as Documentation/bpf/btf.rst says.
        let size = match kind {
            1 | 14 | 17 => 4,
            3 => 12,
            4 | 5 | 15 | 19 => 12 * count,
            6 | 13 => 8 * count,
            _ => 0,
        };
        if kind == 4 && name(types, named) == structure.as_bytes() {
            for place in (members..members + size).step_by(12) {
                if name(types, word(types, place)? as usize) == member.as_bytes() {
                    let moved = word(types, place + 8)? + 8 * bytes;
                    types[place + 8..place + 12].copy_from_slice(&moved.to_ne_bytes());
                    found += 1;
                }
            }
        }
        at = members + size;
    }
    anyhow::ensure!(found > 0, "no {structure} has a {member}");
    Ok(())
}

fn word(types: &[u8], at: usize) -> Result<u32> {
    let bytes = types.get(at..at + 4).context("types that are cut")?;
    Ok(u32::from_ne_bytes(bytes.try_into()?))
}
