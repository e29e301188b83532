//! The object as it is, whatever the kernel.

use std::collections::{BTreeMap, BTreeSet};

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionKind};
use sensor::ebpf::{EARLY_OBJECT, OBJECT};

use crate::{
    elf,
    limits::LARGEST,
    loader,
    object::{Kind, relocations},
    table,
};

/// Fields of the table that no program reads. They cost nothing, and are to go or to be used.
const UNUSED: &[&str] = &[];

#[test]
fn relocations_name_exactly_the_fields_of_the_table() {
    let table: BTreeSet<String> = table::fields().into_keys().map(str::to_owned).collect();
    let used = |kind| -> BTreeSet<String> {
        let all = relocations(OBJECT).into_iter();
        all.filter(|relocation| relocation.kind == kind).map(|found| found.field).collect()
    };
    let (offsets, exists) = (used(Kind::Offset), used(Kind::Exists));
    assert_eq!(offsets, exists, "each field is read where it is known to exist");
    assert_eq!(offsets.difference(&table).count(), 0, "a field that is not in relocations.txt");
    let unused: Vec<&str> = table.difference(&offsets).map(String::as_str).collect();
    assert_eq!(unused, UNUSED, "fields of relocations.txt that no program reads");
}

/// An accessor that LLVM had merged with that of another field would leave an instruction that holds
/// the value of one of them, or none.
#[test]
fn each_relocation_stands_at_an_instruction_that_holds_its_value() {
    for object in [OBJECT, EARLY_OBJECT] {
        let program = loader::Programs::parse(object);
        let mut places = BTreeSet::new();
        for relocation in relocations(object) {
            let place = (relocation.section_index, relocation.at);
            assert!(places.insert(place), "two relocations of one instruction: {relocation:?}");
            assert_eq!(program.immediate(&relocation), Some(relocation.local), "{relocation:?}");
        }
        assert!(!places.is_empty());
    }
}

/// Whether these exist is of interest where they are not read: `flow/late.rs`.
const ASKED_FOR: [&str; 1] = ["net_device.nd_net"];

/// The accessors look whether a field exists before they use its offset, in the same program.
#[test]
fn every_program_that_uses_an_offset_asks_whether_it_exists() {
    let mut by_program: BTreeMap<(String, String), BTreeMap<Kind, u32>> = BTreeMap::new();
    for object in [OBJECT, EARLY_OBJECT] {
        let programs = loader::Programs::parse(object);
        for relocation in relocations(object) {
            let program = programs.function(&relocation).name.clone();
            let kinds = by_program.entry((program, relocation.field)).or_default();
            *kinds.entry(relocation.kind).or_default() += 1;
        }
    }
    for ((program, field), kinds) in by_program {
        let used = kinds.contains_key(&Kind::Offset) || ASKED_FOR.contains(&field.as_str());
        assert!(used, "{program}: {field}: only asked for");
        assert!(kinds.contains_key(&Kind::Exists), "{program}: {field}: not asked for");
    }
}

/// A global of an accessor that is still a symbol is a load the back end made no relocation of.
#[test]
fn nothing_is_left_to_link() {
    for object in [OBJECT, EARLY_OBJECT] {
        let file = elf::parse(object);
        let undefined: Vec<&str> = file
            .symbols()
            .filter(|symbol| symbol.is_undefined())
            .filter_map(|symbol| symbol.name().ok())
            .filter(|name| !name.is_empty())
            .collect();
        assert!(undefined.is_empty(), "{undefined:?}");
    }
}

/// Kernels before 5.2 know no global data. Nor do the programs for old kernels call a function of the compiler's
/// run-time library: each would be a loop, which kernels before 5.3 refuse, and a call, which kernels before 4.16
/// do not know.
#[test]
fn programs_refer_to_no_data_but_maps() {
    assert_eq!(called(OBJECT), BTreeSet::from(["memset".to_owned()]));
    assert_eq!(called(EARLY_OBJECT), BTreeSet::new());
}

/// Functions that programs call; all else that they refer to is a map.
fn called(object: &[u8]) -> BTreeSet<String> {
    let file = elf::parse(object);
    for section in file.sections() {
        let name = section.name().unwrap();
        let data = [".data", ".rodata", ".bss"].iter().any(|data| name.starts_with(data));
        assert!(!data || section.size() == 0, "{name} holds {} bytes", section.size());
    }
    let maps = file.section_by_name("maps").unwrap().index();
    let functions = file.section_by_name(".text").map(|section| section.index());
    let mut called = BTreeSet::new();
    for section in file.sections().filter(|section| section.kind() == SectionKind::Text) {
        let name = section.name().unwrap();
        for (at, relocation) in section.relocations() {
            let object::RelocationTarget::Symbol(index) = relocation.target() else {
                panic!("{name}: {at:#x}: {relocation:?}")
            };
            let symbol = file.symbol_by_index(index).unwrap();
            let target = symbol.name().unwrap();
            let place = symbol.section_index();
            if functions.is_some() && place == functions {
                called.insert(target.to_owned());
            } else {
                assert_eq!(place, Some(maps), "{name}: {at:#x}: {target} is no map");
            }
        }
    }
    called
}

#[test]
fn programs_are_of_bounded_size() {
    for object in [OBJECT, EARLY_OBJECT] {
        print_sizes(object);
    }
}

fn print_sizes(object: &[u8]) {
    let programs = loader::Programs::parse(object);
    let relocations = relocations(object);
    println!("{:>12} {:>11} program", "instructions", "relocations");
    for function in programs.all() {
        let own = relocations
            .iter()
            .filter(|relocation| programs.function(relocation).name == function.name)
            .count();
        let instructions = function.instructions.len();
        println!("{instructions:>12} {own:>11} {}", function.name);
        assert!(instructions <= LARGEST, "{}: {instructions} instructions", function.name);
    }
    println!("{:>12} {:>11} all", "", relocations.len());
}
