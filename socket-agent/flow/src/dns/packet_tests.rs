use super::*;
use crate::dns::testing::{ip, some_bytes, tagged, tcp, udp};

const V4: [&str; 2] = ["10.0.0.53", "10.0.0.1"];
const V6: [&str; 2] = ["fd00::53", "fd00::1"];

fn ends(segment: &Segment<'_>) -> (String, String) {
    (segment.source.to_string(), segment.destination.to_string())
}

#[test]
fn ipv4_with_options() {
    for options in [&[][..], &[1, 1, 1, 0], &[1; 40]] {
        let (kind, packet) = ip(V4, PROTO_UDP, (0, options), &udp(53, 4000, b"payload"));
        let segment = parse(kind, &packet).unwrap();
        assert_eq!(ends(&segment), ("10.0.0.53:53".to_owned(), "10.0.0.1:4000".to_owned()));
        assert_eq!((segment.payload, segment.missing, segment.tcp), (&b"payload"[..], 0, None));
    }
}

#[test]
fn ipv6_behind_extension_headers() {
    // Hop-by-hop, destination (16 bytes), fragment (the first), authentication, then UDP.
    let mut between = vec![60, 0, 0, 0, 0, 0, 0, 0];
    between.extend([44, 1]);
    between.extend([0; 14]);
    between.extend([51, 0, 0, 1, 0, 0, 0, 9]);
    between.extend([PROTO_UDP, 4]);
    between.extend([0; 22]);
    let (kind, packet) = ip(V6, PROTO_UDP, (0, &between), &udp(53, 4000, b"payload"));
    let segment = parse(kind, &packet).unwrap();
    assert_eq!(ends(&segment), ("[fd00::53]:53".to_owned(), "[fd00::1]:4000".to_owned()));
    assert_eq!((segment.payload, segment.missing), (&b"payload"[..], 0));
    let second = {
        let mut packet = packet.clone();
        packet[40 + 8 + 16 + 3] = 8;
        packet
    };
    assert_eq!(parse(kind, &second), None, "a later fragment has no ports");
}

#[test]
fn vlan_tags_and_packets_that_only_claim_to_have_one() {
    let plain = ip(V4, PROTO_UDP, (0, &[]), &udp(53, 4000, b"payload"));
    let segment = parse(plain.0, &plain.1);
    assert!(segment.is_some());
    for (kind, packet) in [tagged(plain.clone()), tagged(tagged(plain.clone()))] {
        assert_eq!(parse(kind, &packet), segment);
        assert_eq!(parse(0x88a8, &packet), segment);
    }
    assert_eq!(parse(0x8100, &plain.1), segment);
    assert_eq!(parse(0x0806, &plain.1), None);
}

#[test]
fn what_was_not_captured_is_told() {
    let (kind, packet) = ip(V4, PROTO_TCP, (0, &[]), &tcp(53, 4000, 7, 0x12, &[9; 100]));
    let segment = parse(kind, &packet[..60]).unwrap();
    assert_eq!((segment.payload.len(), segment.missing), (20, 80));
    assert_eq!(segment.tcp, Some(TcpPart { sequence: 7, syn: true, end: false }));
    // Padding of short frames is not part of the packet.
    let (kind, mut packet) = ip(V4, PROTO_UDP, (0, &[]), &udp(53, 4000, b"x"));
    packet.extend([0; 17]);
    assert_eq!(parse(kind, &packet).unwrap().payload, b"x");
}

#[test]
fn random_bytes_do_no_harm() {
    let mut random = fastrand::Rng::with_seed(0x9e37_79b9_7f4a_7c15);
    for _ in 0..200_000 {
        let length = random.usize(..128);
        let mut bytes = some_bytes(&mut random, length);
        if let Some(first) = bytes.first_mut() {
            *first = [0x45, 0x60, 0x4f, *first][random.usize(..4)];
        }
        let kind = [IPV4, IPV6, 0x8100, 0x88a8, 0][random.usize(..5)];
        if let Some(segment) = parse(kind, &bytes) {
            assert!(segment.payload.len() <= bytes.len());
        }
    }
}
