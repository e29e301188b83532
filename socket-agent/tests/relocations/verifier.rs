//! What the running kernel's verifier says of programs fitted to another kernel.

use aya::{
    Btf, Ebpf, EbpfError, EbpfLoader, Endianness,
    maps::MapError,
    programs::{CgroupSkb, CgroupSock, Program, RawTracePoint, SockOps, TracePoint},
};
use socket_agent::{
    sensor::HookSet,
    sensor::ebpf::{Hook, OBJECT, hooks},
};

/// Why the programs could not be tried.
pub(crate) struct NotAllowed(pub(crate) String);

/// Loads every program of the `cgroup` set, which needs nothing that a kernel may lack, and returns
/// their number. A field that the other kernel does not have leaves instructions that no program may
/// reach: the verifier must see that none does.
pub(crate) fn accepts(target: &[u8]) -> Result<usize, NotAllowed> {
    let target = Btf::parse(target, Endianness::Little).unwrap();
    let mut ebpf = match EbpfLoader::new().btf(Some(&target)).load(OBJECT) {
        Ok(ebpf) => ebpf,
        Err(EbpfError::MapError(MapError::CreateError { io_error, .. }))
            if io_error.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            return Err(NotAllowed(io_error.to_string()));
        }
        Err(error) => panic!("{error}"),
    };
    let programs = hooks(HookSet::Cgroup);
    for program in &programs {
        load(&mut ebpf, program.name, program.hook);
    }
    Ok(programs.len())
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
