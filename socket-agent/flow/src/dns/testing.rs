//! Packets and messages for tests.

use std::net::IpAddr;

use super::packet::{IPV4, IPV6};

/// Some bytes.
pub fn some_bytes(random: &mut fastrand::Rng, length: usize) -> Vec<u8> {
    std::iter::repeat_with(|| random.u8(..)).take(length).collect()
}

/// A name as labels.
pub fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// A resource record.
pub fn record(owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = owner.to_vec();
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes.extend(ttl.to_be_bytes());
    bytes.extend((data.len() as u16).to_be_bytes());
    bytes.extend(data);
    bytes
}

/// A message with one question; `flags` are the second word of the header.
pub fn message(id: u16, flags: u16, asked: &str, kind: u16, answers: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend(flags.to_be_bytes());
    bytes.extend([0, 1]);
    bytes.extend((answers.len() as u16).to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(name(asked));
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes.extend(answers.concat());
    bytes
}

/// Flags of a query, and of an answer without error.
pub const QUERY: u16 = 0x0100;
pub const ANSWER: u16 = 0x8180;
/// A pointer to the name that was asked for.
pub const ASKED: [u8; 2] = [0xc0, 12];

pub fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = source.to_be_bytes().to_vec();
    bytes.extend(destination.to_be_bytes());
    bytes.extend((payload.len() as u16 + 8).to_be_bytes());
    bytes.extend([0; 2]);
    bytes.extend(payload);
    bytes
}

pub fn tcp(source: u16, destination: u16, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = source.to_be_bytes().to_vec();
    bytes.extend(destination.to_be_bytes());
    bytes.extend(sequence.to_be_bytes());
    bytes.extend([0, 0, 0, 0, 5 << 4, flags, 0, 0, 0, 0, 0, 0]);
    bytes.extend(payload);
    bytes
}

/// An IP packet and its ethertype. `between` are IPv4 options, or IPv6 extension headers of which
/// the first is of the kind `first`.
pub fn ip(
    ends: [&str; 2],
    protocol: u8,
    (first, between): (u8, &[u8]),
    payload: &[u8],
) -> (u16, Vec<u8>) {
    let [source, destination]: [IpAddr; 2] = ends.map(|end| end.parse().unwrap());
    let length = (between.len() + payload.len()) as u16;
    let (ethertype, mut bytes) = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut bytes = vec![0x45 + (between.len() / 4) as u8, 0];
            bytes.extend((length + 20).to_be_bytes());
            bytes.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
            bytes.extend(source.octets());
            bytes.extend(destination.octets());
            (IPV4, bytes)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let mut bytes = vec![0x60, 0, 0, 0];
            bytes.extend(length.to_be_bytes());
            bytes.extend([if between.is_empty() { protocol } else { first }, 64]);
            bytes.extend(source.octets());
            bytes.extend(destination.octets());
            (IPV6, bytes)
        }
        other => panic!("{other:?}"),
    };
    bytes.extend(between);
    bytes.extend(payload);
    (ethertype, bytes)
}

/// Behind a VLAN tag, or two.
pub fn tagged((ethertype, packet): (u16, Vec<u8>)) -> (u16, Vec<u8>) {
    // A priority that makes the tag look like the first byte of IPv4.
    let mut bytes = vec![0x45, 0x00];
    bytes.extend(ethertype.to_be_bytes());
    bytes.extend(packet);
    (0x8100, bytes)
}
