//! Community ID version 1: one name for a flow in every tool that sees it.
//!
//! Source: the "Community ID flow hashing" specification of Corelight.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1};
use socket_common::{FAMILY_IPV4, Tuple};

/// The seed that is in use unless two parties agree on another one.
const SEED: u16 = 0;
/// Base64 of the 20 bytes of a SHA-1.
const LENGTH: usize = 28;

/// The text `1:` and a base64 hash. The same for both directions of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommunityId([u8; LENGTH]);

impl CommunityId {
    /// The id of a TCP or UDP conversation.
    pub fn of(tuple: &Tuple) -> Self {
        let length = if tuple.family == FAMILY_IPV4 { 4 } else { 16 };
        let (near, far) = (Tuple::address_bytes(tuple.local), Tuple::address_bytes(tuple.remote));
        let local = (&near[..length], tuple.local_port);
        let remote = (&far[..length], tuple.remote_port);
        // The lower address, or on equal addresses the lower port, goes first.
        let (low, high) = if local <= remote { (local, remote) } else { (remote, local) };

        let hash = Sha1::new()
            .chain_update(SEED.to_be_bytes())
            .chain_update(low.0)
            .chain_update(high.0)
            .chain_update([tuple.protocol, 0])
            .chain_update(low.1.to_be_bytes())
            .chain_update(high.1.to_be_bytes())
            .finalize();
        let mut text = [b'='; LENGTH];
        // Cannot fail: 20 bytes are 28 characters of base64.
        let _ = STANDARD.encode_slice(hash, &mut text);
        Self(text)
    }
}

impl fmt::Display for CommunityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("1:")?;
        f.write_str(std::str::from_utf8(&self.0).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use socket_common::{FAMILY_IPV6, PROTO_TCP, PROTO_UDP};

    use super::*;

    fn tuple(local: &str, remote: &str, protocol: u8) -> Tuple {
        let mut tuple = Tuple { protocol, ..Tuple::default() };
        let mut set = |address: &str| {
            let address: SocketAddr = address.parse().unwrap();
            let mut bytes = [0; 16];
            match address.ip() {
                IpAddr::V4(ip) => {
                    tuple.family = FAMILY_IPV4;
                    bytes[..4].copy_from_slice(&ip.octets());
                }
                IpAddr::V6(ip) => {
                    tuple.family = FAMILY_IPV6;
                    bytes = ip.octets();
                }
            }
            (Tuple::address_words(bytes), address.port())
        };
        (tuple.local, tuple.local_port) = set(local);
        (tuple.remote, tuple.remote_port) = set(remote);
        tuple
    }

    fn assert_id(one: &str, other: &str, protocol: u8, expected: &str) {
        assert_eq!(CommunityId::of(&tuple(one, other, protocol)).to_string(), expected);
        assert_eq!(CommunityId::of(&tuple(other, one, protocol)).to_string(), expected);
    }

    #[test]
    fn published_vectors() {
        assert_id(
            "128.232.110.120:34855",
            "66.35.250.204:80",
            PROTO_TCP,
            "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
        );
        assert_id("192.168.1.52:54585", "8.8.8.8:53", PROTO_UDP, "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
        assert_id(
            "[2001:470:e5bf:dead:4957:2174:e82c:4887]:63943",
            "[2607:f8b0:400c:c03::1a]:25",
            PROTO_TCP,
            "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
        );
        // The id of the example document that the sensor's documents follow.
        assert_id(
            "10.0.2.15:40192",
            "151.101.66.217:80",
            PROTO_TCP,
            "1:jdjL1TkdpF1v1GM0+JxRRp+V7KI=",
        );
    }

    #[test]
    fn equal_addresses_are_ordered_by_port() {
        let id = CommunityId::of(&tuple("127.0.0.1:9000", "127.0.0.1:300", PROTO_TCP));
        assert_eq!(id, CommunityId::of(&tuple("127.0.0.1:300", "127.0.0.1:9000", PROTO_TCP)));
        assert_ne!(id, CommunityId::of(&tuple("127.0.0.1:9000", "127.0.0.1:300", PROTO_UDP)));
    }
}
