//! What the records say beyond what has a place of its own.

use super::{
    Entity, Ids, actor,
    syscall::{self, Syscall},
    text::{Text, is_unset},
};
use crate::audit::{
    decode,
    records::{Field, Kind, Record, SecurityContext, SocketAddress},
};

/// The value of a field: more than one where several records have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// One.
    One(Text<'a>),
    /// One of each record, in their order.
    Many(Vec<Text<'a>>),
}

/// Fields by name, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data<'a>(Vec<(Text<'a>, Value<'a>, Kind)>);

impl<'a> Data<'a> {
    /// Name and value of each.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value<'a>)> {
        self.0.iter().map(|(key, value, _)| (key.as_ref(), value))
    }

    /// A value by its name; the first if there are several.
    pub fn get(&self, key: &str) -> Option<&str> {
        let (_, value, _) = self.0.iter().find(|(known, ..)| known == key)?;
        match value {
            Value::One(text) => Some(text),
            Value::Many(texts) => texts.first().map(AsRef::as_ref),
        }
    }

    /// Nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Records of different kinds that say the same say it once; those of one kind are told apart
    /// by their place.
    fn add(&mut self, kind: Kind, key: impl Into<Text<'a>>, text: impl Into<Text<'a>>) {
        let (key, text) = (key.into(), text.into());
        let Some((_, value, from)) = self.0.iter_mut().find(|(known, ..)| *known == key) else {
            self.0.push((key, Value::One(text), kind));
            return;
        };
        match value {
            Value::One(known) if *known == text && *from != kind => {}
            Value::One(known) => *value = Value::Many(vec![std::mem::take(known), text]),
            Value::Many(known) => known.push(text),
        }
    }

    pub(super) fn read(
        records: &'a [Record],
        call: Option<&Syscall<'a>>,
        socket: Option<&SocketAddress>,
    ) -> Self {
        let mut data = Self(Vec::with_capacity(16));
        let has_paths = records.iter().any(|record| record.kind() == Kind::PATH);
        for record in records {
            match record.kind() {
                Kind::PATH | Kind::CWD | Kind::PROCTITLE | Kind::SOCKADDR => continue,
                Kind::EXECVE => {
                    data.0.extend(
                        record
                            .text("argc")
                            .map(|argc| ("argc".into(), Value::One(argc), Kind::EXECVE)),
                    );
                    continue;
                }
                _ => {}
            }
            for field in record.fields() {
                let is_count = field.key == b"items" && has_paths;
                if !field.is_absent() && !is_count && !has_own_place(record, &field) {
                    data.field(record, &field);
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

    /// Adds an id that would have no place otherwise.
    pub(super) fn keep(&mut self, key: &'static str, id: Option<&Entity<'a>>) {
        if let Some(id) = id.and_then(|entity| entity.id.clone()) {
            self.0.push((key.into(), Value::One(id), Kind(0)));
        }
    }

    fn field(&mut self, record: &'a Record, field: &Field<'a>) {
        let kind = record.kind();
        let key = field.name();
        let text = field.text();
        match field.key {
            b"arch" => {
                let name = hex(&text).and_then(|arch| decode::arch_name(u32::try_from(arch).ok()?));
                self.add(kind, key, name.map_or(text, Text::from));
            }
            b"syscall" => self.add(kind, key, syscall::name(record).unwrap_or(text)),
            b"exit" => self.add(kind, key, exit(text)),
            b"obj" => {
                for (part, value) in SecurityContext::parse(&text).parts() {
                    self.add(kind, format!("obj_{part}"), value.to_owned());
                }
            }
            _ if field.key.ends_with(b"auid") || field.key.ends_with(b"ses") => {
                let text = if is_unset(field.value) { "unset".into() } else { text };
                self.add(kind, key, text);
            }
            _ => {
                let words = in_words(kind, field, &text);
                self.add(kind, key.clone(), text);
                if let Some((suffix, words)) = words {
                    self.add(kind, format!("{key}_{suffix}"), words);
                }
            }
        }
    }

    /// `a2_text` says what `a2` stands for.
    fn arguments(&mut self, call: &Syscall<'a>) {
        for argument in decode::argument(&call.name) {
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
                self.add(Kind::SOCKADDR, "socket_addr", ip.to_string());
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

/// Whether a document has another place for a field.
fn has_own_place(record: &Record, field: &Field<'_>) -> bool {
    matches!(
        field.key,
        b"pid"
            | b"ppid"
            | b"comm"
            | b"exe"
            | b"cwd"
            | b"ses"
            | b"subj"
            | b"key"
            | b"success"
            | b"res"
            | b"result"
    ) || Ids::index(record, field.key).is_some()
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()
}

/// The name of an error; other results are numbers.
fn exit(text: Text<'_>) -> Text<'_> {
    let errno = text.strip_prefix('-').and_then(|digits| digits.parse().ok());
    errno.and_then(decode::errno_name).map_or(text, Text::from)
}

/// What a value stands for, and what to add to the field's name for it.
fn in_words(kind: Kind, field: &Field<'_>, text: &str) -> Option<(&'static str, Text<'static>)> {
    let decimal = || text.parse::<u64>().ok();
    let one = |set, number: Option<u64>| Some(("name", decode::one(set, number?)?.into()));
    match (kind.0, field.key) {
        (_, b"sig") => decimal()
            .filter(|signal| *signal > 0)?
            .checked_add(0)
            .map(|_| ("name", actor::signal(text.to_owned().into()).into_owned().into())),
        (1326, b"code") => one("seccomp_action", hex(text).map(|code| code & 0xffff_0000))
            .map(|(_, name)| ("action", name)),
        (1305, b"list") => one("filter_list", decimal()),
        (1325, b"family") => one("netfilter_family", decimal()),
        (1323, b"flags") => decode::bits("map", hex(text)?).map(|text| ("text", text.into())),
        (1337, b"oflag") => {
            let flags = u64::from_str_radix(text, 8).ok()?;
            decode::bits("open", flags).map(|text| ("text", text.into()))
        }
        (1400, b"capability") => {
            let number = decimal().filter(|number| *number < 64)?;
            Some(("name", decode::capabilities(1 << number).into()))
        }
        (
            1321,
            b"fp" | b"fi" | b"old_pp" | b"old_pi" | b"old_pe" | b"old_pa" | b"new_pp" | b"new_pi"
            | b"new_pe" | b"new_pa" | b"pp" | b"pi" | b"pe" | b"pa",
        )
        | (1322, b"cap_pi" | b"cap_pp" | b"cap_pe" | b"cap_pa") => {
            Some(("names", decode::capabilities(hex(text)?).into()))
        }
        _ => None,
    }
}
