//! The object of an action.

use std::net::IpAddr;

use super::{
    Endpoint, Entity, File, IdNames, Object, Pair, Process,
    rows::{RecordRow, Roles, SyscallRow},
    syscall::{self, Syscall},
    text::{Text, first, is_unset, or_unset},
};
use crate::records::{Field, Key, Kind, Record};

/// Candidates for the object.
pub(super) struct Candidates<'b, 'a> {
    pub(super) records: &'a [Record],
    pub(super) file: Option<&'b File<'a>>,
    pub(super) end: Option<&'b Endpoint<'a>>,
    pub(super) process: &'b Process<'a>,
}

/// The object of a system call.
pub(super) fn of_syscall<'a>(
    row: &SyscallRow,
    call: &Syscall<'a>,
    from: &Candidates<'_, 'a>,
) -> Object<'a> {
    let name = match row.object {
        "socket" => of_end(from.end),
        "process" => of_process(call, from),
        "file" | "filesystem" => of_file(call, from),
        "bpf" => Pair { primary: described(call), secondary: None },
        _ => of_file(call, from),
    };
    Object { what: Some(row.object), name }
}

fn of_end<'a>(end: Option<&Endpoint<'a>>) -> Pair<'a> {
    let Some(end) = end else { return Pair::default() };
    let ip = end.ip.map(|ip| ip.to_string()).or_else(|| end.path.clone());
    let port = end.port.map(|port| port.to_string().into());
    Pair { primary: ip.map(Text::from), secondary: port }
}

fn of_file<'a>(call: &Syscall<'a>, from: &Candidates<'_, 'a>) -> Pair<'a> {
    if let Some(file) = from.file {
        let secondary = file.target.clone().filter(|target| Some(target) != file.path.as_ref());
        return Pair { primary: file.path.clone(), secondary };
    }
    // A module that the kernel was given as a descriptor.
    let module = from.records.iter().find(|record| record.kind().0 == 1330);
    let named = module.and_then(|record| record.text(Key::NAME));
    let message_queue = || call.record.text(Key::NAME);
    Pair { primary: named.or_else(message_queue), secondary: None }
}

/// The process that a signal or a trace goes to, else the one that the call is about: itself.
fn of_process<'a>(call: &Syscall<'a>, from: &Candidates<'_, 'a>) -> Pair<'a> {
    if let Some(record) = super::text::of_kind(from.records, Kind::OBJ_PID) {
        return Pair { primary: record.text(Key::OPID), secondary: record.text(Key::OCOMM) };
    }
    let by_argument = match &*call.meaning {
        "kill" | "tkill" | "rt_sigqueueinfo" | "pidfd_open" | "process_vm_readv"
        | "process_vm_writev" => call.argument(0),
        "tgkill" | "rt_tgsigqueueinfo" | "ptrace" => call.argument(1),
        _ => None,
    };
    // A negative number is a group of processes.
    if let Some(pid) = by_argument {
        return Pair { primary: Some((pid as i32).to_string().into()), secondary: None };
    }
    let pid = from.process.pid.map(|pid| pid.to_string().into());
    Pair { primary: from.process.name.clone(), secondary: pid }
}

fn described<'a>(call: &Syscall<'a>) -> Option<Text<'a>> {
    let argument = crate::decode::argument(&call.name, call.arch).first()?;
    argument.describe(call.arch, call.argument(argument.index)?).map(Text::from)
}

/// A field that may hold an IP address: IPv4 in its own form.
fn address_text<'a>(field: &Field<'a>) -> Text<'a> {
    if !matches!(field.id, Key::ADDR | Key::HOSTNAME | Key::SADDR | Key::DADDR | Key::RADDR) {
        return field.text();
    }
    let text = field.text();
    match text.parse::<IpAddr>().ok().filter(|ip| ip.to_canonical() != *ip) {
        Some(ip) => ip.to_canonical().to_string().into(),
        None => text,
    }
}

/// The object of a record, and the user or group that it is, if it is one.
pub(super) fn of_record<'a>(
    row: &RecordRow,
    record: &'a Record,
    names: &mut dyn IdNames,
) -> (Object<'a>, Option<Entity<'a>>) {
    let what = Some(row.object).filter(|what| !what.is_empty());
    let field = first(record, &row.primary);
    let account =
        field.as_ref().filter(|_| matches!(row.roles, Roles::User | Roles::Group | Roles::Login));
    let entity =
        account.map(|field| Entity::of_account(record, field, row.roles == Roles::Group, names));
    let primary = match (&entity, &field) {
        (Some(_), Some(field)) => Some(or_unset(field)),
        (None, Some(field)) if field.id == Key::SYSCALL => syscall::name(record),
        (None, Some(field)) if is_unset(field.value) => Some("unset".into()),
        (None, Some(field)) => Some(address_text(field)),
        (_, None) => None,
    };
    // An account by its number and by its name, whichever the record has first.
    let other = entity.as_ref().and_then(|entity| match (&entity.id, &entity.name) {
        (Some(id), Some(name)) if Some(id) == primary.as_ref() => Some(name.clone()),
        (id, Some(_)) => id.clone(),
        _ => None,
    });
    let secondary = first(record, &row.secondary).map(|field| address_text(&field)).or(other);
    (Object { what, name: Pair { primary, secondary } }, entity)
}
