//! From an event to what it means.

use std::collections::HashSet;

use super::{
    Data, Endpoint, File, IdNames, Ids, Normal, Object, Outcome, PathRecord, Process, Users, actor,
    data::People,
    decision::Decision,
    object, rows,
    rows::{RecordRow, Roles, SyscallRow},
    socket,
    syscall::Syscall,
    text::{Text, first, is_unset},
};
use crate::{
    reassembly::Event,
    records::{Arguments, Key, Kind, Record},
};

/// Tags among which another is looked for one by one.
const FEW: usize = 32;

/// Says what an event means. `None` for an event without records, which reassembly never gives.
pub fn normalise<'a>(event: &'a Event, names: &mut dyn IdNames) -> Option<Normal<'a>> {
    let records = event.records.as_slice();
    let main = main_record(records)?;
    let syscall = Syscall::find(records);
    let call_row = syscall.as_ref().and_then(|call| rows::syscall(&call.meaning));
    let row = record_row(main);

    let roles = row.map_or(Roles::Process, |row| row.roles);
    // A program that guards its services tells who asked.
    let asking = (roles == Roles::Mac).then(|| Ids::read_message(main, names)).flatten();
    let is_asking = asking.is_some();
    let ids = asking.unwrap_or_else(|| Ids::read(records, names));
    let process = Process::read(records);
    let paths = PathRecord::all(records);
    let cwd = process.working_directory.as_deref();
    let mut file = File::read(&paths, call_row, syscall.as_ref(), cwd, names);
    let address = socket::address(records);
    let remote = address.as_ref().and_then(Endpoint::of);

    let outcome = outcome(main, syscall.as_ref());
    let (account, account_field) = actor::account(row, main, outcome, names).unzip();
    let account = account.filter(|account| !account.is_unset());
    let actor = actor::actor(row, main, &ids, account.as_ref());
    let how = actor::means(row, main, syscall.as_ref().zip(call_row), &process);
    let from = object::Candidates {
        records,
        file: file.as_ref(),
        end: remote.as_ref(),
        process: &process,
    };
    let (object, subject) = match (row, call_row, &syscall) {
        (Some(row), ..) => object::of_record(row, main, names),
        (None, Some(row), Some(call)) => (object::of_syscall(row, call, &from), None),
        _ => (Object::default(), None),
    };
    let object_field = row.and_then(|row| first(main, &row.primary));
    if file.is_none() && object.what == Some("file") {
        file = object.name.primary.clone().map(File::named);
    }

    let Ends { source, destination, direction } = Ends::of(main, row, call_row, remote);
    let users = Users::new(roles, &ids, account, subject);
    let people = People { account: account_field, object: object_field, is_asking };
    let mut data = Data::read(records, syscall.as_ref(), address.as_ref(), &people, names);
    if !matches!(roles, Roles::Process | Roles::Mac) {
        // The user of the process that reports has no place among those it reports about.
        data.keep("uid", ids.get(Key::UID));
    }
    let (categories, types) = classes(main, row, syscall.as_ref(), call_row);
    let (incomplete, warnings) = doubts(event, &process.args);
    Some(Normal {
        event,
        kind: main.kind(),
        action: row.map(|row| action(main, row)).or(call_row.map(|row| row.action)),
        categories,
        types,
        is_alert: row.is_some_and(|row| row.is_alert),
        outcome,
        session: session(records),
        tags: tags(records),
        actor,
        object,
        how,
        users,
        ids,
        label: if is_asking { main.text(Key::SCONTEXT) } else { label(records) },
        process,
        file,
        paths,
        source,
        destination,
        direction,
        socket: address,
        data,
        incomplete,
        warnings,
    })
}

/// Ends of network traffic, and its direction.
#[derive(Default)]
struct Ends<'a> {
    source: Option<Endpoint<'a>>,
    destination: Option<Endpoint<'a>>,
    direction: Option<&'static str>,
}

impl<'a> Ends<'a> {
    fn of(
        main: &'a Record,
        row: Option<&RecordRow>,
        call_row: Option<&SyscallRow>,
        remote: Option<Endpoint<'a>>,
    ) -> Self {
        let mut ends = Self::default();
        if row.is_some_and(|row| row.is_remote) {
            ends.source = Endpoint::of_record(main);
            ends.direction = ends.source.as_ref().map(|_| "ingress");
        }
        if row.is_none_or(|row| row.is_about_call) {
            ends.direction = call_row.and_then(|row| row.direction).filter(|_| remote.is_some());
            match ends.direction {
                Some("ingress") => ends.source = remote,
                Some(_) => ends.destination = remote,
                None => {}
            }
        }
        ends
    }
}

/// The first record decides what the event is, unless it is one of those that say more about
/// another.
fn main_record(records: &[Record]) -> Option<&Record> {
    let leads = |record: &&Record| {
        matches!(record.kind(), Kind::SYSCALL | Kind::URINGOP) || record_row(record).is_some()
    };
    records.iter().find(leads).or_else(|| records.first())
}

/// AppArmor's records come under SELinux's type.
fn record_row(record: &Record) -> Option<&'static RecordRow> {
    let name = match record.kind() {
        Kind::AVC | Kind::USER_AVC => match record.value(Key::APPARMOR) {
            Some(b"DENIED") => "APPARMOR_DENIED",
            Some(b"ALLOWED") => "APPARMOR_ALLOWED",
            Some(b"STATUS") => "APPARMOR_STATUS",
            Some(b"AUDIT") => "APPARMOR_AUDIT",
            Some(b"HINT") => "APPARMOR_HINT",
            Some(b"KILLED") => "APPARMOR_KILL",
            Some(_) => "APPARMOR_ERROR",
            None => record.kind().name()?,
        },
        // That of the call says more.
        Kind::SYSCALL => return None,
        kind => kind.name()?,
    };
    rows::record(name)
}

/// What a record says; what was granted violates nothing.
fn action(main: &Record, row: &'static RecordRow) -> &'static str {
    match Decision::of(main) {
        Some(Decision::Granted) if main.kind() == Kind::AVC => "allowed-by-selinux",
        _ => row.action,
    }
}

/// A record's categories and types, and those of a system call that it is about.
fn classes(
    main: &Record,
    row: Option<&'static RecordRow>,
    syscall: Option<&Syscall<'_>>,
    call_row: Option<&'static SyscallRow>,
) -> (Vec<&'static str>, Vec<&'static str>) {
    let mut categories = row.map(|row| row.categories.clone()).unwrap_or_default();
    let mut types = row.map(|row| row.types.clone()).unwrap_or_default();
    match Decision::of(main) {
        Some(Decision::Denied) => types = vec!["denied"],
        Some(Decision::Permitted | Decision::Granted) => types = vec!["allowed"],
        None => {}
    }
    if row.is_some_and(|row| !row.is_about_call) {
        return (categories, types);
    }
    let more = match call_row {
        Some(row) => (row.categories.as_slice(), row.types.as_slice()),
        None if syscall.is_some() || row.is_none() => (&["process"][..], &["info"][..]),
        None => (&[][..], &[][..]),
    };
    add_new(&mut categories, more.0);
    add_new(&mut types, more.1);
    (categories, types)
}

fn add_new(known: &mut Vec<&'static str>, more: &[&'static str]) {
    for name in more {
        if !known.contains(name) {
            known.push(name);
        }
    }
}

fn outcome(main: &Record, syscall: Option<&Syscall<'_>>) -> Outcome {
    let stated = |record: &Record| {
        [Key::RES, Key::RESULT, Key::SUCCESS].iter().find_map(|key| match record.value(*key)? {
            b"1" | b"yes" | b"success" => Some(Outcome::Success),
            b"0" | b"no" | b"failed" | b"fail" => Some(Outcome::Failure),
            _ => None,
        })
    };
    let decided = || match (Decision::of(main), main.value(Key::APPARMOR)) {
        (Some(Decision::Denied), _) | (None, Some(b"DENIED" | b"KILLED")) => Some(Outcome::Failure),
        (Some(_), _) | (None, Some(b"ALLOWED")) => Some(Outcome::Success),
        _ => None,
    };
    stated(main)
        .or_else(|| syscall.and_then(|call| stated(call.record)))
        .or_else(decided)
        .unwrap_or_default()
}

fn label(records: &[Record]) -> Option<Text<'_>> {
    records.iter().find_map(|record| record.text(Key::SUBJ))
}

fn session(records: &[Record]) -> Option<Text<'_>> {
    let record = records.iter().find(|record| record.get(Key::SES).is_some())?;
    let field = record.get(Key::SES)?;
    Some(if is_unset(field.value) { "unset".into() } else { field.text() })
}

/// Several keys of a rule come with a control character between.
fn tags(records: &[Record]) -> Vec<Text<'_>> {
    let mut tags: Vec<Text<'_>> = Vec::new();
    // A kernel's rule has a few; a strange record may have any number.
    let mut many: Option<HashSet<String>> = None;
    for key in records.iter().filter_map(|record| record.value(Key::KEY)) {
        for tag in key.split(|byte| *byte == 1).filter(|tag| !tag.is_empty()) {
            let tag = Text::lossy(tag);
            let is_new = match &mut many {
                Some(many) => many.insert(tag.to_string()),
                None => !tags.contains(&tag),
            };
            if is_new {
                tags.push(tag);
            }
            if many.is_none() && tags.len() > FEW {
                many = Some(tags.iter().map(ToString::to_string).collect());
            }
        }
    }
    tags
}

/// What is known to be missing, and all that is strange.
fn doubts(
    event: &Event,
    arguments: &Arguments<'_>,
) -> (Vec<&'static str>, Vec<std::borrow::Cow<'static, str>>) {
    let (mut incomplete, mut warnings) = (Vec::new(), Vec::new());
    let has = |kind| event.records.iter().any(|record| record.kind() == kind);
    let is_part = |record: &Record| {
        matches!(
            record.kind(),
            Kind::PATH | Kind::CWD | Kind::EXECVE | Kind::SOCKADDR | Kind::PROCTITLE
        )
    };
    if event.records.iter().all(is_part) {
        warnings.push("the record of the system call is missing".into());
    }
    let syscall = event.records.iter().find(|record| record.kind() == Kind::SYSCALL);
    if !event.complete && syscall.is_some() {
        warnings.push("no end was seen: records may be missing".into());
    }
    if event.cut > 0 {
        incomplete.push("records");
        warnings.push(format!("{} records were too many and are left out", event.cut).into());
    }
    if let Some(items) = syscall.and_then(|record| record.number(Key::ITEMS)) {
        let paths = event.records.iter().filter(|record| record.kind() == Kind::PATH).count();
        if items > paths as u64 {
            warnings.push(format!("{paths} of {items} paths are there").into());
        }
    }
    if arguments.is_incomplete() {
        incomplete.push("arguments");
    }
    warnings.extend(arguments.faults.iter().map(|fault| fault.to_string().into()));
    if has(Kind::SOCKADDR) && socket::address(&event.records).is_none() {
        warnings.push("the socket address cannot be read".into());
    }
    (incomplete, warnings)
}
