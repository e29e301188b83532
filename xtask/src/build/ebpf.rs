//! The eBPF objects: one for kernels with ring buffers, one for older ones.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use object::build::elf;

use crate::{
    command, linker,
    paths::Paths,
    pins::Pins,
    toolchain::{self, Toolchain},
};

/// Name of the crate and of the program it builds.
const CRATE: &str = "socket-ebpf";

/// What the object for kernels before 5.8 is built with.
const EARLY: [&str; 2] = ["--features", "perf"];

/// What the object of programs that log is built with.
const LOG: [&str; 2] = ["--features", "log"];

/// Where objects go, and where they are built.
struct BuildPaths {
    build: PathBuf,
    object: PathBuf,
    early_object: PathBuf,
}

/// Builds the objects, for kernels of an architecture or of this machine's, into the places where the
/// agent's build looks for them.
pub(crate) fn objects(paths: &Paths, pins: &Pins, arch: Option<&str>) -> Result<()> {
    let compiler = toolchain::ensure(paths, pins)?;
    let build_paths = BuildPaths {
        build: paths.ebpf(arch),
        object: paths.object(arch),
        early_object: paths.early_object(arch),
    };
    build(paths, pins, &compiler, &build_paths, &[], arch)
}

/// As [`objects`], but with programs that log, in an object of its own.
pub(crate) fn log_objects(paths: &Paths, pins: &Pins, arch: Option<&str>) -> Result<()> {
    let compiler = toolchain::ensure(paths, pins)?;
    let build_paths = BuildPaths {
        build: paths.ebpf(arch),
        object: paths.log_object(arch),
        early_object: paths.early_object(arch),
    };
    build(paths, pins, &compiler, &build_paths, &LOG, arch)
}

/// Builds the objects by another compiler than the one whose objects the agent embeds, for tests; into a folder
/// for each.
pub(crate) fn objects_of(
    paths: &Paths,
    pins: &Pins,
    compiler: &Toolchain,
    to: &Path,
) -> Result<()> {
    let build_paths = BuildPaths {
        build: to.join("build"),
        object: to.join("socket-ebpf.o"),
        early_object: to.join("socket-ebpf-early.o"),
    };
    build(paths, pins, compiler, &build_paths, &[], None)
}

fn build(
    paths: &Paths,
    pins: &Pins,
    compiler: &Toolchain,
    build_paths: &BuildPaths,
    features: &[&str],
    arch: Option<&str>,
) -> Result<()> {
    let linker = linker::ensure(paths, pins)?;
    let built = build_paths.build.join(&pins.ebpf.target).join("release").join(CRATE);
    for (features, to) in [(&EARLY[..], &build_paths.early_object), (features, &build_paths.object)]
    {
        let mut cargo = compiler.cargo();
        let build = configure(cargo.arg("build"), paths, pins, &linker, arch)?;
        build.env("CARGO_TARGET_DIR", &build_paths.build).args(features);
        command::run(build).context("build the eBPF objects")?;
        let object = fs::read(&built).with_context(|| format!("read {}", built.display()))?;
        let object = without_debug(&object).with_context(|| {
            format!("{} is no object file; remove it and build again", built.display())
        })?;
        replace(&object, to)?;
    }
    Ok(())
}

/// Leaves out what only a debugger reads, nine tenths of the object: it would be part of the agent, and
/// of its memory. Types, lines and relocations stay, in `.BTF` and `.BTF.ext`.
fn without_debug(object: &[u8]) -> Result<Vec<u8>> {
    let mut builder = elf::Builder::read(object).context("read the object file")?;
    for section in &mut builder.sections {
        let name = section.name.as_slice();
        section.delete = name.starts_with(b".debug_") || name.starts_with(b".rel.debug_");
    }
    builder.delete_orphans();
    // LLVM keeps the names of sections among those of symbols.
    let is_names = |data: &elf::SectionData<'_>| matches!(data, elf::SectionData::SectionString);
    if !builder.sections.iter().any(|section| is_names(&section.data)) {
        let names = builder.sections.add();
        names.name = ".shstrtab".into();
        names.sh_type = object::elf::SHT_STRTAB;
        names.sh_addralign = 1;
        names.data = elf::SectionData::SectionString;
    }
    let mut stripped = Vec::new();
    builder.write(&mut stripped).context("write the object file")?;
    Ok(stripped)
}

/// Checks the eBPF programs with the linter of their compiler.
pub(crate) fn clippy(paths: &Paths, pins: &Pins) -> Result<()> {
    let compiler = toolchain::ensure(paths, pins)?;
    toolchain::ensure_clippy(paths, pins, &compiler)?;
    let linker = linker::ensure(paths, pins)?;
    for features in [&EARLY[..], &LOG, &[]] {
        let mut clippy = compiler.clippy();
        let clippy = configure(&mut clippy, paths, pins, &linker, None)?.args(features);
        command::run(clippy.args(["--", "-D", "warnings"]))?;
    }
    Ok(())
}

/// Options that go to every command on the eBPF crate.
fn configure<'a>(
    cargo: &'a mut Command,
    paths: &Paths,
    pins: &Pins,
    linker: &Path,
    arch: Option<&str>,
) -> Result<&'a mut Command> {
    let linker = linker.to_str().context("the path of the workspace is not UTF-8")?;
    // Types and lines are what BTF, and with it every relocation, is made from.
    let mut flags =
        vec![format!("-Clinker={linker}"), "-Clink-arg=--btf".into(), "-Cdebuginfo=2".into()];
    // Which registers hold the arguments of a function; unless it is told, that of this machine.
    flags.extend(arch.map(|arch| format!("--cfg=bpf_target_arch=\"{arch}\"")));
    Ok(cargo
        .args(["--release", "-Zbuild-std=core", "--target", &pins.ebpf.target])
        .current_dir(paths.root().join(CRATE))
        .env("CARGO_TARGET_DIR", paths.ebpf(arch))
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")))
}

/// Writes a file unless it is the same: the agent is built anew whenever its object is newer.
fn replace(new: &[u8], to: &Path) -> Result<()> {
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    fs::write(to, new).with_context(|| format!("write {}", to.display()))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn an_equal_object_keeps_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("to");
        replace(b"1", &to).unwrap();
        let past = SystemTime::UNIX_EPOCH;
        fs::File::open(&to).unwrap().set_modified(past).unwrap();

        replace(b"1", &to).unwrap();
        assert_eq!(fs::metadata(&to).unwrap().modified().unwrap(), past);

        replace(b"2", &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"2");
    }

    #[test]
    fn debug_sections_are_left_out_and_others_stay() {
        let mut builder = elf::Builder::new(object::Endianness::Little, true);
        builder.header.e_machine = object::elf::EM_BPF;
        for name in [".shstrtab", ".BTF", ".debug_info"] {
            let section = builder.sections.add();
            section.name = name.into();
            let names = name == ".shstrtab";
            section.sh_type =
                if names { object::elf::SHT_STRTAB } else { object::elf::SHT_PROGBITS };
            section.data = if names {
                elf::SectionData::SectionString
            } else {
                elf::SectionData::Data(b"data".as_slice().into())
            };
        }
        let mut whole = Vec::new();
        builder.write(&mut whole).unwrap();

        let stripped = without_debug(&whole).unwrap();
        let has = |object: &[u8], name: &[u8]| object.windows(name.len()).any(|part| part == name);
        assert!(has(&whole, b".debug_info") && !has(&stripped, b".debug_info"));
        assert!(has(&stripped, b".BTF") && stripped.len() < whole.len());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert!(without_debug(b"BC\xc0\xde").is_err());
    }
}
