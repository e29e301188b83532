//! Attaching the programs of a set.

use std::fs::File;

use aya::{
    Btf, Ebpf,
    programs::{
        CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSock, FEntry, FExit, KProbe,
        ProgramError, RawTracePoint,
    },
};

use super::{
    error::{SensorError, one_line},
    features::Prototypes,
    sets::{Hook, Program, When},
};

/// A hook that could not be attached, and what is less exact without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Degraded {
    /// Program and place.
    pub hook: String,
    /// What the kernel said.
    pub reason: String,
    /// What is missing now.
    pub effect: &'static str,
}

/// What the programs are attached to.
pub(super) struct Places<'a> {
    pub(super) set: &'static str,
    pub(super) cgroup: Option<&'a File>,
    pub(super) kernel_btf: Option<&'a Btf>,
    pub(super) prototypes: &'a Prototypes,
    pub(super) ipv6: bool,
}

/// Loads and attaches every wanted program; returns what had to be left out.
pub(super) fn all(
    ebpf: &mut Ebpf,
    programs: &[Program],
    places: &Places<'_>,
) -> Result<Vec<Degraded>, SensorError> {
    let mut degraded = Vec::new();
    for program in programs {
        let effect = match program.when {
            When::Required => "",
            When::Wanted(effect) => effect,
            When::RepliesHidden(effect) if places.prototypes.hides_replies() => effect,
            When::Ipv6 if places.ipv6 => "IPv6 is not counted",
            When::Arguments if arguments_match(program, places) => {
                "the first to send or receive owns an accepted connection"
            }
            When::RepliesHidden(_) | When::Ipv6 | When::Arguments => continue,
        };
        if let Err(reason) = one(ebpf, program, places) {
            let hook = describe(program);
            if program.when == When::Required {
                return Err(SensorError::Hook {
                    set: places.set,
                    hook,
                    reason,
                    remedy: "run `socket-agent doctor` to see which sets this kernel can carry",
                });
            }
            degraded.push(Degraded { hook, reason, effect });
        }
    }
    Ok(degraded)
}

fn arguments_match(program: &Program, places: &Places<'_>) -> bool {
    match program.hook {
        Hook::Fexit(function, count) => places.prototypes.arguments(function) == Some(count),
        _ => true,
    }
}

fn describe(program: &Program) -> String {
    let place = match program.hook {
        Hook::Kprobe(names) | Hook::Kretprobe(names) => names.join(" or "),
        Hook::Fentry(name) | Hook::Fexit(name, _) | Hook::RawTracepoint(name) => name.to_owned(),
        Hook::CgroupEgress | Hook::CgroupIngress | Hook::CgroupSock => "root cgroup".to_owned(),
    };
    format!("{} at {place}", program.name)
}

fn one(ebpf: &mut Ebpf, wanted: &Program, places: &Places<'_>) -> Result<(), String> {
    let program = ebpf
        .program_mut(wanted.name)
        .ok_or_else(|| "the embedded object has no such program".to_owned())?;
    let result = match wanted.hook {
        Hook::RawTracepoint(name) => typed::<RawTracePoint>(program)
            .and_then(|p| p.load().and_then(|()| p.attach(name)).map(drop).map_err(line)),
        Hook::Fentry(name) => {
            let btf = places.kernel_btf.ok_or("the kernel publishes no BTF")?;
            typed::<FEntry>(program)
                .and_then(|p| p.load(name, btf).and_then(|()| p.attach()).map(drop).map_err(line))
        }
        Hook::Fexit(name, _) => {
            let btf = places.kernel_btf.ok_or("the kernel publishes no BTF")?;
            typed::<FExit>(program)
                .and_then(|p| p.load(name, btf).and_then(|()| p.attach()).map(drop).map_err(line))
        }
        Hook::Kprobe(names) | Hook::Kretprobe(names) => {
            let probe = typed::<KProbe>(program)?;
            probe.load().map_err(line)?;
            let first = first_of(probe, names);
            if let (Ok(()), Some(also), true) = (&first, wanted.also, places.ipv6) {
                probe.attach(also, 0).map(drop).map_err(line)
            } else {
                first
            }
        }
        Hook::CgroupEgress | Hook::CgroupIngress => {
            let cgroup = places.cgroup.ok_or("no cgroup v2 hierarchy")?;
            let kind = if wanted.hook == Hook::CgroupEgress {
                CgroupSkbAttachType::Egress
            } else {
                CgroupSkbAttachType::Ingress
            };
            let program = typed::<CgroupSkb>(program)?;
            program.load().map_err(line)?;
            beside_others(|mode| program.attach(cgroup, kind, mode).map(drop))
        }
        Hook::CgroupSock => {
            let cgroup = places.cgroup.ok_or("no cgroup v2 hierarchy")?;
            let program = typed::<CgroupSock>(program)?;
            program.load().map_err(line)?;
            beside_others(|mode| program.attach(cgroup, mode).map(drop))
        }
    };
    result
}

/// Attaches to a cgroup so that programs of others stay. A link (5.7) always does and takes no flag
/// for it; the older way of attaching needs the flag.
fn beside_others(
    mut attach: impl FnMut(CgroupAttachMode) -> Result<(), ProgramError>,
) -> Result<(), String> {
    attach(CgroupAttachMode::AllowMultiple)
        .or_else(|_| attach(CgroupAttachMode::Single))
        .map_err(line)
}

/// Attaches to the first function of the list that the kernel accepts.
fn first_of(probe: &mut KProbe, names: &[&str]) -> Result<(), String> {
    let mut reasons = Vec::new();
    for name in names {
        match probe.attach(name, 0) {
            Ok(_) => return Ok(()),
            Err(error) => reasons.push(format!("{name}: {}", one_line(&error))),
        }
    }
    Err(reasons.join("; "))
}

fn typed<'a, P>(program: &'a mut aya::programs::Program) -> Result<&'a mut P, String>
where
    &'a mut P: TryFrom<&'a mut aya::programs::Program>,
{
    program.try_into().map_err(|_| "the embedded object has it as another type".to_owned())
}

fn line(error: ProgramError) -> String {
    one_line(&error)
}
