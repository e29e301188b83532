/// One message from the guest to its host.
///
/// On the wire: a kind byte, the payload's length as a little-endian `u16`, the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The guest is set up and starts its first command.
    Ready,
    /// Bytes a command wrote to its standard output.
    Stdout(Vec<u8>),
    /// Bytes a command wrote to its standard error.
    Stderr(Vec<u8>),
    /// The next command ended with this status; one that a signal ended has 128 plus its number.
    Exit(u8),
    /// The guest cannot go on, or could not do part of its set-up, for this reason.
    Problem(String),
    /// Nothing follows: the guest is about to stop.
    Done,
}

/// Payload that fits one frame.
const LIMIT: usize = u16::MAX as usize;

// === impl Frame ===

impl Frame {
    /// The frame as bytes for the wire; a payload beyond 65,535 bytes is cut.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (kind, payload): (u8, &[u8]) = match self {
            Self::Ready => (b'R', &[]),
            Self::Stdout(bytes) => (b'O', bytes),
            Self::Stderr(bytes) => (b'E', bytes),
            Self::Exit(status) => (b'X', std::slice::from_ref(status)),
            Self::Problem(reason) => (b'P', reason.as_bytes()),
            Self::Done => (b'D', &[]),
        };
        let payload = &payload[..payload.len().min(LIMIT)];
        let mut wire = Vec::with_capacity(payload.len() + 3);
        wire.push(kind);
        wire.extend_from_slice(&(payload.len() as u16).to_le_bytes());
        wire.extend_from_slice(payload);
        wire
    }

    fn decode(kind: u8, payload: &[u8]) -> Option<Self> {
        Some(match (kind, payload) {
            (b'R', []) => Self::Ready,
            (b'O', bytes) => Self::Stdout(bytes.to_vec()),
            (b'E', bytes) => Self::Stderr(bytes.to_vec()),
            (b'X', [status]) => Self::Exit(*status),
            (b'P', reason) => Self::Problem(String::from_utf8_lossy(reason).into_owned()),
            (b'D', []) => Self::Done,
            _ => return None,
        })
    }
}

/// Puts frames together from the pieces a serial port delivers.
#[derive(Debug, Default)]
pub struct Decoder {
    pending: Vec<u8>,
}

// === impl Decoder ===

impl Decoder {
    /// Adds bytes from the wire.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Takes the next whole frame.
    ///
    /// # Errors
    /// The bytes are no frame: something else wrote to the port. They are returned as text.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, String> {
        let [kind, low, high, payload @ ..] = self.pending.as_slice() else { return Ok(None) };
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        if !b"ROEXPD".contains(kind) {
            return Err(String::from_utf8_lossy(&self.pending).into_owned());
        }
        let Some(payload) = payload.get(..length) else { return Ok(None) };
        let Some(frame) = Frame::decode(*kind, payload) else {
            return Err(String::from_utf8_lossy(&self.pending).into_owned());
        };
        self.pending.drain(..length + 3);
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_division_of_the_wire() {
        let frames = [
            Frame::Ready,
            Frame::Stdout(b"line\nROEX\0".to_vec()),
            Frame::Stderr(vec![7; LIMIT]),
            Frame::Exit(130),
            Frame::Problem("no such file".into()),
            Frame::Done,
        ];
        let wire: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        for size in [1, 2, 7, 4096, wire.len()] {
            let mut decoder = Decoder::default();
            let mut seen = Vec::new();
            for piece in wire.chunks(size) {
                decoder.push(piece);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    seen.push(frame);
                }
            }
            assert_eq!(seen, frames, "pieces of {size} bytes");
        }
    }

    #[test]
    fn foreign_bytes_are_refused_with_their_text() {
        let mut decoder = Decoder::default();
        decoder.push(b"login: ");
        assert_eq!(decoder.next_frame(), Err("login: ".into()));
    }

    #[test]
    fn a_frame_of_wrong_size_is_refused() {
        let mut decoder = Decoder::default();
        decoder.push(&[b'X', 2, 0, 1, 1]);
        assert!(decoder.next_frame().is_err());
    }
}
