use std::net::SocketAddr;

use super::*;
use crate::dns::{packet::TcpPart, testing::some_bytes};

const START: u32 = u32::MAX - 40;

fn segment(sequence: u32, payload: &[u8], missing: usize) -> Segment<'_> {
    Segment {
        source: SocketAddr::from(([10, 0, 0, 53], 53)),
        destination: SocketAddr::from(([10, 0, 0, 1], 4000)),
        tcp: Some(TcpPart { sequence, syn: false, end: false }),
        payload,
        missing,
    }
}

fn flagged(sequence: u32, syn: bool, end: bool) -> Segment<'static> {
    Segment { tcp: Some(TcpPart { sequence, syn, end }), ..segment(sequence, &[], 0) }
}

/// A connection that has begun; its first byte has the number `START`.
fn begun() -> Streams {
    let mut streams = Streams::new();
    streams.push(1, &flagged(START.wrapping_sub(1), true, false));
    streams
}

fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        bytes.extend((message.len() as u16).to_be_bytes());
        bytes.extend(message);
    }
    bytes
}

#[test]
fn any_segmentation_gives_the_same_messages() {
    let mut random = fastrand::Rng::with_seed(88_172_645_463_325_252);
    for _ in 0..2000 {
        let messages: Vec<Vec<u8>> = (0..3)
            .map(|_| {
                let length = 1 + random.usize(..60);
                some_bytes(&mut random, length)
            })
            .collect();
        let bytes = framed(&messages);
        // Cut anywhere, with overlaps, in pairs that may be swapped.
        let mut pieces = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let end = (at + 1 + random.usize(..40)).min(bytes.len());
            pieces.push((at.saturating_sub(random.usize(..3)), end));
            at = end;
        }
        for pair in pieces.chunks_mut(2) {
            if random.usize(..2) == 0 {
                pair.reverse();
            }
        }
        let mut streams = begun();
        let mut found = Vec::new();
        for (from, to) in pieces {
            let sequence = START.wrapping_add(from as u32);
            found.extend(streams.push(1, &segment(sequence, &bytes[from..to], 0)));
        }
        let expected: Vec<_> = messages.into_iter().map(|message| (message, false)).collect();
        assert_eq!(found, expected);
        assert_eq!(streams.lost, 0);
    }
}

#[test]
fn what_was_not_captured_leaves_a_hole_in_its_message_only() {
    let messages = [vec![1; 100], vec![2; 10]];
    let bytes = framed(&messages);
    let mut streams = begun();
    let mut found = streams.push(1, &segment(START, &bytes[..50], 40));
    found.extend(streams.push(1, &segment(START.wrapping_add(90), &bytes[90..], 0)));
    assert_eq!(found, [(vec![1; 48], true), (vec![2; 10], false)]);
}

#[test]
fn a_hole_where_a_length_is_told_loses_the_connection() {
    let bytes = framed(&[vec![1; 10], vec![2; 10]]);
    let mut streams = begun();
    assert_eq!(streams.push(1, &segment(START, &bytes[..5], 8)), [(vec![1; 3], true)]);
    assert_eq!((streams.lost, streams.len()), (1, 0));
    assert_eq!(streams.push(1, &segment(START.wrapping_add(13), &bytes[13..], 0)), []);
    assert_eq!(streams.lost, 2);
}

#[test]
fn connections_without_a_beginning_are_passed_over_and_counted() {
    let mut streams = Streams::new();
    let bytes = framed(&[vec![1; 10]]);
    assert_eq!(streams.push(1, &segment(START, &bytes, 0)), []);
    assert_eq!(streams.lost, 1);
    // Bare acknowledgements carry nothing that could be lost.
    streams.push(1, &segment(START, &[], 0));
    assert_eq!(streams.lost, 1);
}

#[test]
fn a_repeated_beginning_changes_nothing_and_an_end_ends() {
    let mut streams = begun();
    let bytes = framed(&[vec![1; 10]]);
    assert_eq!(streams.push(1, &segment(START, &bytes[..6], 0)), []);
    streams.push(1, &flagged(START.wrapping_sub(1), true, false));
    assert_eq!(streams.push(1, &segment(START.wrapping_add(6), &bytes[6..], 0)).len(), 1);
    streams.push(1, &flagged(START.wrapping_add(12), false, true));
    assert_eq!((streams.len(), streams.lost), (0, 0));
}

#[test]
fn memory_is_bounded() {
    let mut streams = Streams::new();
    for port in 0..STREAMS as u16 + 9 {
        let to = SocketAddr::from(([10, 0, 0, 1], port));
        streams.push(1, &Segment { destination: to, ..flagged(0, true, false) });
    }
    assert_eq!((streams.len(), streams.lost), (STREAMS, 9));
    // One message of the greatest length: its front is kept.
    let mut streams = begun();
    let bytes = framed(&[vec![1; 65_535]]);
    assert_eq!(streams.push(1, &segment(START, &bytes, 0)), [(vec![1; KEPT], true)]);
    // Segments that wait for one that never comes.
    for number in 0..=WAITING as u32 {
        let sequence = START.wrapping_add(70_000 + 10 * number);
        streams.push(1, &segment(sequence, &[0; 10], 0));
    }
    assert_eq!((streams.len(), streams.lost), (0, 1));
}
