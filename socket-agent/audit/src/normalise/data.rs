//! Fields of the records that have no document field of their own.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use super::{
    Entity, IdNames, Ids, NoNames, actor,
    syscall::{self, Syscall},
    text::{Text, is_unset},
};
use crate::{
    decode,
    records::{
        Field, Key, KeySet, Kind, Record, SecurityContext, SocketAddress, decimal, hexadecimal,
    },
};

/// The value of a field: more than one where several records have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// One.
    One(Text<'a>),
    /// One of each record, in their order.
    Many(Vec<Text<'a>>),
}

impl<'a> Value<'a> {
    /// All of them.
    pub fn as_slice(&self) -> &[Text<'a>] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

/// Fields by name, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Data<'a> {
    entries: Vec<DataEntry<'a>>,
    index: Option<Box<NameIndex>>,
}

/// Where entries are by the hash of their name, once there are more than a few. Names come from a
/// log: none must be able to make all hashes the same.
#[derive(Clone, Debug, Default)]
struct NameIndex {
    by_name: HashMap<u64, usize, RandomState>,
    /// Number of entries in the index.
    length: usize,
}

/// Names among which another is looked for one by one.
const FEW: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
struct DataEntry<'a> {
    key: Key,
    name: Text<'a>,
    value: Value<'a>,
    /// Type of the record that the entry is from.
    kind: Kind,
}

impl<'a> Data<'a> {
    /// Key, name and value of each.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Key, &str, &Value<'a>)> {
        self.entries.iter().map(|entry| (entry.key, &*entry.name, &entry.value))
    }

    /// A value by its name; the first if there are several.
    pub fn get(&self, key: &str) -> Option<&str> {
        match &self.entries.iter().find(|entry| entry.name == *key)?.value {
            Value::One(text) => Some(text),
            Value::Many(texts) => texts.first().map(AsRef::as_ref),
        }
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Records of different kinds that say the same say it once; those of one kind are distinguished
    /// by their position.
    fn add(&mut self, kind: Kind, name: impl Into<Text<'a>>, text: impl Into<Text<'a>>) {
        self.insert_field(kind, Key::OTHER, name.into(), text.into());
    }

    fn insert_field(&mut self, kind: Kind, key: Key, name: Text<'a>, text: Text<'a>) {
        let Some(DataEntry { value, kind: from, .. }) = self.known(key, &name) else {
            self.entries.push(DataEntry { key, name, value: Value::One(text), kind });
            return;
        };
        match value {
            Value::One(known) if *known == text && *from != kind => {}
            Value::One(known) => *value = Value::Many(vec![std::mem::take(known), text]),
            Value::Many(known) => known.push(text),
        }
    }

    /// The entry of that name.
    #[inline]
    fn known(&mut self, key: Key, name: &str) -> Option<&mut DataEntry<'a>> {
        let is_same = |entry: &&mut DataEntry<'_>| {
            entry.key == key && (key != Key::OTHER || entry.name == *name)
        };
        if self.entries.len() < FEW {
            return self.entries.iter_mut().find(is_same);
        }
        self.known_of_many(key, name)
    }

    /// The way of [`known`](Self::known) for many entries: by an index.
    #[inline(never)]
    fn known_of_many(&mut self, key: Key, name: &str) -> Option<&mut DataEntry<'a>> {
        let Self { entries, index } = self;
        let NameIndex { by_name, length } = &mut **index.get_or_insert_default();
        for entry in entries.get(*length..).unwrap_or_default() {
            let hash = by_name.hasher().hash_one((entry.key, &*entry.name));
            by_name.entry(hash).or_insert(*length);
            *length += 1;
        }
        let hash = by_name.hasher().hash_one((key, name));
        entries.get_mut(*by_name.get(&hash)?)
    }

    /// Reads the fields of all records.
    pub(super) fn read(
        records: &'a [Record],
        call: Option<&Syscall<'a>>,
        socket: Option<&SocketAddress>,
        people: &People<'_>,
        names: &mut dyn IdNames,
    ) -> Self {
        let mut data = Self { entries: Vec::with_capacity(16), index: None };
        let has_paths = records.iter().any(|record| record.kind() == Kind::PATH);
        for record in records {
            match record.kind() {
                Kind::PATH | Kind::CWD | Kind::PROCTITLE | Kind::SOCKADDR => continue,
                Kind::EXECVE => {
                    if let Some(argc) = record.text(Key::ARGC) {
                        data.insert_field(Kind::EXECVE, Key::ARGC, "argc".into(), argc);
                    }
                    continue;
                }
                _ => {}
            }
            let is_count = |key| key == Key::ITEMS && has_paths;
            for field in record.wanted(|key| !is_count(key) && !has_own_entry(record, key)) {
                data.field(record, &field, call);
                data.name(record, &field, people, names);
            }
            // What has a document field of its own is there once; a program may say it of somebody else too.
            if record.has_message() {
                for field in record.wanted(|key| has_own_entry(record, key)) {
                    if people.has_lost_entry(record, &field) {
                        data.field(record, &field, call);
                        data.name(record, &field, people, names);
                    }
                }
            }
        }
        if let Some(call) = call {
            data.arguments(call);
        }
        if let Some(socket) = socket {
            data.socket(socket);
        }
        data
    }

    /// Adds an id that would have no document field otherwise.
    pub(super) fn keep(&mut self, key: &'static str, id: Option<&Entity<'a>>) {
        if let Some(id) = id.and_then(|entity| entity.id.clone()) {
            self.insert_field(Kind(0), Key::of(key.as_bytes()), key.into(), id);
        }
    }

    /// The name of the user or the group whose number a field holds stands beside it.
    fn name(
        &mut self,
        record: &'a Record,
        field: &Field<'a>,
        people: &People<'_>,
        names: &mut dyn IdNames,
    ) {
        let is_user = field.key.ends_with(b"uid") && !field.key.ends_with(b"uuid");
        let is_group = field.key.ends_with(b"gid");
        // That of an account is with the account.
        let is_other = field.id == Key::ID && record.has_added() && !people.are_of(field);
        if !(is_user || is_group || is_other) || decimal(field.value).is_none() {
            return;
        }
        let name = if is_other {
            Entity::of_id(record, field, false, &mut NoNames).name
        } else {
            Entity::of_id(record, field, is_group, names).name
        };
        if let Some(name) = name {
            self.add(record.kind(), format!("{}_name", field.name()), name);
        }
    }

    fn field(&mut self, record: &'a Record, field: &Field<'a>, call: Option<&Syscall<'a>>) {
        let kind = record.kind();
        let text = field.text();
        let mut words = None;
        let value = match field.id {
            Key::ARCH => {
                let arch = hexadecimal(field.value).and_then(|arch| u32::try_from(arch).ok());
                let added = || record.get_added(Key::ARCH_NAME).map(|name| name.text());
                let known = arch.and_then(decode::arch_name).map(Text::from);
                known.or_else(|| added().filter(|name| syscall::is_known(name))).unwrap_or(text)
            }
            Key::SYSCALL => match call.filter(|call| std::ptr::eq(call.record, record)) {
                Some(call) => call.name.clone(),
                None => syscall::name(record).unwrap_or(text),
            },
            Key::EXIT => exit(record, text),
            Key::SIG if kind == Kind::SECCOMP => {
                words = in_words(kind, field, &text);
                actor::signal(text)
            }
            Key::OBJ => {
                for (part, value) in SecurityContext::parse(&text).parts() {
                    self.add(kind, format!("obj_{part}"), value.to_owned());
                }
                return;
            }
            _ if is_unset(field.value)
                && (field.key.ends_with(b"auid") || field.key.ends_with(b"ses")) =>
            {
                "unset".into()
            }
            _ => {
                words = in_words(kind, field, &text);
                text
            }
        };
        self.insert_field(kind, field.id, field.name(), value);
        if let Some((suffix, words)) = words {
            self.add(kind, format!("{}_{suffix}", field.name()), words);
        }
    }

    /// `a2_text` says what `a2` stands for.
    fn arguments(&mut self, call: &Syscall<'a>) {
        for argument in decode::argument(&call.name, call.arch) {
            if !argument.applies(|index| call.argument(index)) {
                continue;
            }
            let number = call.argument(argument.index);
            let words = number.and_then(|number| argument.describe(call.arch, number));
            let key = ["a0_text", "a1_text", "a2_text", "a3_text"].get(usize::from(argument.index));
            if let Some((key, words)) = key.zip(words) {
                self.add(Kind::SYSCALL, *key, words);
            }
        }
    }

    fn socket(&mut self, socket: &SocketAddress) {
        let family = socket.family();
        let family = decode::family_name(family).map_or(family.to_string().into(), Text::from);
        self.add(Kind::SOCKADDR, "socket_family", family);
        match socket {
            SocketAddress::Ip { ip, port } => {
                self.add(Kind::SOCKADDR, "socket_addr", ip.to_canonical().to_string());
                self.add(Kind::SOCKADDR, "socket_port", port.to_string());
            }
            SocketAddress::Netlink { pid, groups } => {
                self.add(Kind::SOCKADDR, "socket_pid", pid.to_string());
                self.add(Kind::SOCKADDR, "socket_groups", groups.to_string());
            }
            SocketAddress::Vsock { cid, port } => {
                self.add(Kind::SOCKADDR, "socket_addr", cid.to_string());
                self.add(Kind::SOCKADDR, "socket_port", port.to_string());
            }
            SocketAddress::Packet { protocol, interface } => {
                self.add(Kind::SOCKADDR, "socket_protocol", format!("{protocol:#06x}"));
                self.add(Kind::SOCKADDR, "socket_interface", interface.to_string());
            }
            SocketAddress::Unix(_) | SocketAddress::Abstract(_) | SocketAddress::Other { .. } => {
                let path = super::socket::path(socket).filter(|path| !path.is_empty());
                if let Some(path) = path {
                    self.add(Kind::SOCKADDR, "socket_path", path);
                }
            }
        }
    }
}

/// Of which fields of a message the users of an event are made.
#[derive(Debug)]
pub(super) struct People<'a> {
    /// The account that a record names.
    pub(super) account: Option<Field<'a>>,
    /// The user or the group that was changed.
    pub(super) object: Option<Field<'a>>,
    /// Whether the ids in the message stand for those of the program that reports.
    pub(super) is_asking: bool,
}

impl People<'_> {
    /// Whether an account or an object is made of a field.
    fn are_of(&self, field: &Field<'_>) -> bool {
        [&self.account, &self.object].into_iter().flatten().any(|other| other.is_same(field))
    }

    /// Whether a field with a document field of its own has lost that to another one of its name.
    fn has_lost_entry(&self, record: &Record, field: &Field<'_>) -> bool {
        let is_asking = self.is_asking && Ids::has(record, field.id);
        let first = if is_asking { record.get_in_message(field.id) } else { record.get(field.id) };
        first.is_none_or(|first| first.value != field.value)
            && !self.are_of(field)
            && !(is_asking && is_unset(field.value))
    }
}

/// Fields that are elsewhere in a document.
static OWN_PLACE: KeySet = KeySet::of(&[
    Key::PID,
    Key::PPID,
    Key::COMM,
    Key::EXE,
    Key::CWD,
    Key::SES,
    Key::SUBJ,
    Key::KEY,
    Key::SUCCESS,
    Key::RES,
    Key::RESULT,
]);

/// Whether a document has another field for it.
#[inline]
fn has_own_entry(record: &Record, key: Key) -> bool {
    OWN_PLACE.has(key) || Ids::has(record, key)
}

/// The name of an error; other results are numbers.
fn exit<'a>(record: &Record, text: Text<'a>) -> Text<'a> {
    let errno = text.strip_prefix('-').and_then(|digits| digits.parse().ok());
    // Up to here all architectures number them alike.
    let errno = errno.filter(|errno| *errno <= 34 || !syscall::has_other_numbers(record));
    errno.and_then(decode::errno_name).map_or(text, Text::from)
}

/// What a value stands for, and what to add to the field's name for it.
fn in_words(kind: Kind, field: &Field<'_>, text: &str) -> Option<(&'static str, Text<'static>)> {
    let decimal = || text.parse::<u64>().ok();
    let hex = |text: &str| hexadecimal(text.as_bytes());
    let one = |set, number: Option<u64>| Some(("name", decode::one(set, number?)?.into()));
    match (kind.0, field.id) {
        (_, Key::SIG) => decimal()
            .filter(|signal| *signal > 0)
            .map(|_| ("name", actor::signal(text.to_owned().into()).into_owned().into())),
        (1326, Key::CODE) => one("seccomp_action", hex(text).map(|code| code & 0xffff_0000))
            .map(|(_, name)| ("action", name)),
        (1305, Key::LIST) => one("filter_list", decimal()),
        (1325, Key::FAMILY) => one("netfilter_family", decimal()),
        (1323, Key::FLAGS) => decode::bits("map", hex(text)?).map(|text| ("text", text.into())),
        (1337, Key::OFLAG) => {
            let flags = u64::from_str_radix(text, 8).ok()?;
            decode::bits("open", flags).map(|text| ("text", text.into()))
        }
        (1400, Key::CAPABILITY) => {
            let number = decimal().filter(|number| *number < 64)?;
            Some(("name", decode::capabilities(1 << number).into()))
        }
        (
            1321,
            Key::FP
            | Key::FI
            | Key::OLD_PP
            | Key::OLD_PI
            | Key::OLD_PE
            | Key::OLD_PA
            | Key::NEW_PP
            | Key::NEW_PI
            | Key::NEW_PE
            | Key::NEW_PA
            | Key::PP
            | Key::PI
            | Key::PE
            | Key::PA,
        )
        | (1322, Key::CAP_PI | Key::CAP_PP | Key::CAP_PE | Key::CAP_PA) => {
            Some(("names", decode::capabilities(hex(text)?).into()))
        }
        _ => None,
    }
}
