//! What the running kernel's verifier says of programs: whether those fitted to another kernel pass, and how
//! much work each is.

use std::collections::BTreeMap;

use aya::{
    Btf, Ebpf, EbpfError, EbpfLoader, Endianness,
    maps::MapError,
    programs::{CgroupSkb, CgroupSock, Program, ProgramError, RawTracePoint, SockOps, TracePoint},
};
use sensor::{
    HookSet,
    ebpf::{EARLY_OBJECT, Hook, OBJECT, hooks},
};

use crate::{compilers, targets::skip};

/// Instructions that the verifier looks at in one program before it gives up, each as often as a path leads
/// there; `BPF_COMPLEXITY_LIMIT_INSNS`, since 5.2.
const COMPLEXITY: u32 = 1_000_000;
/// The same before.
const COMPLEXITY_EARLY: u32 = 131_072;

/// Why the programs could not be tried.
pub(crate) struct NotAllowed(pub(crate) String);

/// Loads every program of the `cgroup` set, which needs nothing that a kernel may lack, and returns
/// their number. A field that the other kernel does not have leaves instructions that no program may
/// reach: the verifier must see that none does.
pub(crate) fn accepts(target: &[u8]) -> Result<usize, NotAllowed> {
    let target = Btf::parse(target, Endianness::Little).unwrap();
    let mut ebpf = open(OBJECT, Some(&target))?;
    let programs = hooks(HookSet::Cgroup);
    for program in &programs {
        load(&mut ebpf, program.name, program.hook);
    }
    Ok(programs.len())
}

/// Makes the tables of an object.
fn open(object: &[u8], target: Option<&Btf>) -> Result<Ebpf, NotAllowed> {
    let mut loader = EbpfLoader::new();
    if target.is_some() {
        loader.btf(target);
    }
    match loader.load(object) {
        Ok(ebpf) => Ok(ebpf),
        Err(EbpfError::MapError(MapError::CreateError { io_error, .. }))
            if io_error.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            Err(NotAllowed(io_error.to_string()))
        }
        Err(error) => panic!("{error}"),
    }
}

/// Loads every program of an object and returns what the verifier looked at in each; with `None` for those
/// that this kernel has no function or no facility for.
fn work(object: &[u8]) -> Result<BTreeMap<String, Option<u32>>, NotAllowed> {
    let functions: BTreeMap<&str, &str> = hooks(HookSet::Fentry)
        .into_iter()
        .filter_map(|program| match program.hook {
            Hook::Fentry(function) | Hook::Fexit(function, _) => Some((program.name, function)),
            _ => None,
        })
        .collect();
    let types = Btf::from_sys_fs().map_err(|error| NotAllowed(error.to_string()))?;
    let mut ebpf = open(object, None)?;
    let mut counts = BTreeMap::new();
    for (name, program) in ebpf.programs_mut() {
        let function = functions.get(name).copied().unwrap_or_default();
        let trampoline = matches!(program, Program::FEntry(_) | Program::FExit(_));
        let loaded = match program {
            Program::KProbe(program) => program.load(),
            Program::RawTracePoint(program) => program.load(),
            Program::TracePoint(program) => program.load(),
            Program::CgroupSkb(program) => program.load(),
            Program::CgroupSock(program) => program.load(),
            Program::SockOps(program) => program.load(),
            Program::FEntry(program) => program.load(function, &types),
            Program::FExit(program) => program.load(function, &types),
            Program::Iter(program) => program.load("task_file", &types),
            other => panic!("{name}: {:?}", other.prog_type()),
        };
        let count = match loaded {
            Ok(()) => program.info().unwrap().verified_instruction_count(),
            Err(ProgramError::Btf(_)) => None,
            // A kernel without trampolines, which refuses them unseen.
            Err(ProgramError::LoadError { verifier_log, .. })
                if trampoline && verifier_log.to_string().trim().is_empty() =>
            {
                None
            }
            Err(error) => panic!("{name}: {error:?}"),
        };
        counts.insert(name.to_owned(), count);
    }
    Ok(counts)
}

/// Holds each program of an object to nine tenths of a limit.
fn check(name: &str, object: &[u8], limit: u32) {
    let counts = match work(object) {
        Ok(counts) => counts,
        Err(NotAllowed(reason)) => {
            return skip(&format!("cannot load programs: {reason}; run as root"));
        }
    };
    println!("{name}:\n{:>9} program", "verified");
    let mut known = 0;
    for (program, count) in counts {
        let Some(count) = count else {
            println!("{:>9} {program}", "-");
            continue;
        };
        println!("{count:>9} {program}");
        assert!(count < limit / 10 * 9, "{name}: {program}: {count} of {limit}");
        known += 1;
    }
    if known == 0 {
        skip("kernels before 5.16 do not say what the verifier has looked at");
    }
}

#[test]
fn the_verifier_is_far_from_giving_up() {
    check("for 5.8", OBJECT, COMPLEXITY);
    check("for older kernels", EARLY_OBJECT, COMPLEXITY_EARLY);
}

#[test]
fn the_verifier_is_far_from_giving_up_with_other_compilers() {
    for built in compilers::others() {
        let limit = if built.early { COMPLEXITY_EARLY } else { COMPLEXITY };
        check(&built.name, &built.object, limit);
    }
}

fn load(ebpf: &mut Ebpf, name: &str, hook: Hook) {
    let program: &mut Program = ebpf.program_mut(name).unwrap();
    let loaded = match hook {
        Hook::RawTracepoint(_) => <&mut RawTracePoint>::try_from(program).unwrap().load(),
        Hook::Tracepoint(..) => <&mut TracePoint>::try_from(program).unwrap().load(),
        Hook::CgroupEgress | Hook::CgroupIngress => {
            <&mut CgroupSkb>::try_from(program).unwrap().load()
        }
        Hook::CgroupSock => <&mut CgroupSock>::try_from(program).unwrap().load(),
        Hook::CgroupSockOps => <&mut SockOps>::try_from(program).unwrap().load(),
        _ => unreachable!("{name}"),
    };
    loaded.unwrap_or_else(|error| panic!("{name}: {error:?}"));
}
