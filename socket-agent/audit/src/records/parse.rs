//! From a line to a record.

use thiserror::Error;

use super::{
    Id, Kind, Record,
    field::{Buffer, Form, Slot, Span},
    fields::Parser,
    key_set::Filter,
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
    /// Position behind the header.
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
            self.renumber_contexts();
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
    fn renumber_contexts(&mut self) {
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
