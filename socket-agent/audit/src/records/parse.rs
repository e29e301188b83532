//! From a line to a record.

use std::ops::Range;

use thiserror::Error;

use super::{
    Id, Key, Kind, Record, encoded,
    field::{Buffer, Form, Slot, Span},
    key::pack,
    key_set::Filter,
    marks::Marks,
    prefix::{self, Prefix},
    scan,
};

/// The longest line that is read. The kernel's records have up to 8,970 bytes; auditd adds names.
pub const LINE_MAX: usize = 1 << 20;
/// What separates the kernel's text from what auditd has added.
const ADDED: u8 = 0x1d;

/// Why a line is not a record.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// No `audit(TIME:SEQUENCE)`.
    #[error("no audit(TIME:SEQUENCE) in the record; is this an audit log?")]
    NoId,
    /// No `type=`, or a name nobody knows.
    #[error("unknown record type {0:?}; expected a line that begins with type=NAME msg=audit(")]
    UnknownType(String),
    /// `audit(DATE TIME:SEQUENCE)`.
    #[error(
        "the text of ausearch -i, which has words in place of numbers; give the log itself, or what \
         ausearch --raw prints"
    )]
    Interpreted,
    /// Longer than any record.
    #[error("{0} bytes in one record; no record has more than {LINE_MAX}")]
    TooLong(usize),
}

/// Parses a record in the kernel's form, `audit(TIME:SEQUENCE): key=value ...`, whose type stands
/// in the netlink header.
///
/// # Errors
/// The text has no time and sequence number, or is too long.
pub fn parse_kernel(kind: Kind, text: &[u8]) -> Result<Record, ParseError> {
    let mut record = Record::default();
    record.read_kernel(kind, text).map(|()| record)
}

/// Parses a line of auditd's log: `type=NAME msg=audit(TIME:SEQUENCE): key=value ...`, with
/// `node=NAME` before it and names for numbers behind it if auditd has added them; or such a line in
/// another log, with that log's header before it.
///
/// # Errors
/// The line has no known type, no time and sequence number, or is too long.
pub fn parse_line(line: &[u8]) -> Result<Record, ParseError> {
    let mut record = Record::default();
    record.read_line(line).map(|()| record)
}

/// What stands before a record's text: `node=NAME type=NAME msg=`.
struct Header {
    kind: Option<Kind>,
    node: Span,
    /// Where it ends.
    at: usize,
}

impl Header {
    #[inline(always)]
    fn read(line: &[u8], mut at: usize) -> Result<Self, ParseError> {
        let (mut node, mut kind) = (Span::default(), None);
        // At most two words come before msg=.
        for _ in 0..2 {
            if line[at..].starts_with(b"msg=") {
                break;
            }
            let end = scan::find(line, at, b' ');
            if end == line.len() {
                break;
            }
            let word = &line[at..end];
            if let Some(name) = word.strip_prefix(b"node=") {
                node = Span::new(end - name.len(), end);
            } else if let Some(name) = word.strip_prefix(b"type=") {
                let unknown =
                    || ParseError::UnknownType(String::from_utf8_lossy(name).into_owned());
                kind = Some(Kind::of_bytes(name).ok_or_else(unknown)?);
            } else {
                break;
            }
            at = end + 1;
        }
        if line[at..].starts_with(b"msg=") {
            at += b"msg=".len();
        }
        Ok(Self { kind, node, at })
    }
}

impl Record {
    /// Becomes the record that [`parse_kernel`] gives, in the memory that it has.
    ///
    /// # Errors
    /// As there; the record is then to be read anew.
    pub fn read_kernel(&mut self, kind: Kind, text: &[u8]) -> Result<(), ParseError> {
        self.read(kind, trimmed(text), Span::default(), 0, true)
    }

    /// Becomes the record that [`parse_line`] gives, in the memory that it has.
    ///
    /// # Errors
    /// As there; the record is then to be read anew.
    pub fn read_line(&mut self, line: &[u8]) -> Result<(), ParseError> {
        let line = trimmed(line);
        match Header::read(line, 0)? {
            Header { kind: Some(kind), node, at } => self.read(kind, line, node, at, true),
            Header { kind: None, .. } => self.read_within(line),
        }
    }

    /// As [`read_line`](Self::read_line), of a record in a line of another log.
    #[cold]
    fn read_within(&mut self, line: &[u8]) -> Result<(), ParseError> {
        let unknown = || ParseError::UnknownType(String::new());
        let Prefix { start, host } = prefix::find(line).ok_or_else(unknown)?;
        let Header { kind, node, at } = Header::read(line, start)?;
        let node = if node == Span::default() { host } else { node };
        self.read(kind.ok_or_else(unknown)?, line, node, at, false)
    }

    /// `is_own` is whether it is as the kernel or auditd writes it: in other logs the separator before
    /// what auditd has added may be another.
    fn read(
        &mut self,
        kind: Kind,
        text: &[u8],
        node: Span,
        at: usize,
        is_own: bool,
    ) -> Result<(), ParseError> {
        let length = text.len();
        if length > LINE_MAX {
            return Err(ParseError::TooLong(length));
        }
        let body = text.get(at..).and_then(|text| text.strip_prefix(b"audit("));
        let body = body.ok_or(ParseError::NoId)?;
        let (id, close) = Id::parse_closed(body).ok_or_else(|| no_id(body))?;
        let start = length - body.len() + close + 1;
        // A colon follows, except in what old versions of auditd wrote of themselves.
        let start = start + usize::from(text.get(start) == Some(&b':'));
        let separator =
            if scan::is_printable(text) { None } else { memchr::memchr(ADDED, &text[start..]) };
        let mut parts = separator.map(|at| (start + at, start + at + 1));
        if !is_own && parts.is_none() {
            parts = prefix::added(text, start);
        }
        let (text_end, added) = parts.unwrap_or((length, length));

        (self.kind, self.id, self.node, self.raw) = (kind, id, node, Span::new(at, length));
        let mut buffer = self.buffer.take();
        buffer.clear();
        buffer.extend_from_slice(text);
        self.slots.clear();
        self.seen = Filter::default();
        self.message = 0..0;
        let Self { slots, seen, message, .. } = self;
        let is_exec = kind == Kind::EXECVE;
        let is_tidy = matches!(kind, Kind::SYSCALL | Kind::PATH | Kind::PROCTITLE);
        let is_simple = !is_exec && kind != Kind::LOGIN;
        let mut parser = Parser {
            kind,
            is_exec,
            is_tidy,
            is_simple,
            text,
            buffer,
            slots,
            seen,
            message,
            nested: false,
            avc: false,
            prefix: None,
        };
        parser.fields(start, text_end);
        self.enriched = if text_end < length {
            parser.slots.len()
        } else {
            // auditd's plugin for syslog puts a space where the separator was. Names stand in quotes.
            let is_other = |slot: &Slot| {
                slot.form != Form::Quoted || !is_added_name(slot.key.of(&parser.buffer))
            };
            parser.slots.iter().rposition(is_other).map_or(0, |last| last + 1)
        };
        if text_end < length {
            parser.fields(added, length);
        }
        self.buffer = Buffer::new(parser.buffer);
        if kind.is_contexts_or_ipe() {
            self.tell_contexts();
        }
        Ok(())
    }
}

/// Whether a field is one that auditd adds: the name of a field with a number, in capitals.
fn is_added_name(name: &[u8]) -> bool {
    let capital = |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-');
    name.iter().all(capital)
        && (matches!(name, b"ARCH" | b"SYSCALL" | b"SADDR") || name.ends_with(b"ID"))
}

impl Record {
    /// Kernels of Ubuntu gave the contexts of several security modules the numbers that others have
    /// for what IPE tells.
    #[cold]
    fn tell_contexts(&mut self) {
        let first = self.slots.first().map(|slot| slot.key.of(self.buffer.bytes()));
        match first {
            Some(key) if key.starts_with(b"subj_") => self.kind = Kind::MAC_TASK_CONTEXTS,
            Some(key) if key.starts_with(b"obj_") => self.kind = Kind::MAC_OBJ_CONTEXTS,
            _ => {}
        }
    }
}

/// ausearch -i writes a date and a time of day.
#[cold]
fn no_id(body: &[u8]) -> ParseError {
    let stamp = body.get(..scan::find(body, 0, b')')).unwrap_or_default();
    let is_date = stamp.contains(&b' ') && stamp.iter().filter(|byte| **byte == b':').count() > 2;
    if is_date { ParseError::Interpreted } else { ParseError::NoId }
}

fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii_end();
    line.strip_suffix(b"\0").unwrap_or(line)
}

/// What a value may begin with that is neither in quotes or braces, nor perhaps says nothing.
static PLAIN_STARTS: [bool; 256] = {
    let mut plain = [true; 256];
    let others = b" \"'{=?(";
    let mut index = 0;
    while index < others.len() {
        plain[others[index] as usize] = false;
        index += 1;
    }
    plain
};

struct Parser<'t, 'r> {
    kind: Kind,
    /// Whether arguments of a program are encoded.
    is_exec: bool,
    /// Whether the kernel writes values with nothing but spaces between.
    is_tidy: bool,
    /// Whether a field is what its name and its value say, whatever stands before it.
    is_simple: bool,
    /// The text, which is also the beginning of the buffer.
    text: &'t [u8],
    buffer: Vec<u8>,
    slots: &'r mut Vec<Slot>,
    seen: &'r mut Filter,
    /// The slots of `msg='...'`.
    message: &'r mut Range<usize>,
    /// Within `msg='...'`.
    nested: bool,
    /// Behind `avc:`, before the permissions.
    avc: bool,
    /// `old` or `new` before the next key, as LOGIN records of old kernels have it.
    prefix: Option<&'static [u8]>,
}

impl Parser<'_, '_> {
    fn fields(&mut self, start: usize, end: usize) {
        // From here on nothing is read behind the end.
        let text = self.text.get(..end).unwrap_or_default();
        let mut marks = Marks::of(text, start);
        let mut at = start;
        while let Some(byte) = text.get(at) {
            if matches!(byte, b' ' | b',' | b'(') {
                at += 1;
                continue;
            }
            let stop = marks.space_or_equals(at);
            at = match text.get(at..stop) {
                Some(word) if !word.is_empty() && text.get(stop) == Some(&b'=') => {
                    let id = Key::of_packed(packed(text, at, word), word);
                    let (key, start) = (Span::new(at, stop), stop + 1);
                    match text.get(start) {
                        Some(b'"') => self.quoted(text, id, key, start + 1),
                        Some(first) if self.may_be_plain(id, *first) => {
                            let end = marks.space(start);
                            if matches!(text.get(end - 1), Some(b',' | b')')) {
                                self.value(text, id, key, start)
                            } else {
                                let (form, absent) = (Form::Plain, false);
                                let value = Span::new(start, end);
                                self.seen.add(id);
                                // Made in its place: made elsewhere and then copied, it would cost
                                // several times as much.
                                self.slots.push(Slot { id, form, absent, key, value });
                                // Behind the space.
                                end + 1
                            }
                        }
                        _ => self.value(text, id, key, start),
                    }
                }
                // Also a lone equals sign.
                _ => self.bare_word(text, at, stop.max(at + 1)),
            };
        }
    }

    /// Whether a value with that first byte, as most do, is what stands before the next space: no
    /// quotes, nothing encoded; punctuation may be behind it.
    #[inline]
    fn may_be_plain(&self, id: Key, first: u8) -> bool {
        self.is_simple && id.is_plain() && PLAIN_STARTS[usize::from(first)]
    }

    /// Reads the value that begins at `at`, behind a quote, and returns where to go on.
    #[inline(never)]
    fn quoted(&mut self, text: &[u8], id: Key, key: Span, at: usize) -> usize {
        let inner = text.get(at..).unwrap_or_default();
        let value = inner.get(..scan::length(inner, b'"')).unwrap_or_default();
        self.push(id, key, at, value, Form::Quoted);
        (at + value.len() + 1).min(text.len())
    }

    /// Reads the value that begins at `at`, whatever its form, and returns where to go on.
    #[inline(never)]
    fn value(&mut self, text: &[u8], id: Key, key: Span, mut at: usize) -> usize {
        // Some versions of AppArmor write subj==.
        if text.get(at) == Some(&b'=') {
            at += 1;
        }
        let rest = text.get(at..).unwrap_or_default();
        match rest.first() {
            Some(b'"') => self.quoted(text, id, key, at + 1),
            Some(b'\'') => self.apostrophes(text, id, key, at + 1),
            Some(b'{') => {
                let value = rest.get(..=scan::length(rest, b'}')).unwrap_or(rest);
                self.push(id, key, at, value, Form::Plain);
                at + value.len()
            }
            _ => {
                let mut length = scan::length(rest, b' ');
                if id.is_label() {
                    length = with_mode(rest, length);
                }
                let value = rest.get(..length).unwrap_or_default();
                let value = if self.is_tidy { value } else { without_punctuation(value) };
                self.push(id, key, at, value, Form::Plain);
                // Behind the space.
                at + length + 1
            }
        }
    }

    /// `msg='...'` holds fields, and may hold apostrophes; anything else is a string.
    fn apostrophes(&mut self, text: &[u8], id: Key, key: Span, at: usize) -> usize {
        if id == Key::MSG && !self.nested {
            let inner = text.get(at..).unwrap_or_default();
            let close = memchr::memrchr(b'\'', inner).map_or(text.len(), |place| at + place);
            self.nested = true;
            let first = self.slots.len();
            self.fields(at, close);
            *self.message = first..self.slots.len();
            self.nested = false;
            return (close + 1).min(text.len());
        }
        let inner = text.get(at..).unwrap_or_default();
        let value = inner.get(..scan::length(inner, b'\'')).unwrap_or_default();
        self.push(id, key, at, value, Form::Quoted);
        (at + value.len() + 1).min(text.len())
    }

    /// Adds a field whose value begins at `start`.
    #[inline(always)]
    fn push(&mut self, id: Key, key: Span, start: usize, value: &[u8], form: Form) {
        let absent = match value {
            b"" | b"?" => true,
            b"(null)" => form == Form::Plain,
            _ => false,
        };
        let value = Span::new(start, start + value.len());
        let is_encoded = self.is_exec || id.is_encoded();
        if (is_encoded && form == Form::Plain) || self.prefix.is_some() {
            return self.push_special(Slot { id, form, absent, key, value });
        }
        self.seen.add(id);
        self.slots.push(Slot { id, form, absent, key, value });
    }

    /// As [`push`](Self::push), for what is not as it stands in the text.
    #[inline(never)]
    fn push_special(&mut self, mut slot: Slot) {
        let name = slot.key.of(self.text);
        if self.prefix.is_some() {
            self.lengthen_name(&mut slot);
        }
        if slot.form == Form::Plain && encoded::is_encoded(self.kind, slot.id, name) {
            self.decode(&mut slot);
        }
        self.seen.add(slot.id);
        self.slots.push(slot);
    }

    /// `old auid=1` becomes `old_auid=1`.
    #[cold]
    fn lengthen_name(&mut self, slot: &mut Slot) {
        let name = [self.prefix.take().unwrap_or_default(), slot.key.of(self.text)].concat();
        (slot.id, slot.key) = (Key::of(&name), append(&mut self.buffer, &name));
    }

    /// Appends what an encoded value stands for to the buffer.
    fn decode(&mut self, slot: &mut Slot) {
        let start = self.buffer.len();
        if !encoded::decode(slot.value.of(self.text), &mut self.buffer) {
            return;
        }
        if self.kind == Kind::PROCTITLE {
            spaces_for_zeros(&mut self.buffer, start);
        }
        slot.value = Span::new(start, self.buffer.len());
        slot.form = Form::Decoded;
        slot.absent = self.buffer.len() == start;
    }

    /// A word that is no field; returns where to go on.
    #[inline(never)]
    fn bare_word(&mut self, text: &[u8], start: usize, word_end: usize) -> usize {
        let word = text.get(start..word_end).unwrap_or_default();
        match word {
            b"avc:" => self.avc = true,
            b"denied" | b"granted" if self.avc => {
                let key = append(&mut self.buffer, b"seresult");
                self.push(Key::SERESULT, key, start, word, Form::Plain);
            }
            b"{" if self.avc => {
                self.avc = false;
                return self.permissions(text, word_end);
            }
            b"old" if self.kind == Kind::LOGIN => self.prefix = Some(b"old_"),
            b"new" if self.kind == Kind::LOGIN => self.prefix = Some(b"new_"),
            b":" => {}
            _ => self.lengthen_operation(start, word_end),
        }
        word_end
    }

    /// `{ read write } for`: what was asked for, with commas between.
    fn permissions(&mut self, text: &[u8], start: usize) -> usize {
        let close = start + scan::length(text.get(start..).unwrap_or_default(), b'}');
        let words = text.get(start..close).unwrap_or_default();
        let words: Vec<_> =
            words.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect();
        let joined = words.join(&b","[..]);
        let key = append(&mut self.buffer, b"seperms");
        let value = append(&mut self.buffer, &joined);
        let (id, form, absent) = (Key::SEPERMS, Form::Plain, false);
        self.seen.add(id);
        self.slots.push(Slot { id, form, absent, key, value });
        (close + 1).min(text.len())
    }

    /// `op=adding group to /etc/group id=1001`: the words up to the next field belong to `op`.
    fn lengthen_operation(&mut self, start: usize, end: usize) {
        let Some(last) = self.slots.last_mut() else { return };
        if last.form == Form::Plain && last.id == Key::OP && last.value.end as usize + 1 == start {
            last.value = Span::new(last.value.start as usize, end);
        }
    }
}

/// The first eight bytes of the name that begins at `at`.
#[inline]
fn packed(text: &[u8], at: usize, name: &[u8]) -> u64 {
    // Near the end of the text no eight bytes follow.
    let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) else {
        return pack_short(name);
    };
    let surplus = 8 * 8_usize.saturating_sub(name.len());
    // The name is not empty.
    u64::from_le_bytes(*chunk) & u64::MAX >> (surplus & 63)
}

/// As [`pack`]; apart, to keep the way that nearly all names take short.
#[cold]
#[inline(never)]
fn pack_short(name: &[u8]) -> u64 {
    pack(name)
}

/// AppArmor's labels have their mode behind a space: `subj=/usr/sbin/cupsd (enforce)`.
#[cold]
fn with_mode(text: &[u8], length: usize) -> usize {
    let behind = text.get(length..).unwrap_or_default();
    if !behind.starts_with(b" (") {
        return length;
    }
    length + (scan::length(behind, b')') + 1).min(behind.len())
}

/// Programs of old wrote `(hostname=?, addr=?, terminal=cron res=success)`.
fn without_punctuation(mut text: &[u8]) -> &[u8] {
    if let Some(rest) = text.strip_suffix(b",") {
        text = rest;
    }
    if let Some(rest) = text.strip_suffix(b")").filter(|rest| !rest.contains(&b'(')) {
        text = rest;
    }
    text
}

fn append(buffer: &mut Vec<u8>, text: &[u8]) -> Span {
    let start = buffer.len();
    buffer.extend_from_slice(text);
    Span::new(start, buffer.len())
}

/// Arguments in a process title, from `start` on, have zeros between and at the end.
fn spaces_for_zeros(buffer: &mut Vec<u8>, start: usize) {
    while buffer.len() > start && buffer.last() == Some(&0) {
        buffer.pop();
    }
    for byte in buffer.get_mut(start..).unwrap_or_default() {
        if *byte == 0 {
            *byte = b' ';
        }
    }
}
