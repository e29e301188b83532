//! DNS messages: what was asked, and the addresses that the answer gives for it.
//!
//! RFC 1035, RFC 3596 (AAAA), RFC 9460 (SVCB and HTTPS).

use std::{collections::BTreeSet, fmt::Display, net::IpAddr};

use domain::{
    base::{
        Message as Wire, ParsedName, ParsedRecord, Rtype,
        iana::{Opcode, Rcode},
        wire::ParseError,
    },
    rdata::{
        A, Aaaa, Cname,
        svcb::{
            Https, Svcb, SvcbRdata,
            value::{Ipv4Hint, Ipv6Hint},
        },
    },
};

/// Records of one message that are looked at.
const RECORDS: usize = 256;
/// Addresses that are taken from one message.
const ADDRESSES: usize = 256;
/// Aliases that are followed.
const ALIASES: usize = 16;

/// A message that concerns addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// A question.
    Query {
        /// Transaction id.
        id: u16,
        /// The question.
        question: Question,
    },
    /// An answer.
    Answer {
        /// Transaction id.
        id: u16,
        /// The question that is answered.
        question: Question,
        /// Addresses of that name and for how many seconds they hold.
        addresses: Vec<(IpAddr, u32)>,
        /// The message had more than was captured.
        cut: bool,
    },
}

/// Question of a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    /// In lower case, without the last dot; unusual bytes as `\DDD`.
    pub name: String,
    /// Type of the records: 1 (A), 28 (AAAA), 64 (SVCB), 65 (HTTPS), 255 (any).
    pub kind: u16,
}

/// A message that is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Reads a message; `None` if it is well-formed and does not concern addresses. `missing` says that
/// the message goes on behind `bytes`.
///
/// # Errors
///
/// It is no DNS message, or lies about its length.
pub(super) fn parse(bytes: &[u8], missing: bool) -> Result<Option<Message>, Malformed> {
    let wire = Wire::from_slice(bytes).map_err(|_| Malformed)?;
    let header = wire.header();
    if header.opcode() != Opcode::QUERY {
        return Ok(None);
    }
    if wire.header_counts().qdcount() != 1 {
        return if header.qr() { Ok(None) } else { Err(Malformed) };
    }
    let asked = wire.first_question().ok_or(Malformed)?;
    let kind = asked.qtype();
    if ![Rtype::A, Rtype::AAAA, Rtype::SVCB, Rtype::HTTPS, Rtype::ANY].contains(&kind) {
        return Ok(None);
    }
    let question = Question { name: text(asked.qname()), kind: kind.to_int() };
    if question.name.is_empty() {
        return Ok(None);
    }
    let id = header.id();
    if !header.qr() {
        return Ok(Some(Message::Query { id, question }));
    }
    if header.rcode() != Rcode::NOERROR {
        return Ok(Some(Message::Answer { id, question, addresses: Vec::new(), cut: false }));
    }
    let (records, whole) = records(wire);
    if !whole && !missing {
        return Err(Malformed);
    }
    let addresses = addresses(&question.name, &records);
    Ok(Some(Message::Answer { id, question, addresses, cut: !whole }))
}

/// The parts of a record that are used.
#[derive(Default)]
struct Data {
    alias: Option<String>,
    addresses: Vec<IpAddr>,
}

struct Record {
    owner: String,
    ttl: u32,
    data: Data,
}

/// The records that matter of all sections, and whether all could be read.
fn records(wire: &Wire<[u8]>) -> (Vec<Record>, bool) {
    let mut found = Vec::new();
    for record in wire.iter().take(RECORDS) {
        let Ok((record, _section)) = record else { return (found, false) };
        let Ok(data) = data(&record) else { return (found, false) };
        if let Some(data) = data {
            found.push(Record { owner: text(record.owner()), ttl: record.ttl().as_secs(), data });
        }
    }
    (found, true)
}

fn data(record: &ParsedRecord<'_, [u8]>) -> Result<Option<Data>, ParseError> {
    let mut found = Data::default();
    if let Some(record) = record.to_record::<A>()? {
        found.addresses.push(record.data().addr().into());
    } else if let Some(record) = record.to_record::<Aaaa>()? {
        found.addresses.push(record.data().addr().into());
    } else if let Some(record) = record.to_record::<Cname<_>>()? {
        found.alias = Some(text(record.data().cname()));
    } else if let Some(record) = record.to_record::<Https<_, _>>()? {
        service(record.data(), &mut found);
    } else if let Some(record) = record.to_record::<Svcb<_, _>>()? {
        service(record.data(), &mut found);
    } else {
        return Ok(None);
    }
    Ok(Some(found))
}

/// Where a service is: under another name, and at the addresses it hints at.
fn service<V>(data: &SvcbRdata<V, &[u8], ParsedName<&[u8]>>, found: &mut Data) {
    let target = text(data.target());
    // The root stands for the record's own name.
    found.alias = (!target.is_empty()).then_some(target);
    let params = data.params();
    for hint in params.iter::<Ipv4Hint<&[u8]>>().flatten() {
        found.addresses.extend(hint.iter().take(ADDRESSES).map(IpAddr::from));
    }
    for hint in params.iter::<Ipv6Hint<&[u8]>>().flatten() {
        found.addresses.extend(hint.iter().take(ADDRESSES).map(IpAddr::from));
    }
}

/// Addresses of `name` and of what it is an alias of. Records of other names prove nothing.
fn addresses(name: &str, records: &[Record]) -> Vec<(IpAddr, u32)> {
    let mut names = BTreeSet::from([name]);
    // An alias holds no longer than itself; servers send them in order, but need not.
    let mut ttl = u32::MAX;
    for _ in 0..ALIASES {
        let before = names.len();
        for record in records {
            if let Some(target) = &record.data.alias
                && names.contains(record.owner.as_str())
                && names.insert(target)
            {
                ttl = ttl.min(record.ttl);
            }
        }
        if names.len() == before || names.len() > ALIASES {
            break;
        }
    }
    let mut found: Vec<(IpAddr, u32)> = Vec::new();
    for record in records.iter().filter(|record| names.contains(record.owner.as_str())) {
        for address in &record.data.addresses {
            let address = address.to_canonical();
            if found.len() < ADDRESSES && !found.iter().any(|(known, _)| *known == address) {
                found.push((address, ttl.min(record.ttl)));
            }
        }
    }
    found
}

fn text(name: impl Display) -> String {
    let mut text = name.to_string();
    text.make_ascii_lowercase();
    text
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
