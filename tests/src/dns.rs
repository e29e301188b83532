//! DNS messages.

use std::net::IpAddr;

/// Type of a record.
pub(crate) const A: u16 = 1;
pub(crate) const CNAME: u16 = 5;
pub(crate) const AAAA: u16 = 28;
pub(crate) const HTTPS: u16 = 65;

/// Flag: there is more than fits into a datagram.
pub(crate) const TRUNCATED: u16 = 0x0200;

/// A record: the name it is of, its type, its data. It holds for a second.
pub(crate) struct Record(pub(crate) String, pub(crate) u16, pub(crate) Vec<u8>);

/// An address of a name.
pub(crate) fn address(name: &str, address: IpAddr) -> Record {
    let (kind, data) = match address {
        IpAddr::V4(address) => (A, address.octets().to_vec()),
        IpAddr::V6(address) => (AAAA, address.octets().to_vec()),
    };
    Record(name.to_owned(), kind, data)
}

/// Another name of a name.
pub(crate) fn alias(name: &str, target: &str) -> Record {
    Record(name.to_owned(), CNAME, labels(target))
}

/// A service at the name itself, with hints at its address.
pub(crate) fn service(name: &str, address: IpAddr) -> Record {
    let mut data = vec![0, 1, 0];
    match address {
        IpAddr::V4(address) => {
            data.extend([0, 4, 0, 4]);
            data.extend(address.octets());
        }
        IpAddr::V6(address) => {
            data.extend([0, 6, 0, 16]);
            data.extend(address.octets());
        }
    }
    Record(name.to_owned(), HTTPS, data)
}

pub(crate) fn query(id: u16, name: &str, kind: u16) -> Vec<u8> {
    message(id, 0x0100, name, kind, &[])
}

pub(crate) fn answer(id: u16, name: &str, kind: u16, records: &[Record]) -> Vec<u8> {
    message(id, 0x8180, name, kind, records)
}

pub(crate) fn truncated(id: u16, name: &str, kind: u16) -> Vec<u8> {
    message(id, 0x8180 | TRUNCATED, name, kind, &[])
}

/// As it goes over TCP.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let mut bytes = (message.len() as u16).to_be_bytes().to_vec();
    bytes.extend(message);
    bytes
}

fn message(id: u16, flags: u16, name: &str, kind: u16, records: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [id, flags, 1, records.len() as u16, 0, 0] {
        bytes.extend(word.to_be_bytes());
    }
    bytes.extend(labels(name));
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    for Record(name, kind, data) in records {
        bytes.extend(labels(name));
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 1]);
        bytes.extend((data.len() as u16).to_be_bytes());
        bytes.extend(data);
    }
    bytes
}

fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
