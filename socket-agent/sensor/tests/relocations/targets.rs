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
    difference::{BEFORE_5_5, CURRENT, DROPS, Differences, OF_MODULES, RENAMED},
    judge::{self, Place},
    kernel,
    loader::{Outcome, Programs},
    object::{Kind, relocations},
    table,
    verifier::{self, NotAllowed},
};

/// Compares what the loader makes of the relocations with what the kernel's types say.
fn check(name: &str, target: &[u8], differences: &Differences) {
    let btf = Btf::from_bytes(target).unwrap();
    let places: BTreeMap<&str, Place> = table::fields()
        .into_iter()
        .map(|(field, kind)| (field, judge::place(&btf, field, kind)))
        .collect();
    let mut absent: BTreeSet<&str> = places
        .iter()
        .filter(|(_, place)| **place == Place::Absent)
        .map(|(field, _)| *field)
        .collect();
    for names in RENAMED {
        let gone = names.into_iter().filter(|name| absent.remove(name)).count();
        assert_eq!(gone, 1, "{name}: exactly one of {names:?} is there");
    }
    absent.retain(|field| !OF_MODULES.contains(field));
    let younger = DROPS.iter().filter(|field| absent.contains(*field));
    let known =
        differences.absent.iter().chain(if younger.count() == 0 { &[][..] } else { &DROPS });
    assert_eq!(absent, known.copied().collect(), "{name}: absent fields");
    let bits: BTreeSet<&str> = places
        .iter()
        .filter(|(_, place)| matches!(place, Place::Bits(_)))
        .map(|(field, _)| *field)
        .collect();
    let known: BTreeMap<&str, u64> = differences.bits.iter().copied().collect();
    assert_eq!(bits, known.keys().copied().collect(), "{name}: bit fields");

    for object in [OBJECT, EARLY_OBJECT] {
        let checked = outcomes(name, object, target, &places, &known);
        println!("{name}: {checked} relocations agree, {} fields absent", absent.len());
    }
}

/// Compares those of one object; returns how many.
fn outcomes(
    name: &str,
    object: &[u8],
    target: &[u8],
    places: &BTreeMap<&str, Place>,
    known: &BTreeMap<&str, u64>,
) -> usize {
    let programs = Programs::fitted(object, target);
    let mut checked = 0;
    for relocation in relocations(object) {
        let place = places[relocation.field.as_str()];
        let expected = match (relocation.kind, place) {
            (Kind::Exists, place) => Outcome::Value(u64::from(place != Place::Absent)),
            (Kind::Offset, Place::At(offset)) => Outcome::Value(offset),
            (Kind::Offset, Place::Absent) => Outcome::Poisoned,
            (Kind::Offset, Place::Bits(bit)) => {
                // The storage unit begins before the field by what the table says.
                let unit = Outcome::Value(bit / 8 - known[relocation.field.as_str()]);
                assert_eq!(programs.outcome(&relocation), unit, "{name}: {relocation:?}");
                continue;
            }
        };
        assert_eq!(programs.outcome(&relocation), expected, "{name}: {relocation:?}");
        checked += 1;
    }
    checked
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
            Ok(target) => check(&image.display().to_string(), &target, &CURRENT),
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
