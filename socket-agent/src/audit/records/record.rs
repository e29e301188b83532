//! A parsed record.

use std::borrow::Cow;

use super::{
    Field, Fields, Id, Kind, SocketAddress,
    field::{Slot, Span},
};

/// One record.
#[derive(Clone, Debug)]
pub struct Record {
    pub(super) kind: Kind,
    pub(super) id: Id,
    pub(super) node: Span,
    /// The text, and behind it what was decoded.
    pub(super) buffer: Vec<u8>,
    /// From `audit(` to the end of the line.
    pub(super) raw: Span,
    pub(super) slots: Vec<Slot>,
    /// Index of the first slot that auditd has added with names for numbers.
    pub(super) enriched: usize,
}

impl Record {
    /// Its type.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Which event it belongs to.
    pub fn id(&self) -> Id {
        self.id
    }

    /// The host it is from, if its line names one: in logs that auditd has gathered.
    pub fn node(&self) -> Option<&[u8]> {
        (self.node != Span::default()).then(|| self.node.of(&self.buffer))
    }

    /// The text from `audit(` on, as it came.
    pub fn raw(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.raw.of(&self.buffer))
    }

    pub(crate) fn raw_bytes(&self) -> &[u8] {
        self.raw.of(&self.buffer)
    }

    /// All fields, without those of auditd's own making.
    pub fn fields(&self) -> Fields<'_> {
        let slots = self.slots.get(..self.enriched).unwrap_or_default();
        Fields { buffer: &self.buffer, slots: slots.iter() }
    }

    /// The names that auditd has added: `UID`, `SYSCALL` and so on.
    pub fn added(&self) -> Fields<'_> {
        let slots = self.slots.get(self.enriched..).unwrap_or_default();
        Fields { buffer: &self.buffer, slots: slots.iter() }
    }

    /// The first field of that name, if it says something.
    pub fn get(&self, key: &str) -> Option<Field<'_>> {
        self.fields().find(|field| field.key == key.as_bytes() && !field.is_absent())
    }

    /// A value as bytes.
    pub fn value(&self, key: &str) -> Option<&[u8]> {
        self.get(key).map(|field| field.value)
    }

    /// A value as text.
    pub fn text(&self, key: &str) -> Option<Cow<'_, str>> {
        self.get(key).map(|field| field.text())
    }

    /// A value that is a decimal number.
    pub fn number(&self, key: &str) -> Option<u64> {
        super::stamp::decimal(self.value(key)?)
    }

    /// A value that is a hexadecimal number, as arguments of system calls are.
    pub fn hex(&self, key: &str) -> Option<u64> {
        let text = std::str::from_utf8(self.value(key)?).ok()?;
        u64::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()
    }

    /// The address in a SOCKADDR record.
    pub fn socket_address(&self) -> Option<SocketAddress> {
        SocketAddress::parse_hex(self.value("saddr")?)
    }
}
