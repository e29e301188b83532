//! How much of the kernel's stack each program takes.
//!
//! Source: `check_max_stack_depth` of `kernel/bpf/verifier.c`.

use aya_obj::generated::bpf_insn;
use sensor::ebpf::{EARLY_OBJECT, OBJECT};

use crate::{
    compilers, limits,
    loader::{LOAD_IMMEDIATE, Programs},
};

/// Bytes that every program stays below: seven eighths of what kernels have, so that another compiler, which
/// keeps a few values more on the stack, still builds the programs.
const LIMIT: u32 = 448;
/// What the kernel rounds the frame of each function up to; one that uses none has one of this size.
const GRAIN: u32 = 32;

/// The register that holds the end of the frame; addresses in it lie before.
const FRAME: u8 = 10;
/// `BPF_LDX`, `BPF_ST` and `BPF_STX`, the lower three bits of the code: accesses to memory.
const ACCESS: [u8; 3] = [0x01, 0x02, 0x03];
/// `BPF_ALU64 | BPF_MOV | BPF_X`
const MOVE: u8 = 0xbf;
/// `BPF_ALU64 | BPF_ADD | BPF_K`
const ADD: u8 = 0x07;
/// `BPF_ALU` and `BPF_ALU64`, the lower three bits, and whether the operand is a register, the next one.
const ARITHMETIC: [u8; 2] = [0x04, 0x07];
const REGISTER: u8 = 0x08;
/// `BPF_JMP | BPF_CALL`
const CALL: u8 = 0x85;

/// The stack of a program with all functions that it calls, bytes as the kernel counts them.
///
/// # Errors
/// What is done with an address of the stack that this does not follow.
fn depth(program: &[bpf_insn]) -> Result<u32, String> {
    let mut functions: Vec<usize> = calls(program).map(|(_, target)| target).collect();
    functions.push(0);
    functions.sort_unstable();
    functions.dedup();
    from(program, &functions, 0, 0)
}

/// The stack from the function that begins at `start` on; `nested` functions are on it already.
fn from(
    program: &[bpf_insn],
    functions: &[usize],
    start: usize,
    nested: usize,
) -> Result<u32, String> {
    if nested > functions.len() {
        return Err(format!("{start}: a function that calls itself"));
    }
    let end = functions.iter().copied().find(|&next| next > start).unwrap_or(program.len());
    let body = program.get(start..end).ok_or(format!("{start}: a call of nothing"))?;
    let mut deepest = 0;
    for (at, target) in calls(program).filter(|(at, _)| (start..end).contains(at)) {
        let called = from(program, functions, target, nested + 1);
        deepest = deepest.max(called.map_err(|why| format!("{why}, called at {at}"))?);
    }
    let own = frame(body).map_err(|why| format!("in the function at {start}: {why}"))?;
    Ok(own.max(1).next_multiple_of(GRAIN) + deepest)
}

/// Where functions of the program are called, and where these begin.
fn calls(program: &[bpf_insn]) -> impl Iterator<Item = (usize, usize)> {
    program
        .iter()
        .enumerate()
        .filter(|(_, instruction)| instruction.code == CALL && instruction.src_reg() == 1)
        .map(|(at, call)| (at, at.wrapping_add_signed(call.imm as isize + 1)))
}

/// The frame of one function: the lowest address that it uses, below the end of the frame. Compilers make
/// such an address in one of two ways: within an access, or by a copy of the register and a subtraction that
/// follows at once.
fn frame(body: &[bpf_insn]) -> Result<u32, String> {
    let mut lowest = 0;
    let mut at = 0;
    while let Some(instruction) = body.get(at) {
        let code = instruction.code;
        if code == LOAD_IMMEDIATE {
            at += 2;
            continue;
        }
        // Of a load the address is in the source register, of a store in the other.
        let base =
            if code & 0x07 == ACCESS[0] { instruction.src_reg() } else { instruction.dst_reg() };
        if ACCESS.contains(&(code & 0x07)) {
            if base == FRAME {
                lowest = lowest.min(i32::from(instruction.off));
            } else if instruction.off < 0 {
                return Err(format!("{at}: an access before an address"));
            }
            if code & 0x07 == ACCESS[2] && instruction.src_reg() == FRAME {
                return Err(format!("{at}: the end of the frame is stored"));
            }
        } else if code == MOVE && instruction.src_reg() == FRAME {
            let next = body.get(at + 1).filter(|next| {
                next.code == ADD && next.dst_reg() == instruction.dst_reg() && next.imm < 0
            });
            let next = next.ok_or(format!("{at}: a copy of the end of the frame"))?;
            lowest = lowest.min(next.imm);
        } else if ARITHMETIC.contains(&(code & 0x07))
            && code & REGISTER != 0
            && instruction.src_reg() == FRAME
        {
            return Err(format!("{at}: arithmetic with the end of the frame"));
        }
        at += 1;
    }
    Ok(lowest.unsigned_abs())
}

/// Measures the programs of an object and returns the deepest.
fn measure(name: &str, object: &[u8]) -> u32 {
    let mut deepest = 0;
    println!("{name}:\n{:>6} {:>12} program", "stack", "instructions");
    for function in Programs::linked(object).all() {
        let depth = depth(&function.instructions)
            .unwrap_or_else(|why| panic!("{name}: {}: {why}", function.name));
        println!("{depth:>6} {:>12} {}", function.instructions.len(), function.name);
        assert!(depth < LIMIT, "{name}: {}: {depth} bytes of stack", function.name);
        deepest = deepest.max(depth);
    }
    deepest
}

#[test]
fn no_program_comes_near_the_end_of_the_stack() {
    for (name, object) in [("for 5.8", OBJECT), ("for older kernels", EARLY_OBJECT)] {
        // Each holds whole values on the stack, so that nothing measured would be a fault.
        assert!(measure(name, object) > 200);
    }
}

#[test]
fn no_program_of_another_compiler_comes_near_the_end_of_the_stack() {
    for built in compilers::others() {
        assert!(measure(&built.name, &built.object) > 200);
    }
}

#[test]
fn frames_are_added_up_along_calls() {
    let nothing = limits::instruction(0xb7, 0, 0, 0);
    let exit = limits::instruction(0x95, 0, 0, 0);
    let mut store = limits::instruction(0x7b, 1, -40, 0);
    store.set_dst_reg(FRAME);
    let mut load = limits::instruction(0x79, FRAME, -48, 0);
    load.set_dst_reg(1);
    let copy = limits::instruction(MOVE, FRAME, 0, 0);
    let call = |distance| limits::instruction(CALL, 1, 0, distance);

    assert_eq!(depth(&[nothing, exit]), Ok(32));
    assert_eq!(depth(&[store, exit]), Ok(64));
    assert_eq!(depth(&[store, load, exit]), Ok(64));
    assert_eq!(depth(&[copy, limits::instruction(ADD, 0, 0, -224), exit]), Ok(224));
    // One that calls another, of which one calls a third.
    let third = [copy, limits::instruction(ADD, 0, 0, -100), exit];
    let program = [&[store, call(2), exit][..], &[exit, call(1), exit], &third].concat();
    assert_eq!(depth(&program), Ok(64 + 32 + 128));
    // The second half of a wide load is no instruction.
    let wide = [limits::instruction(LOAD_IMMEDIATE, 0, 0, 0), store];
    assert_eq!(depth(&[&wide[..], &[exit]].concat()), Ok(32));
}

#[test]
fn what_cannot_be_followed_is_an_error() {
    let exit = limits::instruction(0x95, 0, 0, 0);
    let copy = limits::instruction(MOVE, FRAME, 0, 0);
    let before = limits::instruction(0x79, 3, -8, 0);
    let stored = limits::instruction(0x7b, FRAME, 0, 0);
    let sum = limits::instruction(0x0f, FRAME, 0, 0);
    let itself = limits::instruction(CALL, 1, 0, -1);
    for (program, why) in [
        ([copy, exit], "a copy of the end"),
        ([before, exit], "before an address"),
        ([stored, exit], "is stored"),
        ([sum, exit], "arithmetic"),
        ([itself, exit], "calls itself"),
    ] {
        let error = depth(&program).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}
