//! DNS over TCP: messages put together from segments, within bounds.

use std::{collections::VecDeque, net::SocketAddr};

use lru::LruCache;

use super::packet::Segment;

/// Connections that are followed at a time.
const STREAMS: usize = 256;
/// Bytes of a message that are kept: the names are at its front.
const KEPT: usize = 16 << 10;
/// Segments of one connection that may wait for one before them, and the bytes kept of each.
const WAITING: usize = 8;
const WAITING_BYTES: usize = 2 << 10;
/// A segment further ahead than this belongs to no window.
const AHEAD: u32 = 1 << 24;

/// A connection as its server's segments show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct StreamKey {
    netns: u32,
    client: SocketAddr,
    server: SocketAddr,
}

/// Connections to DNS servers.
#[derive(Debug)]
pub(super) struct Streams {
    streams: LruCache<StreamKey, Stream>,
    /// Segments that could not be put together, and connections that lost their place.
    pub(super) lost: u64,
}

/// A message, and whether more of it follows than was kept.
pub(super) type Found = (Vec<u8>, bool);

#[derive(Debug, Default)]
struct Stream {
    /// Sequence number of the next byte.
    next: u32,
    /// The two bytes that tell a message's length, as far as they have come.
    prefix: Vec<u8>,
    /// Of the message under way: its bytes before the first hole, how many have passed, of how many.
    message: Vec<u8>,
    passed: usize,
    length: usize,
    hole: bool,
    waiting: VecDeque<Piece>,
}

#[derive(Debug)]
struct Piece {
    sequence: u32,
    bytes: Vec<u8>,
    missing: usize,
}

/// A hole swallowed the place where a message's length is told.
#[derive(Debug)]
struct Lost;

// === impl Streams ===

impl Streams {
    pub(super) fn new() -> Self {
        Self { streams: LruCache::unbounded(), lost: 0 }
    }

    /// Takes a segment from a server and returns the messages that it completes.
    pub(super) fn push(&mut self, netns: u32, segment: &Segment<'_>) -> Vec<Found> {
        let Some(tcp) = segment.tcp else { return Vec::new() };
        let key = StreamKey { netns, client: segment.destination, server: segment.source };
        let mut sequence = tcp.sequence;
        if tcp.syn {
            sequence = sequence.wrapping_add(1);
            // A SYN-ACK that is sent again begins nothing anew.
            let again = |known: &Stream| known.next.wrapping_sub(sequence) < AHEAD;
            if !self.streams.peek(&key).is_some_and(again) {
                if self.streams.len() >= STREAMS {
                    self.lost += u64::from(self.streams.pop_lru().is_some());
                }
                self.streams.put(key, Stream { next: sequence, ..Stream::default() });
            }
        }
        let mut found = Vec::new();
        let empty = segment.payload.is_empty() && segment.missing == 0;
        if !empty {
            match self.streams.get_mut(&key) {
                // Begun before the agent: where a message starts cannot be told.
                None => self.lost += 1,
                Some(stream) => {
                    let result =
                        stream.push(sequence, segment.payload, segment.missing, &mut found);
                    if result.is_err() {
                        self.streams.pop(&key);
                        self.lost += 1;
                    }
                }
            }
        }
        if tcp.end {
            self.streams.pop(&key);
        }
        found
    }

    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }
}

// === impl Stream ===

impl Stream {
    fn push(
        &mut self,
        sequence: u32,
        bytes: &[u8],
        missing: usize,
        found: &mut Vec<Found>,
    ) -> Result<(), Lost> {
        let ahead = sequence.wrapping_sub(self.next);
        if ahead != 0 && ahead < AHEAD {
            if self.waiting.len() >= WAITING {
                return Err(Lost);
            }
            let kept = bytes.get(..WAITING_BYTES).unwrap_or(bytes);
            let missing = missing + bytes.len() - kept.len();
            self.waiting.push_back(Piece { sequence, bytes: kept.to_vec(), missing });
            return Ok(());
        }
        self.take(sequence, bytes, missing, found)?;
        // Those that waited for this one; each pass takes one, so it ends.
        while let Some(at) = self
            .waiting
            .iter()
            .position(|piece| !(1..AHEAD).contains(&piece.sequence.wrapping_sub(self.next)))
        {
            let Some(piece) = self.waiting.remove(at) else { break };
            self.take(piece.sequence, &piece.bytes, piece.missing, found)?;
        }
        Ok(())
    }

    /// Takes what of a segment has not been seen; it begins at or before `next`.
    fn take(
        &mut self,
        sequence: u32,
        bytes: &[u8],
        missing: usize,
        found: &mut Vec<Found>,
    ) -> Result<(), Lost> {
        let seen = self.next.wrapping_sub(sequence) as usize;
        let Some(fresh) = (bytes.len() + missing).checked_sub(seen) else { return Ok(()) };
        let bytes = bytes.get(seen..).unwrap_or_default();
        let hole = fresh - bytes.len();
        self.next = self.next.wrapping_add(fresh as u32);
        self.bytes(bytes, found);
        self.skip(hole, found)
    }

    fn bytes(&mut self, mut bytes: &[u8], found: &mut Vec<Found>) {
        while let Some((&first, rest)) = bytes.split_first() {
            if self.prefix.len() < 2 {
                self.prefix.push(first);
                bytes = rest;
                if let [high, low] = *self.prefix {
                    self.length = usize::from(u16::from_be_bytes([high, low]));
                    self.finish(found);
                }
                continue;
            }
            let part = bytes.len().min(self.length - self.passed);
            let (now, later) = bytes.split_at(part);
            if !self.hole {
                let free = KEPT - self.message.len();
                self.message.extend_from_slice(now.get(..free).unwrap_or(now));
                self.hole = now.len() > free;
            }
            self.passed += part;
            bytes = later;
            self.finish(found);
        }
    }

    fn skip(&mut self, mut hole: usize, found: &mut Vec<Found>) -> Result<(), Lost> {
        if hole == 0 {
            return Ok(());
        }
        if self.prefix.len() == 2 {
            let part = hole.min(self.length - self.passed);
            self.hole = true;
            self.passed += part;
            hole -= part;
            self.finish(found);
        }
        if hole == 0 { Ok(()) } else { Err(Lost) }
    }

    /// Hands over the message if all of it has passed.
    fn finish(&mut self, found: &mut Vec<Found>) {
        if self.passed < self.length {
            return;
        }
        found.push((std::mem::take(&mut self.message), self.hole));
        self.prefix.clear();
        (self.passed, self.length, self.hole) = (0, 0, false);
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
