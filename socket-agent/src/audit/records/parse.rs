//! From a line to a record.

use thiserror::Error;

use super::{
    Id, Kind, Record, encoded,
    field::{Form, Slot, Span},
};

/// The longest line that is read. The kernel's records have up to 8,970 bytes; auditd adds names.
const LINE_MAX: usize = 1 << 20;
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
    parse(kind, Vec::from(trimmed(text)), Span::default(), 0)
}

/// Parses a line of auditd's log: `type=NAME msg=audit(TIME:SEQUENCE): key=value ...`, with
/// `node=NAME` before it and names for numbers behind it if auditd has added them.
///
/// # Errors
/// The line has no known type, no time and sequence number, or is too long.
pub fn parse_line(line: &[u8]) -> Result<Record, ParseError> {
    let line = trimmed(line);
    let mut at = 0;
    let mut node = Span::default();
    let mut kind = None;
    // At most two words come before msg=.
    for _ in 0..2 {
        let end = line[at..].iter().position(|byte| *byte == b' ').map(|length| at + length);
        let Some(end) = end else { break };
        let word = &line[at..end];
        if let Some(name) = word.strip_prefix(b"node=") {
            node = Span::new(end - name.len(), end);
        } else if let Some(name) = word.strip_prefix(b"type=") {
            let unknown = || ParseError::UnknownType(String::from_utf8_lossy(name).into_owned());
            let known = std::str::from_utf8(name).ok().and_then(Kind::of_name);
            kind = Some(known.ok_or_else(unknown)?);
        } else {
            break;
        }
        at = end + 1;
    }
    let kind = kind.ok_or_else(|| ParseError::UnknownType(String::new()))?;
    if line[at..].starts_with(b"msg=") {
        at += b"msg=".len();
    }
    parse(kind, line.to_vec(), node, at)
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.trim_ascii_end().strip_suffix(b"\0").unwrap_or(line.trim_ascii_end())
}

fn parse(kind: Kind, buffer: Vec<u8>, node: Span, at: usize) -> Result<Record, ParseError> {
    let length = buffer.len();
    if length > LINE_MAX {
        return Err(ParseError::TooLong(length));
    }
    let body = buffer.get(at..).and_then(|text| text.strip_prefix(b"audit("));
    let body = body.ok_or(ParseError::NoId)?;
    let close = body.iter().position(|byte| *byte == b')').ok_or(ParseError::NoId)?;
    let id = Id::parse(&body[..close]).ok_or(ParseError::NoId)?;
    let start = length - body.len() + close + 1;
    // A colon follows, except in what old versions of auditd wrote of themselves.
    let start = start + usize::from(buffer.get(start) == Some(&b':'));
    let text_end =
        buffer[start..].iter().position(|byte| *byte == ADDED).map_or(length, |at| start + at);

    let record = Record {
        kind,
        id,
        node,
        buffer,
        raw: Span::new(at, length),
        slots: Vec::with_capacity(if kind == Kind::SYSCALL { 32 } else { 16 }),
        enriched: 0,
    };
    let mut parser = Parser { record, nested: false, avc: false, prefix: None };
    parser.fields(start, text_end);
    parser.record.enriched = parser.record.slots.len();
    if text_end < length {
        parser.fields(text_end + 1, length);
    }
    Ok(parser.record)
}

struct Parser {
    record: Record,
    /// Within `msg='...'`.
    nested: bool,
    /// Behind `avc:`, before the permissions.
    avc: bool,
    /// `old` or `new` before the next key, as LOGIN records of old kernels have it.
    prefix: Option<&'static [u8]>,
}

impl Parser {
    fn at(&self, at: usize) -> u8 {
        self.record.buffer.get(at).copied().unwrap_or(b' ')
    }

    /// The first place from `at` on with a byte that is one of those, or `end`.
    fn find(&self, at: usize, end: usize, stop: impl Fn(u8) -> bool) -> usize {
        let rest = self.record.buffer.get(at..end).unwrap_or_default();
        rest.iter().position(|byte| stop(*byte)).map_or(end, |offset| at + offset)
    }

    fn fields(&mut self, start: usize, end: usize) {
        let mut at = start;
        while at < end {
            at = self.find(at, end, |byte| !matches!(byte, b' ' | b',' | b'('));
            let word = at;
            at = self.find(word, end, |byte| matches!(byte, b' ' | b'='));
            if at < end && self.at(at) == b'=' && at > word {
                at = self.value(Span::new(word, at), at + 1, end);
            } else {
                // Also a lone equals sign.
                at = at.max(word + 1).min(end);
                at = self.bare_word(word, at, end);
            }
        }
    }

    /// Reads the value that begins at `at` and returns where it ends.
    fn value(&mut self, key: Span, mut at: usize, end: usize) -> usize {
        // Some versions of AppArmor write subj==.
        if self.at(at) == b'=' && at < end {
            at += 1;
        }
        let (from, to, next, form) = match self.at(at) {
            b'"' if at < end => {
                let close = self.find(at + 1, end, |byte| byte == b'"');
                (at + 1, close, (close + 1).min(end), Form::Quoted)
            }
            b'\'' if at < end => return self.apostrophes(key, at + 1, end),
            b'{' if at < end => {
                let close = (self.find(at, end, |byte| byte == b'}') + 1).min(end);
                (at, close, close, Form::Plain)
            }
            _ => {
                let space = self.find(at, end, |byte| byte == b' ');
                let space = self.with_mode(key, space, end);
                (at, self.without_punctuation(at, space), space, Form::Plain)
            }
        };
        self.push(key, Span::new(from, to), form);
        next
    }

    /// `msg='...'` holds fields, and may hold apostrophes; anything else is a string.
    fn apostrophes(&mut self, key: Span, at: usize, end: usize) -> usize {
        let text = self.record.buffer.get(at..end).unwrap_or_default();
        if key.of(&self.record.buffer) == b"msg" && !self.nested {
            let close = text.iter().rposition(|byte| *byte == b'\'').map_or(end, |o| at + o);
            self.nested = true;
            self.fields(at, close);
            self.nested = false;
            return (close + 1).min(end);
        }
        let close = self.find(at, end, |byte| byte == b'\'');
        self.push(key, Span::new(at, close), Form::Quoted);
        (close + 1).min(end)
    }

    /// AppArmor's labels have their mode behind a space: `subj=/usr/sbin/cupsd (enforce)`.
    fn with_mode(&self, key: Span, space: usize, end: usize) -> usize {
        let is_label = matches!(key.of(&self.record.buffer), b"subj" | b"obj" | b"label");
        let rest = self.record.buffer.get(space..end).unwrap_or_default();
        if !is_label || !rest.starts_with(b" (") {
            return space;
        }
        (self.find(space, end, |byte| byte == b')') + 1).min(end)
    }

    /// Programs of old wrote `(hostname=?, addr=?, terminal=cron res=success)`.
    fn without_punctuation(&self, start: usize, end: usize) -> usize {
        let mut text = self.record.buffer.get(start..end).unwrap_or_default();
        if let Some(rest) = text.strip_suffix(b",") {
            text = rest;
        }
        if let Some(rest) = text.strip_suffix(b")").filter(|rest| !rest.contains(&b'(')) {
            text = rest;
        }
        start + text.len()
    }

    fn push(&mut self, key: Span, value: Span, form: Form) {
        let Record { kind, buffer, slots, .. } = &mut self.record;
        let mut slot = Slot { key, value, form };
        if let Some(prefix) = self.prefix.take() {
            let name = [prefix, key.of(buffer)].concat();
            slot.key = append(buffer, &name);
        }
        if form == Form::Plain
            // Cheaper than looking the key up, and seldom so.
            && encoded::is_hex(value.of(buffer))
            && encoded::is_encoded(*kind, key.of(buffer))
        {
            let start = buffer.len();
            let digits = value.start as usize..value.end as usize;
            let mut decoded = Vec::with_capacity(digits.len() / 2);
            encoded::decode_into(buffer.get(digits).unwrap_or_default(), &mut decoded);
            if *kind == Kind::PROCTITLE {
                spaces_for_zeros(&mut decoded);
            }
            buffer.extend_from_slice(&decoded);
            slot.value = Span::new(start, buffer.len());
            slot.form = Form::Decoded;
        }
        slots.push(slot);
    }

    /// A word that is no field; returns where to go on.
    fn bare_word(&mut self, start: usize, word_end: usize, end: usize) -> usize {
        let word = self.record.buffer.get(start..word_end).unwrap_or_default();
        match word {
            b"avc:" => self.avc = true,
            b"denied" | b"granted" if self.avc => {
                let key = append(&mut self.record.buffer, b"seresult");
                self.push(key, Span::new(start, word_end), Form::Plain);
            }
            b"{" if self.avc => {
                self.avc = false;
                return self.permissions(word_end, end);
            }
            b"old" if self.record.kind == Kind::LOGIN => self.prefix = Some(b"old_"),
            b"new" if self.record.kind == Kind::LOGIN => self.prefix = Some(b"new_"),
            b":" => {}
            _ => self.lengthen_operation(start, word_end),
        }
        word_end
    }

    /// `{ read write } for`: what was asked for, with commas between.
    fn permissions(&mut self, start: usize, end: usize) -> usize {
        let close = self.find(start, end, |byte| byte == b'}');
        let words = self.record.buffer.get(start..close).unwrap_or_default();
        let words: Vec<_> =
            words.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect();
        let joined = words.join(&b","[..]);
        let key = append(&mut self.record.buffer, b"seperms");
        let value = append(&mut self.record.buffer, &joined);
        self.push(key, value, Form::Plain);
        (close + 1).min(end)
    }

    /// `op=adding group to /etc/group id=1001`: the words up to the next field belong to `op`.
    fn lengthen_operation(&mut self, start: usize, end: usize) {
        let Record { buffer, slots, .. } = &mut self.record;
        let Some(last) = slots.last_mut() else { return };
        if last.form == Form::Plain
            && last.key.of(buffer) == b"op"
            && last.value.end as usize + 1 == start
        {
            last.value = Span::new(last.value.start as usize, end);
        }
    }
}

fn append(buffer: &mut Vec<u8>, text: &[u8]) -> Span {
    let start = buffer.len();
    buffer.extend_from_slice(text);
    Span::new(start, buffer.len())
}

/// Arguments in a process title have zeros between and at the end.
fn spaces_for_zeros(title: &mut Vec<u8>) {
    while title.last() == Some(&0) {
        title.pop();
    }
    for byte in title {
        if *byte == 0 {
            *byte = b' ';
        }
    }
}
