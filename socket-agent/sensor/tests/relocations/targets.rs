//! Every relocation, resolved against the kernels that are at hand.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::{self, Write as _},
    path::PathBuf,
};

use btf_rs::Btf;
use sensor::ebpf::{EARLY_OBJECT, OBJECT};

use crate::{
    difference::{BEFORE_5_5, CURRENT, DROPS, Differences, MPTCP, OF_MODULES, OLD_START, RENAMED},
    judge::{self, FieldPosition},
    kernel,
    loader::{Outcome, Programs},
    object::{Kind, relocations},
    table,
    verifier::{self, NotAllowed},
};

/// Compares what the loader makes of the relocations with what the kernel's types say.
fn check(name: &str, target: &[u8], differences: &Differences) {
    let btf = Btf::from_bytes(target).unwrap();
    let positions: BTreeMap<&str, FieldPosition> = table::fields()
        .into_iter()
        .map(|(field, kind)| (field, judge::position(&btf, field, kind)))
        .collect();
    let mut absent: BTreeSet<&str> = positions
        .iter()
        .filter(|(_, position)| **position == FieldPosition::Absent)
        .map(|(field, _)| *field)
        .collect();
    for names in RENAMED {
        let gone = names.into_iter().filter(|name| absent.remove(name)).count();
        assert_eq!(gone, 1, "{name}: exactly one of {names:?} is there");
    }
    absent.retain(|field| !OF_MODULES.contains(field));
    let mut known: BTreeSet<&str> = differences.absent.iter().copied().collect();
    for younger in [&DROPS[..], &MPTCP[..]] {
        if younger.iter().any(|field| absent.contains(field)) {
            known.extend(younger);
        }
    }
    assert_eq!(absent, known, "{name}: absent fields");
    let bits: BTreeSet<&str> = positions
        .iter()
        .filter(|(_, position)| matches!(position, FieldPosition::Bits(_)))
        .map(|(field, _)| *field)
        .collect();
    assert_eq!(bits, differences.bits.iter().copied().collect(), "{name}: bit fields");

    for object in [OBJECT, EARLY_OBJECT] {
        let checked = outcomes(name, object, target, &positions);
        println!("{name}: {checked} relocations agree, {} fields absent", absent.len());
    }
}

/// Compares those of one object; returns how many.
fn outcomes(
    name: &str,
    object: &[u8],
    target: &[u8],
    positions: &BTreeMap<&str, FieldPosition>,
) -> usize {
    let (by_library, programs) =
        (Programs::fitted(object, target), Programs::fitted_by_the_agent(object, target));
    let mut checked = 0;
    for relocation in relocations(object) {
        let position = positions[relocation.field.as_str()];
        let expected = match (relocation.kind, position) {
            (Kind::Exists, position) => {
                Outcome::Value(u64::from(position != FieldPosition::Absent))
            }
            (Kind::Offset, FieldPosition::At(offset)) => Outcome::Value(offset),
            (Kind::Offset, FieldPosition::Bits(bit)) => Outcome::Value(bit / 8),
            (Kind::Offset, FieldPosition::Absent) => {
                // The library leaves what no verifier takes; the agent what the compiler made.
                assert_eq!(by_library.outcome(&relocation), Outcome::Poisoned, "{relocation:?}");
                Outcome::Value(relocation.local)
            }
        };
        assert_eq!(programs.outcome(&relocation), expected, "{name}: {relocation:?}");
        checked += 1;
    }
    checked
}

/// What is known of the kernel that these types are of.
fn differences(target: &[u8]) -> &'static Differences {
    let btf = Btf::from_bytes(target).unwrap();
    match judge::position(&btf, OLD_START, table::Kind::Int) {
        FieldPosition::Absent => &CURRENT,
        _ => &BEFORE_5_5,
    }
}

/// Says why a test cannot do its work here. Not only through `println!`, whose lines the test
/// harness hides.
pub(crate) fn skip(reason: &str) {
    println!("skipped: {reason}");
    let _ = io::stderr().write_all(format!("skipped: {reason}\n").as_bytes());
}

#[test]
fn the_running_kernel() {
    match fs::read(kernel::RUNNING) {
        Ok(target) => check("running kernel", &target, &CURRENT),
        Err(error) => skip(&format!("{}: {error}", kernel::RUNNING)),
    }
}

/// Images that virtual machines are booted from.
#[test]
fn cached_kernels() {
    let folder = env::var_os("SOCKET_KERNELS")
        .map_or_else(|| kernel::workspace("target/kernels"), PathBuf::from);
    let images: Vec<PathBuf> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(|kernel| fs::read_dir(kernel.ok()?.path().join("boot")).ok())
        .flatten()
        .filter_map(|file| Some(file.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("vmlinuz")))
        .collect();
    if images.is_empty() {
        skip(&format!("no kernel in {}; `cargo xtask vm` fetches one", folder.display()));
    }
    for image in images {
        match kernel::of_image(&image) {
            Ok(target) => check(&image.display().to_string(), &target, differences(&target)),
            Err(reason) => skip(&format!("{}: {reason}", image.display())),
        }
    }
}

/// Type information of an old kernel, if it is here.
fn archived(file: &str) -> Option<Vec<u8>> {
    let folder =
        env::var_os("SOCKET_BTF").map_or_else(|| kernel::workspace("../shared/btf"), PathBuf::from);
    let path = folder.join(file);
    if path.exists() {
        return Some(kernel::of_archive(&path));
    }
    skip(&format!("{} is not here", path.display()));
    None
}

const X86_64: &str = "x86_64-4.19.90.btf.tar.xz";
const AARCH64: &str = "aarch64-4.18.0-el8.btf.tar.xz";

#[test]
fn linux_4_19_x86_64() {
    if let Some(target) = archived(X86_64) {
        check("4.19", &target, &BEFORE_5_5);
    }
}

#[test]
fn linux_4_18_aarch64() {
    if let Some(target) = archived(AARCH64) {
        check("4.18", &target, &BEFORE_5_5);
    }
}

#[test]
fn the_verifier_takes_programs_that_lack_fields() {
    let Some(target) = archived(X86_64) else { return };
    match verifier::accepts(&target) {
        Ok(programs) => println!("{programs} programs fitted to 4.19 pass the verifier"),
        Err(NotAllowed(reason)) => skip(&format!("cannot load programs: {reason}; run as root")),
    }
}
