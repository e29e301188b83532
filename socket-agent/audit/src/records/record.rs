//! A parsed record.

use std::{borrow::Cow, ops::Range};

use super::{
    Field, Fields, Id, Key, Kind, SocketAddress, Text,
    field::{Buffer, Slot, Span},
    key_set::Filter,
};

/// One record. Its memory can be used again for another: see [`Record::read_line`].
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub(super) kind: Kind,
    pub(super) id: Id,
    pub(super) node: Span,
    /// The text, and behind it what was decoded.
    pub(super) buffer: Buffer,
    /// From `audit(` to the end of the line.
    pub(super) raw: Span,
    pub(super) slots: Vec<Slot>,
    /// The names of all slots.
    pub(super) seen: Filter,
    /// Index of the first slot that auditd has added with names for numbers.
    pub(super) enriched: usize,
    /// The slots of what a program says in `msg='...'`; all others are the kernel's.
    pub(super) message: Range<usize>,
}

impl Record {
    /// Type of the record.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Id of the event to which the record belongs.
    pub fn id(&self) -> Id {
        self.id
    }

    /// The host it is from, if its line names one: in logs that auditd has gathered.
    pub fn node(&self) -> Option<&[u8]> {
        (self.node != Span::default()).then(|| self.node.of(self.buffer.bytes()))
    }

    /// The text from `audit(` on, as it came.
    pub fn raw(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.raw.of(self.buffer.bytes()))
    }

    /// Bytes of memory that it has, for this text or a longer one.
    pub(crate) fn capacity(&self) -> usize {
        self.buffer.capacity() + self.slots.capacity() * size_of::<Slot>()
    }

    /// Bytes of memory that it takes.
    #[inline]
    pub(crate) fn length(&self) -> usize {
        size_of::<Self>() + self.buffer.bytes().len() + self.slots.len() * size_of::<Slot>()
    }

    pub(crate) fn raw_bytes(&self) -> &[u8] {
        self.raw.of(self.buffer.bytes())
    }

    /// All fields, without those of auditd's own making.
    pub fn fields(&self) -> Fields<'_> {
        let slots = self.slots.get(..self.enriched).unwrap_or_default();
        Fields { buffer: &self.buffer, slots: slots.iter() }
    }

    /// Those of the [`fields`](Self::fields) that say something and have a name that is wanted.
    #[inline]
    pub(crate) fn wanted(&self, wanted: impl Fn(Key) -> bool) -> impl Iterator<Item = Field<'_>> {
        let slots = self.slots.get(..self.enriched).unwrap_or_default();
        // What is not wanted is most of it, and not looked at any further.
        let slots = slots.iter().filter(move |slot| !slot.absent && wanted(slot.id));
        slots.map(|slot| slot.field(&self.buffer))
    }

    /// The names that auditd has added: `UID`, `SYSCALL` and so on.
    pub fn added(&self) -> Fields<'_> {
        let slots = self.slots.get(self.enriched..).unwrap_or_default();
        Fields { buffer: &self.buffer, slots: slots.iter() }
    }

    /// The first field of that name, if it says something.
    #[inline]
    pub fn get(&self, key: Key) -> Option<Field<'_>> {
        if !self.seen.may_have(key) {
            return None;
        }
        let slots = self.slots.get(..self.enriched).unwrap_or_default();
        first(slots, key, &self.buffer)
    }

    /// The first field of that name that auditd has added, if it says something.
    #[inline]
    pub fn get_added(&self, key: Key) -> Option<Field<'_>> {
        if !self.has_added() {
            return None;
        }
        first(self.slots.get(self.enriched..).unwrap_or_default(), key, &self.buffer)
    }

    /// Whether the record has a part `msg='...'`.
    #[inline]
    pub(crate) fn has_message(&self) -> bool {
        !self.message.is_empty()
    }

    /// The fields in `msg='...'` that say something.
    pub(crate) fn message(&self) -> impl Iterator<Item = Field<'_>> {
        let slots = self.slots.get(self.message.clone()).unwrap_or_default();
        slots.iter().filter(|slot| !slot.absent).map(|slot| slot.field(&self.buffer))
    }

    /// The first field of that name in `msg='...'`, if it says something. What a program says there
    /// of an account may have the name of what the kernel says of the program.
    pub(crate) fn get_in_message(&self, key: Key) -> Option<Field<'_>> {
        if !self.seen.may_have(key) {
            return None;
        }
        first(self.slots.get(self.message.clone()).unwrap_or_default(), key, &self.buffer)
    }

    /// The name that auditd has added for the number in one of this record's fields: the second
    /// `UID` is that of the second `uid`.
    pub(crate) fn name_added_for(&self, field: &Field<'_>) -> Option<Field<'_>> {
        if !self.has_added() {
            return None;
        }
        let interned = field.id.added();
        let is_name = |added: &Field<'_>| match interned {
            Some(key) => added.id == key,
            None => {
                let upper = field.key.iter().map(u8::to_ascii_uppercase);
                added.key.iter().copied().eq(upper)
            }
        };
        let before = self
            .fields()
            .take_while(|other| !other.is_same(field))
            .filter(|other| other.key == field.key)
            .count();
        self.added().filter(is_name).nth(before).filter(|name| !name.is_absent())
    }

    /// Whether auditd has added names for numbers.
    #[inline]
    pub(crate) fn has_added(&self) -> bool {
        self.enriched < self.slots.len()
    }

    /// The first field of any name, if it says something.
    pub fn find(&self, name: &str) -> Option<Field<'_>> {
        match Key::of(name.as_bytes()) {
            Key::OTHER => {
                self.fields().find(|field| field.key == name.as_bytes() && !field.is_absent())
            }
            key => self.get(key),
        }
    }

    /// A value as bytes.
    #[inline]
    pub fn value(&self, key: Key) -> Option<&[u8]> {
        self.get(key).map(|field| field.value)
    }

    /// A value as text.
    #[inline]
    pub fn text(&self, key: Key) -> Option<Text<'_>> {
        // Mostly there is none, which is known at once.
        if self.seen.may_have(key) { self.find_text(key) } else { None }
    }

    #[inline(never)]
    fn find_text(&self, key: Key) -> Option<Text<'_>> {
        self.get(key).map(|field| field.text())
    }

    /// A value that is a decimal number.
    pub fn number(&self, key: Key) -> Option<u64> {
        super::stamp::decimal(self.value(key)?)
    }

    /// A value that is a hexadecimal number, as arguments of system calls are.
    pub fn hex(&self, key: Key) -> Option<u64> {
        hexadecimal(self.value(key)?)
    }

    /// The address in a SOCKADDR record.
    pub fn socket_address(&self) -> Option<SocketAddress> {
        SocketAddress::parse_hex(self.value(Key::SADDR)?)
    }
}

#[inline]
fn first<'a>(slots: &[Slot], key: Key, buffer: &'a Buffer) -> Option<Field<'a>> {
    slots.iter().find(|slot| slot.id == key && !slot.absent).map(|slot| slot.field(buffer))
}

/// A number in hexadecimal, with or without `0x`.
pub(crate) fn hexadecimal(text: &[u8]) -> Option<u64> {
    let digits = text.strip_prefix(b"0x").unwrap_or(text);
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    digits.iter().try_fold(0, |number, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(digit))
    })
}
