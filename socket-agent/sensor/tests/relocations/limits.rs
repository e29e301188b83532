//! What kernels ask of programs that no kernel at hand asks any more.
//!
//! Source: `kernel/bpf/verifier.c` of 4.14 to 5.8, `include/uapi/linux/bpf.h`.

use std::collections::BTreeSet;

use aya_obj::generated::bpf_insn;
use sensor::{
    HookSet,
    ebpf::{EARLY_OBJECT, Hook, OBJECT, Program, early, hooks},
};

use crate::{
    compilers,
    loader::{LOAD_IMMEDIATE, Programs},
};

/// A kernel, major and minor number.
type Version = (u32, u32);

/// Most instructions that kernels before 5.2 take.
pub(crate) const LARGEST: usize = 4096;
/// What programs for such kernels stay below, so that another compiler builds them as well.
const LARGEST_EARLY: usize = LARGEST * 9 / 10;
/// `BPF_JMP` and `BPF_JMP32`, the lower three bits of the code.
const JUMPS: [u8; 2] = [0x05, 0x06];
/// `BPF_CALL`, `BPF_EXIT` and `BPF_JA`, the upper four bits.
const CALL: u8 = 0x80;
const EXIT: u8 = 0x90;
const ALWAYS: u8 = 0x00;
/// `BPF_PSEUDO_CALL`: not a helper but a function of the program.
const PSEUDO_CALL: u8 = 1;

/// The helpers that programs use, and the first kernel with each.
const HELPERS: [(i32, &str, Version); 19] = [
    (1, "map_lookup_elem", (3, 19)),
    (2, "map_update_elem", (3, 19)),
    (3, "map_delete_elem", (3, 19)),
    (5, "ktime_get_ns", (4, 1)),
    (8, "get_smp_processor_id", (4, 1)),
    (25, "perf_event_output", (4, 4)),
    (26, "skb_load_bytes", (4, 5)),
    (35, "get_current_task", (4, 8)),
    (59, "sock_ops_cb_flags_set", (4, 16)),
    // The loader puts `probe_read` (4.1) in their place where a kernel does not know them.
    (112, "probe_read_user", (4, 1)),
    (113, "probe_read_kernel", (4, 1)),
    (115, "probe_read_kernel_str", (4, 11)),
    (125, "ktime_get_boot_ns", (5, 8)),
    (130, "ringbuf_output", (5, 8)),
    (131, "ringbuf_reserve", (5, 8)),
    (132, "ringbuf_submit", (5, 8)),
    (133, "ringbuf_discard", (5, 8)),
    (134, "ringbuf_query", (5, 8)),
    (126, "seq_printf", (5, 7)),
];

/// Types of maps that programs use, and the first kernel with each.
const MAPS: [(u32, &str, Version); 6] = [
    (1, "hash", (3, 19)),
    (2, "array", (3, 19)),
    (4, "perf event array", (4, 3)),
    (6, "per-CPU array", (4, 6)),
    (9, "LRU hash", (4, 10)),
    (27, "ring buffer", (5, 8)),
];

/// What is wrong with a program for a kernel of that version, one line each.
fn violations(instructions: &[bpf_insn], version: Version) -> Vec<String> {
    let mut found = Vec::new();
    if version < (5, 2) && instructions.len() > LARGEST {
        found.push(format!("{} instructions", instructions.len()));
    }
    let mut at = 0;
    while let Some(instruction) = instructions.get(at) {
        let (class, operation) = (instruction.code & 0x07, instruction.code & 0xf0);
        if !JUMPS.contains(&class) {
            at += if instruction.code == LOAD_IMMEDIATE { 2 } else { 1 };
            continue;
        }
        match operation {
            CALL if instruction.src_reg() == PSEUDO_CALL => {
                // Known since 4.16; those of the run-time library are loops.
                if version < (5, 3) {
                    found.push(format!("{at}: a call of a function"));
                }
            }
            CALL => match HELPERS.iter().find(|(id, ..)| *id == instruction.imm) {
                Some((_, name, since)) if *since > version => {
                    found.push(format!("{at}: helper {name} is of {}.{}", since.0, since.1));
                }
                Some(_) => {}
                None => found.push(format!("{at}: helper {} is not in the list", instruction.imm)),
            },
            EXIT => {}
            _ => {
                // Kernel 6.6 has jumps whose distance is in the immediate.
                let long = class == JUMPS[1] && operation == ALWAYS;
                if long {
                    found.push(format!("{at}: a long jump, of 6.6"));
                }
                if class == JUMPS[1] && version < (5, 1) && !long {
                    found.push(format!("{at}: a jump on 32 bits, of 5.1"));
                }
            }
        }
        at += 1;
    }
    if version < (5, 3)
        && let Some(at) = loops(instructions)
    {
        found.push(format!("{at}: a loop"));
    }
    found
}

/// Where the instructions that follow one may stand.
fn successors(instructions: &[bpf_insn], at: usize) -> Vec<usize> {
    let Some(instruction) = instructions.get(at) else { return Vec::new() };
    let (class, operation) = (instruction.code & 0x07, instruction.code & 0xf0);
    if !JUMPS.contains(&class) {
        return vec![at + if instruction.code == LOAD_IMMEDIATE { 2 } else { 1 }];
    }
    let target = at.wrapping_add_signed(isize::from(instruction.off) + 1);
    match operation {
        CALL => vec![at + 1],
        EXIT => Vec::new(),
        ALWAYS => vec![target],
        _ => vec![at + 1, target],
    }
}

/// An instruction that can be reached from itself, as the verifier looks for it: by the way it came.
fn loops(instructions: &[bpf_insn]) -> Option<usize> {
    let mut done = vec![false; instructions.len()];
    let mut on_the_way = vec![false; instructions.len()];
    let mut way = vec![(0, successors(instructions, 0))];
    while let Some((at, next)) = way.last_mut() {
        let (at, next) = (*at, next.pop());
        on_the_way[at] = true;
        match next {
            Some(next) if next >= done.len() || done[next] => {}
            Some(next) if on_the_way[next] => return Some(next),
            Some(next) => way.push((next, successors(instructions, next))),
            None => {
                (done[at], on_the_way[at]) = (true, false);
                way.pop();
            }
        }
    }
    None
}

/// Helpers and map types of the object for kernels with ring buffers.
#[test]
fn the_kprobe_set_keeps_to_what_its_oldest_kernel_takes() {
    check(OBJECT, &hooks(HookSet::Kprobe), (5, 8));
}

/// The programs for older kernels keep to what each of these takes, without an exception.
#[test]
fn the_early_kprobe_set_keeps_to_what_its_oldest_kernel_takes() {
    for version in [(4, 14), (4, 19), (5, 2), (5, 4)] {
        check(EARLY_OBJECT, &early(), version);
    }
    let types = |hook| matches!(hook, Hook::Kprobe(_) | Hook::KprobeAny(_) | Hook::Tracepoint(..));
    assert!(early().iter().all(|program| types(program.hook)), "raw tracepoints are of 4.17");
}

#[test]
fn the_early_kprobe_set_of_other_compilers_keeps_to_it_too() {
    for built in compilers::others().iter().filter(|built| built.early) {
        println!("{}", built.name);
        check(&built.object, &early(), (4, 14));
    }
}

fn check(object: &[u8], set: &[Program], version: Version) {
    let programs = Programs::parse(object);
    let names: BTreeSet<&str> = set.iter().map(|program| program.name).collect();
    let mut looked_at = 0;
    for function in programs.all().filter(|function| names.contains(function.name.as_str())) {
        looked_at += 1;
        let found = violations(&function.instructions, version);
        assert!(found.is_empty(), "{version:?}: {}: {found:#?}", function.name);
        if version < (5, 2) {
            let size = function.instructions.len();
            assert!(size < LARGEST_EARLY, "{version:?}: {}: {size} instructions", function.name);
        }
    }
    assert_eq!(looked_at, names.len(), "{names:?}");
}

#[test]
fn maps_are_of_types_that_old_kernels_have() {
    for (object, version) in [(OBJECT, (5, 8)), (EARLY_OBJECT, (4, 14))] {
        for (name, kind) in Programs::parse(object).maps() {
            let known = MAPS.iter().find(|(id, ..)| *id == kind);
            let (_, kind, since) =
                known.unwrap_or_else(|| panic!("{name}: type {kind} is not in the list"));
            assert!(*since <= version, "{name}: a {kind} is of {since:?}");
        }
    }
}

pub(crate) fn instruction(code: u8, source: u8, off: i16, imm: i32) -> bpf_insn {
    let mut instruction =
        bpf_insn { code, _bitfield_align_1: [], _bitfield_1: Default::default(), off, imm };
    instruction.set_src_reg(source);
    instruction
}

#[test]
fn programs_that_break_a_limit_are_found() {
    let nothing = instruction(0xb7, 0, 0, 0);
    let loads = [instruction(LOAD_IMMEDIATE, 0, 0, 0), instruction(0, 0, 0, 0x85)];
    assert_eq!(violations(&[nothing, loads[0], loads[1]], (4, 14)), [""; 0]);
    for (bad, version, words) in [
        (instruction(0x15, 0, -2, 0), (5, 2), "0: a loop"),
        (instruction(0x05, 0, -1, 0), (4, 14), "1: a loop"),
        (instruction(0x16, 0, 3, 0), (5, 0), "32 bits"),
        (instruction(0x06, 0, 0, -9), (6, 1), "long jump"),
        (instruction(0x85, PSEUDO_CALL, 0, 7), (5, 2), "call of a function"),
        (instruction(0x85, 0, 0, 131), (5, 7), "ringbuf_reserve is of 5.8"),
        (instruction(0x85, 0, 0, 200), (6, 1), "helper 200"),
    ] {
        let found = violations(&[nothing, bad], version);
        assert!(found.len() == 1 && found[0].contains(words), "{words}: {found:?}");
    }
    assert_eq!(violations(&vec![nothing; LARGEST + 1], (5, 1)), ["4097 instructions"]);
    assert_eq!(violations(&vec![nothing; LARGEST + 1], (5, 2)), [""; 0]);
    assert_eq!(violations(&[nothing, instruction(0x15, 0, -2, 0)], (5, 3)), [""; 0]);
    // A jump back that leads on is none: 0 -> 3 -> 1 -> 2.
    let (on, back) = (instruction(0x05, 0, 2, 0), instruction(0x05, 0, -3, 0));
    assert_eq!(violations(&[on, nothing, instruction(0x95, 0, 0, 0), back], (4, 14)), [""; 0]);
}
