//! Attaching the programs of a set.

use std::{
    any::Any,
    fs::File,
    os::fd::{AsFd, OwnedFd},
};

use aya::{
    Btf, Ebpf,
    programs::{
        CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSock, FEntry, FExit, KProbe,
        ProgramError, RawTracePoint, SockOps, TracePoint,
    },
};

use super::{
    features::Prototypes,
    refusal,
    sets::{COPIES, Hook, Program, When},
};
use crate::{Degraded, SensorError};

const NO_BTF: &str = "the kernel publishes no BTF";
const NO_CGROUP: &str = "no cgroup v2 hierarchy";

/// Targets that programs are attached to.
pub(super) struct AttachTargets<'a> {
    pub(super) set: &'static str,
    pub(super) cgroup: Option<&'a File>,
    pub(super) kernel_btf: Option<&'a Btf>,
    pub(super) prototypes: &'a Prototypes,
    pub(super) ipv6: bool,
    /// Hooks are attached twice, and their copies rely on each other.
    pub(super) copied: bool,
}

/// What keeps a program attached.
type Link = Box<dyn Any + Send>;

/// A program that is attached until this is dropped.
pub(super) struct Attached {
    pub(super) name: &'static str,
    /// Descriptor of the program.
    pub(super) fd: Option<OwnedFd>,
    _links: Vec<Link>,
}

/// Loads and attaches every wanted program; returns these and what had to be left out.
pub(super) fn all(
    ebpf: &mut Ebpf,
    programs: &[Program],
    targets: &AttachTargets<'_>,
) -> Result<(Vec<Attached>, Vec<Degraded>), SensorError> {
    let mut degraded = Vec::new();
    let mut held = Vec::new();
    let mut attached: Vec<&str> = Vec::new();
    let mut wanted_by_arguments: Option<(String, &'static str)> = None;
    for program in programs.iter().filter(|program| targets.ipv6 || !program.ipv6) {
        if is_unwanted(program, targets, &attached) {
            continue;
        }
        if let When::Arguments(effect) = program.when
            && !arguments_match(program, targets)
        {
            wanted_by_arguments = Some((describe(program), effect));
            continue;
        }
        let reason = match one(ebpf, program, targets) {
            Ok(program) => {
                attached.push(program.name);
                held.push(program);
                continue;
            }
            Err(reason) => reason,
        };
        degraded.extend(left_out(program, targets, reason)?);
    }
    let is_form = |p: &Program| matches!(p.when, When::Arguments(_)) && attached.contains(&p.name);
    let any_form = programs.iter().any(is_form);
    if let (Some((hook, effect)), false) = (wanted_by_arguments, any_form) {
        let reason = "the function has arguments that no program was written for".to_owned();
        degraded.push(Degraded { hook, reason, effect });
    }
    Ok((held, degraded))
}

/// Whether a program is of no use on this kernel, or with the programs that are attached already.
fn is_unwanted(program: &Program, targets: &AttachTargets<'_>, attached: &[&str]) -> bool {
    let by_cgroup = attached.contains(&"cgroup_egress");
    match program.when {
        When::InsteadOf(name) | When::Unless(name, _) => attached.contains(&name),
        When::Unskipped => !targets.copied || targets.cgroup.is_none(),
        When::WithCgroup(_) => !by_cgroup,
        When::First => !targets.copied,
        When::Again(first) => !targets.copied || !attached.contains(&first),
        When::Ahead(first) => {
            !targets.copied || !attached.contains(&first) || targets.cgroup.is_none()
        }
        When::RepliesHidden(_) => !by_cgroup || !targets.prototypes.hides_replies(),
        _ => false,
    }
}

/// What the set lacks without a program that could not be attached; `None` if nothing.
///
/// # Errors
///
/// The set cannot do without it.
fn left_out(
    program: &Program,
    targets: &AttachTargets<'_>,
    reason: String,
) -> Result<Option<Degraded>, SensorError> {
    let refused = |hook, reason| SensorError::Hook {
        set: targets.set,
        hook,
        reason,
        remedy: "run `socket-agent doctor` to see which sets this kernel can carry",
    };
    let hook = describe(program);
    // The first copy leaves to the others what it cannot deal with.
    let is_copy = COPIES.iter().any(|end| program.name.ends_with(end));
    let relied_on = targets.copied && is_copy;
    match program.when {
        _ if relied_on => Err(refused(hook, reason)),
        When::Required | When::InsteadOf(_) | When::Again(_) => Err(refused(hook, reason)),
        When::Wanted(effect)
        | When::Unless(_, effect)
        | When::WithCgroup(effect)
        | When::RepliesHidden(effect)
        | When::Arguments(effect) => Ok(Some(Degraded { hook, reason, effect })),
        When::Preferred | When::First | When::Ahead(_) | When::Unskipped => {
            log::info!(target: "sensor", "{hook} not attached, using another hook: {reason}");
            Ok(None)
        }
    }
}

fn arguments_match(program: &Program, targets: &AttachTargets<'_>) -> bool {
    match program.hook {
        Hook::Fexit(function, count) => targets.prototypes.arguments(function) == Some(count),
        _ => true,
    }
}

fn describe(program: &Program) -> String {
    let target = match program.hook {
        Hook::Kprobe(name)
        | Hook::Fentry(name)
        | Hook::Fexit(name, _)
        | Hook::RawTracepoint(name)
        | Hook::Tracepoint(_, name) => name.to_owned(),
        Hook::KprobeAny(names) => names.join(" or "),
        Hook::CgroupEgress | Hook::CgroupIngress | Hook::CgroupSock | Hook::CgroupSockOps => {
            "root cgroup".to_owned()
        }
    };
    format!("{} at {target}", program.name)
}

/// The link is taken out of the program, which can be dropped then.
macro_rules! link {
    ($program:ident, $attach:expr) => {{
        let link = $attach.and_then(|id| $program.take_link(id));
        Box::new(link.map_err(line)?) as Link
    }};
}

fn one(ebpf: &mut Ebpf, wanted: &Program, targets: &AttachTargets<'_>) -> Result<Attached, String> {
    let program = ebpf
        .program_mut(wanted.name)
        .ok_or_else(|| "the embedded object has no such program".to_owned())?;
    let links: Vec<Link> = match wanted.hook {
        Hook::RawTracepoint(name) => {
            let program = typed::<RawTracePoint>(program)?;
            program.load().map_err(line)?;
            vec![link!(program, program.attach(name))]
        }
        Hook::Fentry(name) => {
            let program = typed::<FEntry>(program)?;
            program.load(name, targets.kernel_btf.ok_or(NO_BTF)?).map_err(line)?;
            vec![link!(program, program.attach())]
        }
        Hook::Fexit(name, _) => {
            let program = typed::<FExit>(program)?;
            program.load(name, targets.kernel_btf.ok_or(NO_BTF)?).map_err(line)?;
            vec![link!(program, program.attach())]
        }
        Hook::Kprobe(function) => {
            let program = typed::<KProbe>(program)?;
            program.load().map_err(line)?;
            let functions = [Some(function), wanted.also.filter(|_| targets.ipv6)];
            let mut links = Vec::new();
            for function in functions.into_iter().flatten() {
                links.push(link!(program, program.attach(function, 0)));
            }
            links
        }
        Hook::KprobeAny(functions) => vec![any_kprobe(program, functions)?],
        Hook::Tracepoint(group, name) => {
            let program = typed::<TracePoint>(program)?;
            program.load().map_err(line)?;
            vec![link!(program, program.attach(group, name))]
        }
        Hook::CgroupEgress => {
            vec![packets(program, CgroupSkbAttachType::Egress, targets)?]
        }
        Hook::CgroupIngress => {
            vec![packets(program, CgroupSkbAttachType::Ingress, targets)?]
        }
        Hook::CgroupSock => {
            let cgroup = targets.cgroup.ok_or(NO_CGROUP)?;
            let program = typed::<CgroupSock>(program)?;
            program.load().map_err(line)?;
            vec![link!(program, beside_others(|mode| program.attach(cgroup, mode)))]
        }
        Hook::CgroupSockOps => {
            let cgroup = targets.cgroup.ok_or(NO_CGROUP)?;
            let program = typed::<SockOps>(program)?;
            program.load().map_err(line)?;
            vec![link!(program, beside_others(|mode| program.attach(cgroup, mode)))]
        }
    };
    let program = ebpf.program(wanted.name).map(aya::programs::Program::fd);
    let fd = program.and_then(Result::ok).map(|fd| fd.as_fd().try_clone_to_owned());
    Ok(Attached { name: wanted.name, fd: fd.and_then(Result::ok), _links: links })
}

/// Attaches to the first of these functions that can be probed.
fn any_kprobe(program: &mut aya::programs::Program, functions: &[&str]) -> Result<Link, String> {
    let program = typed::<KProbe>(program)?;
    program.load().map_err(line)?;
    let mut attached = Err("no function is named".to_owned());
    for function in functions {
        attached = program.attach(*function, 0).map_err(line);
        if attached.is_ok() {
            break;
        }
    }
    let attached = attached?;
    Ok(link!(program, Ok(attached)))
}

/// Attaches to the packets of the cgroup, in one direction.
fn packets(
    program: &mut aya::programs::Program,
    direction: CgroupSkbAttachType,
    targets: &AttachTargets<'_>,
) -> Result<Link, String> {
    let cgroup = targets.cgroup.ok_or(NO_CGROUP)?;
    let program = typed::<CgroupSkb>(program)?;
    program.load().map_err(line)?;
    Ok(link!(program, beside_others(|mode| program.attach(cgroup, direction, mode))))
}

/// Attaches to a cgroup so that programs of others stay. A link (5.7) always does and takes no flag
/// for it; the older way of attaching needs the flag.
fn beside_others<T>(
    mut attach: impl FnMut(CgroupAttachMode) -> Result<T, ProgramError>,
) -> Result<T, ProgramError> {
    attach(CgroupAttachMode::AllowMultiple).or_else(|_| attach(CgroupAttachMode::Single))
}

fn typed<'a, P>(program: &'a mut aya::programs::Program) -> Result<&'a mut P, String>
where
    &'a mut P: TryFrom<&'a mut aya::programs::Program>,
{
    program.try_into().map_err(|_| "the embedded object has it as another type".to_owned())
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn line(error: ProgramError) -> String {
    refusal::reason(&error)
}
