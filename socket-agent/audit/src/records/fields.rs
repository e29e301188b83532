//! From the text of a record to its fields.

use std::ops::Range;

use super::{
    Key, Kind, encoded,
    field::{Form, Slot, Span},
    key::pack,
    key_set::Filter,
    scan,
    separators::Separators,
};

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

/// A reader of the fields of one record.
pub(super) struct Parser<'t, 'r> {
    pub(super) kind: Kind,
    /// Whether arguments of a program are encoded.
    pub(super) is_exec: bool,
    /// Whether the kernel writes values with nothing but spaces between.
    pub(super) is_tidy: bool,
    /// Whether a field is what its name and its value say, whatever stands before it.
    pub(super) is_simple: bool,
    /// The text, which is also the beginning of the buffer.
    pub(super) text: &'t [u8],
    pub(super) buffer: Vec<u8>,
    pub(super) slots: &'r mut Vec<Slot>,
    pub(super) seen: &'r mut Filter,
    /// The slots of `msg='...'`.
    pub(super) message: &'r mut Range<usize>,
    /// Within `msg='...'`.
    pub(super) nested: bool,
    /// Behind `avc:`, before the permissions.
    pub(super) avc: bool,
    /// `old` or `new` before the next key, as LOGIN records of old kernels have it.
    pub(super) prefix: Option<&'static [u8]>,
}

impl Parser<'_, '_> {
    pub(super) fn fields(&mut self, start: usize, end: usize) {
        // From here on nothing is read behind the end.
        let text = self.text.get(..end).unwrap_or_default();
        let mut separators = Separators::of(text, start);
        let mut at = start;
        while let Some(byte) = text.get(at) {
            if matches!(byte, b' ' | b',' | b'(') {
                at += 1;
                continue;
            }
            let stop = separators.space_or_equals(at);
            at = match text.get(at..stop) {
                Some(word) if !word.is_empty() && text.get(stop) == Some(&b'=') => {
                    let id = Key::of_packed(packed(text, at, word), word);
                    let (key, start) = (Span::new(at, stop), stop + 1);
                    match text.get(start) {
                        Some(b'"') => self.quoted(text, id, key, start + 1),
                        Some(first) if self.may_be_plain(id, *first) => {
                            let end = separators.space(start);
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
